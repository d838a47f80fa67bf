@testable import Reactor
import Telemetry
import Testing

@Suite("How a loop spends its time") struct TimingTests {
    private let script = Script()

    private func later(_ loop: EventLoop, nanoseconds: UInt64) {
        loop.manualTime = loop.manualTime?.after(nanoseconds: nanoseconds)
    }

    @Test func aTurnEndsWhenTheNextBegins() throws {
        let loop = try EventLoop.manual()
        _ = loop.runTurn(script, mayWait: false)
        #expect(loop.timings.turns.count == 0, "the first has not ended")
        later(loop, nanoseconds: 1 << 20)
        _ = loop.runTurn(script, mayWait: false)
        #expect(loop.timings.turns.count == 1 && loop.timings.turns.nanosecondsTotal == 1 << 20)
    }

    @Test func sleepIsNoPartOfATurn() throws {
        var timings = LoopTimings()
        let start = MonotonicTime(nanoseconds: 1_000_000)
        timings.beginTurn(at: start)
        timings.endTurn(at: start.after(nanoseconds: 500), isFlushed: true)
        // The next turn's look at the clock, after the sleep.
        timings.endTurn(at: start.after(nanoseconds: 90_000_000), isFlushed: true)
        #expect(timings.turns.count == 1 && timings.turns.nanosecondsTotal == 500)
    }

    @Test("a tick is late by what passed after it was due", arguments: [0, 7_000_000, 250_000_000] as [UInt64])
    func lag(late: UInt64) throws {
        let loop = try EventLoop.manual()
        loop.manualTime = loop.wheel.nextTickTime.after(nanoseconds: late)
        _ = loop.runTurn(script, mayWait: false)
        #expect(loop.timings.lag.count == 1 && loop.timings.lag.nanosecondsTotal == late)
        _ = loop.runTurn(script, mayWait: false)
        #expect(loop.timings.lag.count == 1, "once a tick")
    }

    @Test func aMessageIsUnderWayUntilTheLastSliceIsFlushed() throws {
        let loop = try EventLoop.manual { $0.sendsPerTurn = 8 }
        let pairs = try (0..<100).map { _ in try loop.pair(script) }
        var hasQueued = false
        script.onTurn = {
            guard !hasQueued else { return false }
            hasQueued = true
            let index = [UInt8](repeating: 1, count: 8).withUnsafeBytes { loop.outbox.frame($0) }
            pairs.map(\.slot).withUnsafeBufferPointer { loop.outbox.queue(index, to: $0) }
            loop.noteQueued(since: LoopTimings.stamp(of: loop.now))
            return false
        }
        var turns = 0
        repeat {
            #expect(loop.timings.sends.count == 0)
            later(loop, nanoseconds: 1 << 20)
            _ = loop.runTurn(script, mayWait: false)
            turns += 1
        } while loop.outbox.isFlushing
        later(loop, nanoseconds: 1 << 20)
        _ = loop.runTurn(script, mayWait: false)
        #expect(turns > 10 && loop.timings.sends.count == 1)
        #expect(loop.timings.sends.nanosecondsTotal >> 20 == UInt64(turns))
        for pair in pairs { Peer(pair.peer).close() }
    }

    @Test func eventsOfSeveralTurnsInOneFlushKeepTheirOwnTimes() {
        var timings = LoopTimings()
        func time(_ milliseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds << 20) }
        timings.beginTurn(at: time(10))
        for moment: UInt64 in [2, 2, 5, 2, 30] { timings.noteQueued(LoopTimings.stamp(of: time(moment))) }
        timings.endTurn(at: time(12), isFlushed: false)
        #expect(timings.sends.count == 0)
        timings.beginTurn(at: time(12))
        timings.endTurn(at: time(12), isFlushed: true)
        // 10, 10, 7, 10, and one that another loop stamped a moment later than we looked.
        #expect(timings.sends.count == 5 && timings.sends.nanosecondsTotal == 37 << 20)
        timings.beginTurn(at: time(40))
        timings.endTurn(at: time(41), isFlushed: true)
        #expect(timings.sends.count == 5, "each is measured once")
    }

    @Test func aStampSurvivesItsOverflow() {
        var timings = LoopTimings()
        let start = MonotonicTime(nanoseconds: (1 << 42) - 1_024)
        timings.beginTurn(at: start)
        timings.noteQueued(LoopTimings.stamp(of: start))
        timings.endTurn(at: start.after(nanoseconds: 4_096), isFlushed: true)
        #expect(timings.sends.count == 1 && timings.sends.nanosecondsTotal <= 4_096)
    }
}
