internal import Synchronization

/// What all loops of a process hold for peers that do not take it, and how much the worst of them holds.
///
/// Safe from any thread. A loop sees from it whether the worst offenders are its own: they have to go first, wherever they are.
public final class BacklogLedger: Sendable {
    /// The memory of all backlogs: what they have allocated, not what they use of it.
    public let budget: ProcessBudget
    /// Above this the worst offenders go that do not read.
    let pressureBytes: Int
    /// Above this those go too that read slowly; the last sixteenth is for those who owe little and whose loop has no offender.
    let strainBytes: Int
    /// Connections by the class of their backlog.
    private let members: InlineArray<104, Atomic<Int>>

    /// - Parameter limitBytes: memory for all backlogs of the process.
    public init(limitBytes: Int) {
        budget = ProcessBudget(limitBytes: limitBytes)
        pressureBytes = limitBytes - limitBytes / 8
        strainBytes = limitBytes - limitBytes / 16
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

    /// Memory held by all backlogs of the process, what loops have in hand among it. Any thread.
    public var reservedBytes: Int { budget.reservedBytes }

    var isPressed: Bool { budget.reservedBytes > pressureBytes }
    var isStrained: Bool { budget.reservedBytes > strainBytes }

    /// Whether some connection of the process owes more than those of a class.
    func hasMember(above sizeClass: Int) -> Bool {
        for higher in min(sizeClass + 1, Self.classCount)..<Self.classCount
        where members[higher].load(ordering: .relaxed) > 0 { return true }
        return false
    }

    func add(_ count: Int, to sizeClass: Int) { members[sizeClass].wrappingAdd(count, ordering: .relaxed) }
}
