internal import Synchronization

/// What all loops of a process hold for peers that do not take it, and how much the worst of them holds.
///
/// Safe from any thread. A loop sees from it whether the worst offenders are its own: they have to go first, wherever they are.
public final class BacklogLedger: Sendable {
    /// The memory of all backlogs: what they have allocated, not what they use of it.
    public let budget: ProcessBudget
    /// Above this the worst offenders go; the last eighth is for those who owe little and whose loop has no offender to send away.
    let pressureBytes: Int
    /// Connections by the class of their backlog.
    private let members: InlineArray<104, Atomic<Int>>

    /// - Parameter limitBytes: memory for all backlogs of the process.
    public init(limitBytes: Int) {
        budget = ProcessBudget(limitBytes: limitBytes)
        pressureBytes = limitBytes - limitBytes / 8
        members = InlineArray { _ in Atomic(0) }
    }

    static let classCount = 104

    /// Classes of capacity, four to a doubling from 256 bytes on; 0 is for no backlog.
    static func sizeClass(_ bytes: Int) -> Int {
        guard bytes > 0 else { return 0 }
        let units = max(1, bytes >> 8)
        let doubling = Int.bitWidth - 1 - units.leadingZeroBitCount
        let quarter = doubling >= 2 ? units >> (doubling - 2) & 3 : 0
        return min(classCount - 1, 1 + 4 * doubling + quarter)
    }

    var isPressed: Bool { budget.reservedBytes > pressureBytes }

    /// Whether some connection of the process owes more than those of a class.
    func hasMember(above sizeClass: Int) -> Bool {
        for higher in sizeClass + 1..<Self.classCount where members[higher].load(ordering: .relaxed) > 0 { return true }
        return false
    }

    func add(_ count: Int, to sizeClass: Int) { members[sizeClass].wrappingAdd(count, ordering: .relaxed) }
}

/// One loop's part of the ledger. Loop thread only.
struct BacklogShare: ~Copyable {
    let ledger: BacklogLedger
    private var share: BudgetShare
    private var members = InlineArray<104, Int32>(repeating: 0)
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
    /// - Parameter isListed: whether it counts among those that may have to go.
    /// - Returns: false when it may not grow; then nothing is booked.
    mutating func resize(from old: Int, to new: Int, isListed: Bool) -> Bool {
        if new > old {
            guard share.take(new - old) else { return false }
        } else {
            share.give(old - new)
        }
        let (left, entered) = (BacklogLedger.sizeClass(old), BacklogLedger.sizeClass(new))
        if isListed, left != entered {
            leave(left)
            enter(entered)
        }
        return true
    }

    /// Its connection has been sent away; what it still holds is nobody's choice any more.
    mutating func strike(_ bytes: Int) { leave(BacklogLedger.sizeClass(bytes)) }

    private mutating func enter(_ one: Int) {
        guard one > 0 else { return }
        members[one] += 1
        ledger.add(1, to: one)
        worstClass = max(worstClass, one)
    }

    private mutating func leave(_ one: Int) {
        guard one > 0 else { return }
        members[one] -= 1
        ledger.add(-1, to: one)
        while worstClass > 0, members[worstClass] == 0 { worstClass -= 1 }
    }
}
