/// What a loop has to do at its next ticks. Only what has something to do is listed, so that an app costs a tick nothing while it
/// rests; each shard is on one loop's list, that of the loop that gave it something to do.
struct Housekeeping {
    /// A shard of an app's registry.
    struct Shard {
        var app: UInt32
        var number: UInt32
    }

    /// A sweep comes to a shard once in so many ticks, in slices of equal size.
    static let ticksPerSweep = 32
    /// A list that was longer does not keep its memory.
    private static let keptMax = 1_024

    /// Shards that owe counts: visited with every tick.
    private(set) var owing: [Shard] = []
    /// Shards with cached events, or with memory to give back.
    private(set) var sweeping: [Shard] = []
    /// Where the next slice of `sweeping` begins.
    private var next = 0
    /// Shards in one slice of this round.
    private var slice = 0
    /// Of them, those that are still to be visited.
    private var left = 0

    /// What came of a visit.
    enum Visit {
        /// There is nothing to sweep any more.
        case over
        /// The next one is a round later.
        case done
        /// There was too much to do: it goes on in the next turn.
        case unfinished
    }
    /// Apps whose table of this loop has memory to give back.
    private(set) var tables: [Int] = []

    mutating func listOwing(_ shard: Shard) { owing.append(shard) }
    mutating func listForSweep(_ shard: Shard) { sweeping.append(shard) }
    mutating func listTable(of app: Int) { tables.append(app) }

    /// Visits each shard that owes counts; the next visit is with the next tick.
    /// - Parameter isDone: says whether it owes nothing any more.
    mutating func visitOwing(_ isDone: (Shard) -> Bool) {
        guard !owing.isEmpty else { return }
        owing.removeAll(where: isDone)
        if owing.isEmpty, owing.capacity >= Self.keptMax { owing = [] }
    }

    /// Whether shards of this tick's slice are still to be visited.
    var isSweeping: Bool { left > 0 }

    /// A tick: the next slice of the shards that are swept is due. It does not shrink while shards leave the list, and grows with those that come.
    mutating func beginSlice() {
        guard !sweeping.isEmpty else { return }
        if next >= sweeping.count { (next, slice) = (0, 0) }
        slice = max(slice, (sweeping.count + Self.ticksPerSweep - 1) / Self.ticksPerSweep)
        left = min(slice, sweeping.count - next)
    }

    /// Visits shards of the slice, until one is not finished or it was the last.
    mutating func sweep(_ visit: (Shard) -> Visit) {
        while left > 0, next < sweeping.count {
            switch visit(sweeping[next]) {
            case .unfinished: return
            case .done: next += 1
            case .over:
                sweeping.swapAt(next, sweeping.count - 1)
                sweeping.removeLast()
            }
            left -= 1
        }
        left = 0
        if sweeping.isEmpty, sweeping.capacity > Self.keptMax { sweeping = [] }
    }

    /// Gives each listed table to `body`, once.
    mutating func visitTables(_ body: (_ app: Int) -> Void) {
        for app in tables { body(app) }
        tables.removeAll(keepingCapacity: tables.count < Self.keptMax)
    }
}
