/// One loop's part of the ledger: who of its connections owes how much. Loop thread only.
///
/// Connections with a backlog stand in rings, one for each class of it, so that the worst are found without a search. Those that have been
/// sent away stand in none: what they still hold is counted, but it is nobody's choice any more.
struct BacklogShare: ~Copyable {
    let ledger: BacklogLedger
    private var share: BudgetShare
    private var members = InlineArray<104, Int32>(repeating: 0)
    /// Of each ring that has members, the one that is looked at next.
    private var next = InlineArray<104, UInt32>(repeating: 0)
    /// The class of the loop's worst offenders; 0 when nobody owes anything.
    private(set) var worstClass = 0

    init(of ledger: BacklogLedger) {
        self.ledger = ledger
        share = BudgetShare(of: ledger.budget)
    }

    deinit {
        for one in 1..<BacklogLedger.classCount where members[one] > 0 { ledger.add(-Int(members[one]), to: one) }
    }

    /// What the loop's backlogs have allocated.
    var usedBytes: Int { share.usedBytes }

    /// Books that a backlog becomes larger or smaller.
    /// - Returns: false when it may not grow; then nothing is booked.
    mutating func resize(
        _ slot: UInt32, _ states: UnsafeMutablePointer<ConnectionState>, from old: Int, to new: Int
    ) -> Bool {
        if new > old {
            guard share.acquire(new - old) else { return false }
        } else {
            share.give(old - new)
        }
        let (left, entered) = (BacklogLedger.sizeClass(old), BacklogLedger.sizeClass(new))
        if left != entered, !states[Int(slot)].flags.contains(.overflowed) {
            leave(left, slot, states)
            enter(entered, slot, states)
        }
        return true
    }

    /// Books the rest of a sealed record: always granted, because it is part of what was accounted for as plaintext, so that the ledger knows of
    /// it and sends somebody away when it is much.
    mutating func count(recordBytes: Int, instead counted: Int) {
        if recordBytes > counted { _ = share.acquire(recordBytes - counted, withinGrace: true) }
        if recordBytes < counted { share.give(counted - recordBytes) }
    }

    mutating func release(recordBytes: Int) { count(recordBytes: 0, instead: recordBytes) }

    /// The connection has been sent away.
    mutating func strike(_ slot: UInt32, _ states: UnsafeMutablePointer<ConnectionState>) {
        leave(BacklogLedger.sizeClass(Int(states[Int(slot)].backlogCapacity)), slot, states)
    }

    func memberCount(_ sizeClass: Int) -> Int { Int(members[sizeClass]) }

    /// A member of a class that has some. Each call gives another one until all have had their turn.
    mutating func takeTurn(_ sizeClass: Int, _ states: UnsafeMutablePointer<ConnectionState>) -> UInt32 {
        let slot = next[sizeClass]
        next[sizeClass] = states[Int(slot)].nextOffender
        return slot
    }

    /// The newcomer is looked at last.
    private mutating func enter(_ one: Int, _ slot: UInt32, _ states: UnsafeMutablePointer<ConnectionState>) {
        guard one > 0 else { return }
        let first = members[one] == 0 ? slot : next[one]
        let last = members[one] == 0 ? slot : states[Int(first)].previousOffender
        next[one] = first
        (states[Int(slot)].previousOffender, states[Int(slot)].nextOffender) = (last, first)
        states[Int(last)].nextOffender = slot
        states[Int(first)].previousOffender = slot
        members[one] += 1
        ledger.add(1, to: one)
        worstClass = max(worstClass, one)
    }

    private mutating func leave(_ one: Int, _ slot: UInt32, _ states: UnsafeMutablePointer<ConnectionState>) {
        guard one > 0 else { return }
        let (before, behind) = (states[Int(slot)].previousOffender, states[Int(slot)].nextOffender)
        states[Int(before)].nextOffender = behind
        states[Int(behind)].previousOffender = before
        if next[one] == slot { next[one] = behind }
        members[one] -= 1
        ledger.add(-1, to: one)
        while worstClass > 0, members[worstClass] == 0 { worstClass -= 1 }
    }
}
