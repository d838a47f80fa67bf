internal import Synchronization

/// What all loops of a process hold for peers that do not take it, and how much the worst of them holds.
///
/// Safe from any thread. A loop sees from it whether the worst offenders are its own: they have to go first, wherever they are.
public final class BacklogLedger: Sendable {
    /// The memory of all backlogs: what they have allocated, not what they use of it.
    public let budget: ProcessBudget
    /// Above this the worst offenders go that do not read, as long as memory as a whole suffices.
    private let ownPressureBytes: Int
    /// Above this those go too that read slowly; the last sixteenth is for those who owe little and whose loop has no offender.
    private let ownStrainBytes: Int
    /// The same as they are now (`squeeze`).
    private let pressureBytes: Atomic<Int>
    private let strainBytes: Atomic<Int>
    /// Connections by the class of their backlog.
    private let members: InlineArray<104, Atomic<Int>>

    /// - Parameter limitBytes: memory for all backlogs of the process.
    public init(limitBytes: Int) {
        budget = ProcessBudget(limitBytes: limitBytes)
        ownPressureBytes = limitBytes - limitBytes / 8
        ownStrainBytes = limitBytes - limitBytes / 16
        pressureBytes = Atomic(limitBytes - limitBytes / 8)
        strainBytes = Atomic(limitBytes - limitBytes / 16)
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

    /// Lets backlogs have less than their limit, because the memory of the process as a whole is short: each loop sends its worst offenders away
    /// within a tick. Any thread; holds until it is called again. nil: what is theirs.
    /// - Parameters:
    ///   - stalled: above so much those go who do not read.
    ///   - all: above so much those go too who read slowly.
    public func squeeze(stalled: Int?, all: Int?) {
        pressureBytes.store(min(stalled ?? .max, ownPressureBytes), ordering: .relaxed)
        strainBytes.store(min(all ?? .max, ownStrainBytes), ordering: .relaxed)
    }

    var isPressed: Bool { budget.reservedBytes > pressureBytes.load(ordering: .relaxed) }
    var isStrained: Bool { budget.reservedBytes > strainBytes.load(ordering: .relaxed) }
    /// Pressed by its own limit, not only by a squeeze.
    var isPressedByItself: Bool { budget.reservedBytes > ownPressureBytes }

    /// Whether some connection of the process owes more than those of a class.
    func hasMember(above sizeClass: Int) -> Bool {
        for higher in min(sizeClass + 1, Self.classCount)..<Self.classCount
        where members[higher].load(ordering: .relaxed) > 0 { return true }
        return false
    }

    func add(_ count: Int, to sizeClass: Int) { members[sizeClass].wrappingAdd(count, ordering: .relaxed) }
}
