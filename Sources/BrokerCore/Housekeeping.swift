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

    /// What came of a visit.
    enum Visit {
        /// There is nothing to do any more.
        case over
        /// The next one is a round later.
        case done
        /// There was too much to do: it goes on in the next turn.
        case unfinished
    }

    /// Shards that are visited one after the other, of which a tick makes some due.
    struct Round {
        private var shards: [Shard] = []
        /// Who is visited next.
        private var next = 0
        /// Of them, those whose visit is due.
        private var left = 0

        var isEmpty: Bool { shards.isEmpty }
        var count: Int { shards.count }
        var isDue: Bool { left > 0 }
        /// Each has been visited once.
        var isOver: Bool { next >= shards.count }

        mutating func append(_ shard: Shard) { shards.append(shard) }
        mutating func beginAgain() { next = 0 }
        mutating func makeDue(_ count: Int) { left = min(count, shards.count - next) }

        /// Visits those that are due, until one is not finished or it was the last.
        mutating func visit(_ body: (Shard) -> Visit) {
            while left > 0, next < shards.count {
                switch body(shards[next]) {
                case .unfinished: return
                case .done: next += 1
                case .over:
                    shards.swapAt(next, shards.count - 1)
                    shards.removeLast()
                }
                left -= 1
            }
            left = 0
            if shards.isEmpty, shards.capacity > Housekeeping.keptMax { shards = [] }
        }
    }

    /// Shards that owe counts: all are due with every tick.
    private(set) var owing = Round()
    /// Shards with cached events, or with memory to give back.
    private(set) var sweeping = Round()
    /// Shards in one slice of this round of `sweeping`.
    private var slice = 0
    /// Apps whose table of this loop has memory to give back.
    private(set) var tables: [Int] = []

    mutating func listOwing(_ shard: Shard) { owing.append(shard) }
    mutating func listForSweep(_ shard: Shard) { sweeping.append(shard) }
    mutating func listTable(of app: Int) { tables.append(app) }

    /// Whether shards that this tick made due are still to be visited.
    var isSweeping: Bool { sweeping.isDue || owing.isDue }

    /// A tick: all shards that owe are due, and the next slice of those that are swept. The slice does not shrink while shards leave the
    /// list, and grows with those that come. What the last tick made due and was too much goes on first.
    mutating func beginSlice() {
        if !owing.isEmpty, !owing.isDue {
            owing.beginAgain()
            owing.makeDue(owing.count)
        }
        guard !sweeping.isEmpty else { return }
        if sweeping.isOver {
            sweeping.beginAgain()
            slice = 0
        }
        slice = max(slice, (sweeping.count + Self.ticksPerSweep - 1) / Self.ticksPerSweep)
        sweeping.makeDue(slice)
    }

    /// Visits shards that owe counts, until one is not finished or it was the last that is due.
    mutating func visitOwing(_ visit: (Shard) -> Visit) { owing.visit(visit) }

    /// Visits shards of the slice, until one is not finished or it was the last.
    mutating func sweep(_ visit: (Shard) -> Visit) { sweeping.visit(visit) }

    /// Gives each listed table to `body`, once.
    mutating func visitTables(_ body: (_ app: Int) -> Void) {
        for app in tables { body(app) }
        tables.removeAll(keepingCapacity: tables.count < Self.keptMax)
    }
}
