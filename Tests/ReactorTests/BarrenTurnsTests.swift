@testable import Reactor
import Testing

@Suite("A loop that gets nowhere") struct BarrenTurnsTests {
    @Test func restsAfterManyTurnsWithoutProgressUntilThereIsSome() {
        var barren = BarrenTurns()
        func rests(_ progress: UInt64, turns: Int) -> [Bool] { (0..<turns).map { _ in barren.add(progress) } }
        let most = Int(BarrenTurns.max)
        #expect(rests(1, turns: most + 1) == Array(repeating: false, count: most + 1), "the first is news")
        #expect(rests(1, turns: 1_000) == Array(repeating: true, count: 1_000))
        #expect(rests(2, turns: most + 2) == Array(repeating: false, count: most + 1) + [true])
        barren.reset()
        #expect(rests(2, turns: 1) == [false])
    }

    @Test func whateverIsDoneIsProgress() {
        let fields: [WritableKeyPath<LoopStatistics, UInt64>] = [
            \.bytesIn, \.bytesOut, \.accepted, \.acceptsRefused, \.closed, \.wakeups, \.timersFired,
        ]
        for field in fields {
            var statistics = LoopStatistics()
            let before = statistics.progress
            statistics[keyPath: field] += 1
            #expect(statistics.progress != before)
        }
    }
}
