internal import Synchronization

/// How this process hashes the names that peers choose, and what its tables say of themselves. Safe from any thread.
final class NameHashing: Sendable {
    let key: SecretKey
    private let longest = Atomic<Int>(0)
    private let overlong = Atomic<Int>(0)
    private let bytes = Atomic<Int>(0)

    /// For tables that never get a name.
    static let none = NameHashing(key: SecretKey(0, 0))

    init(key: SecretKey) { self.key = key }

    func hash(of name: Span<UInt8>) -> UInt64 { SipHash.hash(name, key: key) }

    /// A name was put this many cells behind its home, and holds so many bytes.
    func notice(probe: Int, holding more: Int) {
        hold(bytes: more)
        var seen = longest.load(ordering: .relaxed)
        while probe > seen {
            let (done, original) = longest.weakCompareExchange(expected: seen, desired: probe, ordering: .relaxed)
            if done { return }
            seen = original
        }
    }

    /// A name was so far behind its home that its table had to grow.
    func noticeOverlong() { overlong.wrappingAdd(1, ordering: .relaxed) }

    /// What names and what belongs to them hold now is more by so much; an estimate.
    func hold(bytes more: Int) { bytes.wrappingAdd(more, ordering: .relaxed) }

    var statistics: TableStatistics {
        TableStatistics(
            longestProbe: longest.load(ordering: .relaxed), overlongProbes: overlong.load(ordering: .relaxed),
            heldBytes: max(0, bytes.load(ordering: .relaxed)))
    }
}

/// What the tables of names of one process say of themselves.
public struct TableStatistics: Sendable, Equatable {
    /// Cells between a name's home and its place, at most since the start. Below `NameTable.probesMax` unless somebody knows
    /// the secret.
    public var longestProbe = 0
    /// How often a table grew because a name would have been farther from home.
    public var overlongProbes = 0
    /// Memory held by channels, members and cached events of all loops; an estimate.
    public var heldBytes = 0
}
