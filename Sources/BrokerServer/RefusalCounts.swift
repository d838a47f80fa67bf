/// How many refusals of each kind, and of each code among them, one loop has made since it started. Plain numbers of the loop's thread;
/// whoever sums the loops has each loop copy its own.
struct RefusalCounts: Sendable, Equatable {
    /// The kind's number and a code; 0: the peer was told none.
    private var counts: [UInt32: UInt64] = [:]
    /// Codes are ours, so there are few; should that ever be wrong, the rest of a kind goes under none.
    private static let entriesMax = 256

    subscript(kind: RefusalKind) -> UInt64 {
        counts.reduce(0) { $1.key >> 16 == UInt32(kind.rawValue) ? $0 &+ $1.value : $0 }
    }

    mutating func add(_ kind: RefusalKind, code: Int? = nil, _ count: UInt64 = 1) {
        var key = Self.key(kind, code ?? 0)
        if counts[key] == nil, counts.count >= Self.entriesMax { key = Self.key(kind, 0) }
        counts[key, default: 0] &+= count
    }

    private static func key(_ kind: RefusalKind, _ code: Int) -> UInt32 {
        UInt32(kind.rawValue) << 16 | UInt32(UInt16(clamping: code))
    }

    /// What has happened at all, in a fixed order; code 0: none.
    func forEach(_ body: (RefusalKind, _ code: Int, UInt64) -> Void) {
        for (key, count) in counts.sorted(by: { $0.key < $1.key }) {
            if let kind = RefusalKind(rawValue: Int(key >> 16)) { body(kind, Int(key & 0xFFFF), count) }
        }
    }

    static func += (sum: inout RefusalCounts, other: RefusalCounts) {
        sum.counts.merge(other.counts) { $0 &+ $1 }
    }
}
