/// Where something stands.
struct SpoolPlace: Equatable {
    /// 0: in none.
    var segment: UInt64
    /// Of its record.
    var bytes: Int

    static let nowhere = Self(segment: 0, bytes: 0)
    var isNowhere: Bool { segment == 0 }
}

/// What lives in a segment.
struct SpoolUse: Equatable {
    var count = 0
    var bytes = 0
}

/// What lives where.
struct SpoolUses {
    private var uses: [UInt64: SpoolUse] = [:]

    subscript(segment: UInt64) -> SpoolUse { uses[segment] ?? SpoolUse() }

    mutating func move(from old: SpoolPlace, to new: SpoolPlace) {
        if !old.isNowhere, var use = uses[old.segment] {
            use.count -= 1
            use.bytes -= old.bytes
            uses[old.segment] = use.count == 0 ? nil : use
        }
        guard !new.isNowhere else { return }
        uses[new.segment, default: SpoolUse()].count += 1
        uses[new.segment, default: SpoolUse()].bytes += new.bytes
    }
}
