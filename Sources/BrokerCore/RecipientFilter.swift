/// A channel's list without some of its slots, in one pass and without hashing: one bit for each slot of the loop.
struct RecipientFilter {
    /// All zero between two calls.
    private var words: [UInt64] = []
    private var chosen = RawList<UInt32>()

    /// What `select` chose last; valid until it is called again.
    var elements: UnsafeBufferPointer<UInt32> { chosen.elements }

    /// Leaves out `slots`, which may name some twice and some that are not in the list.
    mutating func select(from list: UnsafeBufferPointer<UInt32>, without slots: [UInt32]) {
        mark(slots)
        chosen.removeAll()
        for slot in list where !isMarked(slot) { chosen.append(slot) }
        clear(slots)
    }

    /// The newest join of each slot of the list, in their order.
    mutating func newest(
        of joins: [LocalChannel.PendingJoin], in list: UnsafeBufferPointer<UInt32>
    ) -> [LocalChannel.PendingJoin] {
        let slots = Array(list)
        mark(slots)
        var kept: [LocalChannel.PendingJoin] = []
        for join in joins.reversed() where isMarked(join.slot) {
            clear([join.slot])
            kept.append(join)
        }
        clear(slots)
        return kept.reversed()
    }

    /// Frees the memory when the owner ends.
    func deallocate() { chosen.deallocate() }

    private mutating func mark(_ slots: [UInt32]) {
        for slot in slots {
            let word = Int(slot >> 6)
            while words.count <= word { words.append(0) }
            words[word] |= 1 << UInt64(slot & 63)
        }
    }

    private mutating func clear(_ slots: [UInt32]) {
        for slot in slots { words[Int(slot >> 6)] &= ~(1 << UInt64(slot & 63)) }
    }

    private func isMarked(_ slot: UInt32) -> Bool {
        let word = Int(slot >> 6)
        return word < words.count && words[word] & 1 << UInt64(slot & 63) != 0
    }
}
