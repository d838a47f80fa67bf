/// When which endpoint is to be looked at again, soonest first: a binary heap. That one is looked at in vain costs little, so nothing is ever taken
/// out of the middle.
struct DueTimes<Name> {
    private var entries: [(milliseconds: UInt64, name: Name)] = []

    var count: Int { entries.count }
    /// When the soonest is due.
    var next: UInt64? { entries.first?.milliseconds }

    mutating func add(_ name: Name, at milliseconds: UInt64) {
        entries.append((milliseconds, name))
        var place = entries.count - 1
        while place > 0, entries[place].milliseconds < entries[(place - 1) / 2].milliseconds {
            entries.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    /// The soonest, if it is due by now.
    mutating func pop(now: UInt64) -> Name? {
        guard let first = entries.first, first.milliseconds <= now else { return nil }
        let last = entries.removeLast()
        guard !entries.isEmpty else {
            entries = []
            return first.name
        }
        entries[0] = last
        sink()
        return first.name
    }

    private mutating func sink() {
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < entries.count && entries[child].milliseconds < entries[least].milliseconds {
                least = child
            }
            guard least != place else { return }
            entries.swapAt(place, least)
            place = least
        }
    }
}
