@testable import Telemetry
import Testing

@Suite("At most so many lines a second") struct LineLimiterTests {
    @Test func theFirstLinesOfASecondAreWrittenAndTheRestIsCounted() {
        var limiter = LineLimiter(kinds: 2, linesPerSecond: 3)
        #expect((0..<3).allSatisfy { limiter.admit(0, now: 5_000 + $0) == 0 })
        #expect((0..<7).allSatisfy { limiter.admit(0, now: 5_100 + $0) == nil })
        #expect(limiter.admit(1, now: 5_100) == 0, "another kind has its own lines")
        #expect(limiter.admit(0, now: 5_999) == nil, "not before a second after the first line")
        #expect(limiter.admit(0, now: 6_000) == 8, "the next line says how many are missing")
        #expect(limiter.admit(0, now: 6_001) == 0 && limiter.admit(0, now: 6_002) == 0)
        #expect(limiter.admit(0, now: 6_003) == nil)
    }

    @Test func aCountThatNoLineSaysIsDueAfterASecond() {
        var limiter = LineLimiter(kinds: 2, linesPerSecond: 1)
        _ = limiter.admit(1, now: 100)
        _ = limiter.admit(1, now: 200)
        limiter.leaveOut(5, of: 1, now: 900)
        #expect(limiter.takeOverdue(now: 1_199).isEmpty)
        let due = limiter.takeOverdue(now: 1_200)
        #expect(due.map(\.kind) == [1] && due.map(\.suppressed) == [6])
        #expect(limiter.takeOverdue(now: 9_000).isEmpty, "it is said once")
        limiter.leaveOut(1, of: 0, now: 9_000)
        #expect(limiter.takeOverdue(now: 9_000, all: true).map(\.suppressed) == [1], "at the end nothing is kept back")
    }

    @Test func whatSaysTheSameIsWrittenOnceASecond() {
        var limiter = LineLimiter(kinds: 2, linesPerSecond: 3)
        #expect(limiter.admit(0, saying: 7, now: 5_000) == 0)
        #expect(limiter.admit(0, saying: 7, now: 5_001) == nil && limiter.admit(0, saying: 7, now: 5_999) == nil)
        #expect(limiter.admit(1, saying: 7, now: 5_001) == 0, "of another kind it is something else")
        #expect(limiter.admit(0, saying: 8, now: 5_999) == 2, "another line says how many are missing")
        #expect(limiter.admit(0, saying: 7, now: 6_000) == 0)
        #expect(limiter.admit(0, saying: 9, now: 6_001) == 0)
        #expect(limiter.admit(0, saying: 10, now: 6_002) == nil, "three a second, whatever they say")
        #expect(limiter.admit(0, saying: 8, now: 6_998) == nil)
    }

    @Test func zeroLinesAreOnlyCounted() {
        var limiter = LineLimiter(kinds: 1, linesPerSecond: 0)
        for _ in 0..<4 { #expect(limiter.admit(0, now: 70_000) == nil) }
        #expect(limiter.takeOverdue(now: 71_000).map(\.suppressed) == [4])
    }

    /// Whatever the times are: no second has more than the limit, and lines plus counts are all there were.
    @Test(arguments: 0..<50) func anyFloodKeepsTheLimitAndTheTotal(seed: UInt64) {
        var state = seed
        func random(_ below: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % below
        }
        let limit = Int(random(5)) + 1
        var limiter = LineLimiter(kinds: 1, linesPerSecond: limit)
        var (now, lines, said): (UInt64, [UInt64], UInt64) = (random(3_000), [], 0)
        for _ in 0..<2_000 {
            now += random(random(4) == 0 ? 400 : 3)
            if let suppressed = limiter.admit(0, now: now) {
                lines.append(now)
                said += suppressed
            }
            for due in limiter.takeOverdue(now: now) { said += due.suppressed }
        }
        for due in limiter.takeOverdue(now: now, all: true) { said += due.suppressed }
        #expect(UInt64(lines.count) + said == 2_000, "seed \(seed)")
        for index in lines.indices.dropFirst(limit) {
            #expect(lines[index] - lines[index - limit] >= 1_000, "seed \(seed), line \(index)")
        }
    }
}
