/// Who of a channel's list gets a delivery that some of them joined after; see `DeliveryInbox`.
///
/// It cannot be copied, because it owns the list it made last.
struct LateJoiners: ~Copyable {
    /// What the list in `filter` is the answer to.
    private struct Question: Equatable {
        var channel: LocalChannelID
        /// The index of the first pending join that was too late.
        var firstLate: Int
        /// `Memberships.changes`: the answer holds until somebody joins or leaves.
        var changes: UInt64
    }

    private var filter = RecipientFilter()
    private var leftOut: [UInt32] = []
    private var answered: Question?

    deinit { filter.deallocate() }

    /// The next answer is made anew: joins have been forgotten.
    mutating func forget() { answered = nil }

    /// Leaves out subscribers that joined after the delivery was posted, and those that are there as one member.
    ///
    /// Joins are listed in the order of their sequence, and a fresh subscriber stands at the end of the list, so those that
    /// came too late are nearly always its last ones; only a leave in between can have moved them.
    /// - Returns: slots; valid until the next question and until somebody joins or leaves.
    mutating func recipients(
        of node: UnsafeMutablePointer<DeliveryNode>, butNotAs member: UInt32? = nil,
        in memberships: borrowing Memberships
    ) -> UnsafeBufferPointer<UInt32> {
        let channel = node.pointee.channel
        let pending = memberships[channel].pendingJoins
        let list = memberships[channel].subscribers
        let first = Self.firstLate(of: pending, for: node.pointee.sequence)
        let question =
            member == nil ? Question(channel: channel, firstLate: first, changes: memberships.changes) : nil
        if let question {
            let settled = list.slots.count - (pending.count - first)
            if settled >= 0,
                (first..<pending.count).allSatisfy({ list.slots[settled + $0 - first] == pending[$0].slot })
            {
                return UnsafeBufferPointer(rebasing: list.slots[..<settled])
            }
            if answered == question { return filter.elements }
        }
        leftOut.removeAll(keepingCapacity: true)
        for join in pending[first...] { leftOut.append(join.slot) }
        if let member { leaveOut(member, of: list, in: memberships) }
        filter.select(from: list.slots, without: leftOut)
        answered = question
        return filter.elements
    }

    private mutating func leaveOut(_ member: UInt32, of list: SubscriberList, in memberships: borrowing Memberships) {
        for position in 0..<list.count {
            let slot = list.slot(at: position)
            let own = memberships[slot].subscriptions
            if own[Int(list.entry(at: position))].member == member { leftOut.append(slot) }
        }
    }

    /// The newest join of each of a channel's subscribers.
    mutating func newest(in channel: LocalChannel) -> [LocalChannel.PendingJoin] {
        filter.newest(of: channel.pendingJoins, in: channel.subscribers.slots)
    }

    /// The index of the first join that came after a delivery.
    private static func firstLate(of pending: [LocalChannel.PendingJoin], for sequence: UInt64) -> Int {
        var (low, high) = (0, pending.count)
        while low < high {
            let middle = (low + high) / 2
            if pending[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
