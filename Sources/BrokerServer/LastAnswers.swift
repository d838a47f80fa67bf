internal import Synchronization

/// Whether those who had come before the listeners closed have their answers: each loop tells in its ticks, once it has been asked to. Safe
/// from any thread.
final class LastAnswers: Sendable {
    private enum Told {
        case nothing, asked
        case waiting(Int)
    }

    private struct State {
        var told: [Told]
        /// Connections may be on their way from one loop to another: what the loops told is asked once more.
        var roundsLeft: Int
    }

    private let state: Mutex<State>
    /// Spares the ticks the lock.
    private let isBegun = Atomic<Bool>(false)

    init(loops: Int) { state = Mutex(State(told: Array(repeating: .nothing, count: loops), roundsLeft: 0)) }

    /// Main thread: before the loops are asked.
    func begin(isDealing: Bool) {
        state.withLock { $0.roundsLeft = isDealing ? 1 : 0 }
        isBegun.store(true, ordering: .releasing)
    }

    /// On the loop's thread, with its last accepts ahead of its next tick.
    func ask(_ loop: Int) { state.withLock { $0.told[loop] = .asked } }

    /// Whether a loop's ticks are to count.
    func isAsked(_ loop: Int) -> Bool {
        guard isBegun.load(ordering: .acquiring) else { return false }
        return state.withLock { if case .nothing = $0.told[loop] { false } else { true } }
    }

    func tell(_ loop: Int, waiting: Int) { state.withLock { $0.told[loop] = .waiting(waiting) } }

    /// Connections without an answer; nil: not every loop has told.
    func waiting() -> Int? {
        state.withLock { state in
            var total = 0
            for told in state.told {
                guard case .waiting(let count) = told else { return nil }
                total += count
            }
            guard total == 0, state.roundsLeft > 0 else { return total }
            state.roundsLeft -= 1
            state.told = state.told.map { _ in .asked }
            return nil
        }
    }
}
