import BrokerCore
import Glibc
import TestSupport
import Testing

/// Model-checked (invariants 1…4 of `Sources/ARCHITECTURE.md`; PW-042…PW-046, PW-054, PW-068…PW-076, PW-080, PW-085…PW-094,
/// PW-095…PW-103, PW-109…PW-123, PW-146, PW-181).
///
/// Set `STARLING_SIMULATION_STEPS` to change the steps of each seed, and `STARLING_SIMULATION_SEEDS` (`first..<last`) for others.
@Suite("Simulation") struct SimulationTests {
    static let steps = setting("STARLING_SIMULATION_STEPS").flatMap { Int($0) } ?? 2_500

    static let seeds: Range<Int> = {
        let bounds = (setting("STARLING_SIMULATION_SEEDS") ?? "").split(separator: "..<").compactMap { Int($0) }
        return bounds.count == 2 ? bounds[0]..<bounds[1] : 0..<40
    }()

    @Test(arguments: seeds) func theBrokerDoesWhatTheModelSays(seed: Int) throws {
        try Simulation(seed: seed).run(steps: Self.steps) { simulation in
            #if DEBUG
                if let fault = InvariantWalker.fault(in: simulation.brokers) { throw simulation.fail(fault) }
            #endif
        }
    }

    /// What a loop misses while its queue is full, it makes up for (invariants 3 and 4), and no queue grows past its limit.
    @Test(arguments: seeds) func theSameHoldsWhereQueuesAreNearlyAlwaysFull(seed: Int) throws {
        try Simulation(seed: seed, isTight: true).run(steps: Self.steps) { simulation in
            #if DEBUG
                if let fault = InvariantWalker.fault(in: simulation.brokers) { throw simulation.fail(fault) }
            #endif
        }
    }

    private static func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
