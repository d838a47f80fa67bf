import Glibc
import TestSupport
import Testing

/// The rule of the three seconds, losses, and webhooks that are switched on later, over random steps (Pusher protocol §7.3; PW-167,
/// PW-169, PW-170, PW-171).
///
/// Set `STARLING_SIMULATION_STEPS` to change the steps of each seed, and `STARLING_SIMULATION_SEEDS` (`first..<last`) for others.
@Suite("Simulation of what is told") struct StorySimulationTests {
    static let steps = setting("STARLING_SIMULATION_STEPS").flatMap { Int($0) } ?? 3_000

    static let seeds: Range<Int> = {
        let bounds = (setting("STARLING_SIMULATION_SEEDS") ?? "").split(separator: "..<").compactMap { Int($0) }
        return bounds.count == 2 ? bounds[0]..<bounds[1] : 0..<40
    }()

    /// Each subject's lines are those of the reference, and all returns in time are counted.
    @Test(arguments: seeds) func whatIsToldIsWhatTheReferenceSays(seed: Int) throws {
        let simulation = StorySimulation(seed: seed, isLossy: false)
        try simulation.run(steps: Self.steps)
        #expect(simulation.toldCount > Self.steps / 50 && simulation.lost == 0 && simulation.comparisons == 0)
    }

    /// Here and gone alternate, and end in the truth.
    @Test(arguments: seeds) func whatIsToldIsTrueThoughEdgesAreLost(seed: Int) throws {
        let simulation = StorySimulation(seed: seed, isLossy: true)
        try simulation.run(steps: Self.steps)
        #expect(simulation.toldCount > Self.steps / 100 && simulation.lost > 0 && simulation.comparisons > 0)
    }

    private static func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
