@testable import Reactor
import Testing

@Suite("The timers of connections") struct TimerTests {
    @Test("a timer is never early and at most a step late", arguments: [1, 99, 100, 101, 5_000, 250_000, 500_000])
    func timers(milliseconds: Int) throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        var waited: UInt64 = 0
        var firedAt: UInt64?
        script.onTimer = { _ in firedAt = waited }
        loop.setTimer(slot, afterMilliseconds: 400_000)
        loop.setTimer(slot, afterMilliseconds: UInt32(milliseconds))
        while firedAt == nil && waited < 600_000 {
            waited += 50
            loop.advance(milliseconds: 50)
            loop.turns(1, script)
        }
        let fired = try #require(firedAt)
        #expect(fired >= UInt64(milliseconds) && fired <= UInt64(milliseconds) + 150)
        #expect(peer.send([1]) == 1)
    }

    /// Also when it is set in the very moment of a tick.
    @Test(arguments: [0, 500, 1_000] as [UInt64]) func aTimerThatIsDueAtOnceFiresWithTheNextTick(start: UInt64) throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        var fired: [UInt32] = []
        script.onTimer = { fired.append($0) }
        loop.advance(milliseconds: start)
        loop.turns(1, script)
        loop.setTimer(slot, afterMilliseconds: 0)
        loop.turns(1, script)
        #expect(fired.isEmpty && loop.state(slot).deadlineTick == UInt32(start / 100) + 1)
        loop.advance(milliseconds: 100)
        loop.turns(1, script)
        #expect(fired == [slot] && loop.wheel.entryCount == 0)
        #expect(peer.send([1]) == 1)
    }

    @Test func aTimerMovedLaterFiresOnceAtItsLastDeadline() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        var fired: [UInt32] = []
        script.onTimer = { fired.append($0) }
        for _ in 0..<20 {
            loop.setTimer(slot, afterMilliseconds: 1_000)
            loop.advance(milliseconds: 500)
            loop.turns(1, script)
        }
        #expect(fired.isEmpty)
        loop.advance(milliseconds: 600)
        loop.turns(5, script)
        #expect(fired == [slot])
        #expect(peer.send([1]) == 1)
    }

    @Test func aTimerThatHasFiredIsSetAgain() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        var fired = 0
        script.onTimer = { _ in fired += 1 }
        for round in 1...20 {
            loop.setTimer(slot, afterMilliseconds: 300)
            loop.advance(milliseconds: 400)
            loop.turns(1, script)
            #expect(fired == round)
        }
        #expect(peer.send([1]) == 1)
    }

    /// A timer moved earlier is filed twice; the later entry is void when its turn comes, and not filed once more, although the
    /// timer has been moved on meanwhile and is still to come.
    @Test func movingATimerEarlierLeavesNothingBehindInTheWheel() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        var fired = 0
        script.onTimer = { _ in fired += 1 }
        for _ in 0..<50 {
            loop.setTimer(slot, afterMilliseconds: 300)
            loop.setTimer(slot, afterMilliseconds: 1_000)
            loop.advance(milliseconds: 400)
            loop.turns(1, script)
        }
        #expect(fired == 0)
        #expect(loop.wheel.entryCount <= 4)
        loop.advance(milliseconds: 1_000)
        loop.turns(1, script)
        #expect(fired == 1 && loop.wheel.entryCount == 0)
        #expect(peer.send([1]) == 1)
    }

    @Test func aTimerSetAgainForTheSameTimeOrLaterDoesNotTouchTheWheel() throws {
        let loop = try EventLoop.manual()
        let (slot, end) = try loop.pair(Script())
        let peer = Peer(end)
        for more in 0..<100 as Range<UInt32> {
            for _ in 0..<3 { loop.setTimer(slot, afterMilliseconds: 300 + more * 50) }
        }
        #expect(loop.wheel.entryCount == 1)
        #expect(peer.send([1]) == 1)
    }
}
