internal import Reactor
internal import Synchronization

/// Asks every loop to turn once, and knows whether all have. One for each asking, so that a late answer is to its own question.
final class RollCall: Sendable {
    private let missing: Atomic<Int>

    init(_ loops: [LoopHandle]) {
        missing = Atomic(loops.count)
        for loop in loops { loop.post { self.missing.wrappingSubtract(1, ordering: .relaxed) } }
    }

    var isComplete: Bool { missing.load(ordering: .relaxed) == 0 }
}
