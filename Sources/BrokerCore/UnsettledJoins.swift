/// The channels of one loop that have joins to settle after the next drain; see `DeliveryInbox`.
struct UnsettledJoins {
    private struct Entry {
        var channel: LocalChannelID
        /// The drain the loop was in when somebody joined: everything posted before has been given out after the one that follows.
        var drainNumber: UInt64
    }

    /// So many may stand here before it is looked whether some of their channels are gone.
    static let countMin = 1_024

    private var entries: [Entry] = []
    private var countMax = UnsettledJoins.countMin

    var count: Int { entries.count }

    /// A channel has the first join of this drain.
    mutating func append(_ channel: LocalChannelID, drainNumber: UInt64, in memberships: borrowing Memberships) {
        if entries.count >= countMax {
            var kept = 0
            for at in entries.indices where memberships.holds(entries[at].channel) {
                entries[kept] = entries[at]
                kept += 1
            }
            entries.removeLast(entries.count - kept)
            countMax = max(Self.countMin, entries.count * 2)
        }
        entries.append(Entry(channel: channel, drainNumber: drainNumber))
    }

    /// Forgets the joins that were made before this drain.
    mutating func settle(before drainNumber: UInt64, in memberships: inout Memberships) {
        var kept = 0
        // By index: a walk over the array itself would hold it, and the first write would copy it.
        for at in entries.indices {
            let entry = entries[at]
            guard entry.drainNumber < drainNumber else {
                entries[kept] = entry
                kept += 1
                continue
            }
            guard memberships.holds(entry.channel) else { continue }
            memberships[entry.channel].pendingJoins.removeAll { $0.drainNumber < drainNumber }
            if memberships[entry.channel].pendingJoins.isEmpty { memberships[entry.channel].pendingJoins = [] }
        }
        entries.removeLast(entries.count - kept)
    }

    mutating func releaseUnused() {
        if entries.isEmpty, entries.capacity > Self.countMin { entries = [] }
    }
}
