@testable import Reactor
import TestSupport
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

    /// A timer moved earlier leaves the bucket it was in.
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
        #expect(loop.wheel.entryCount == 1)
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

    /// A million that come and go within their 75 seconds would else be a million entries.
    @Test func theWheelIsAsLargeAsTheSlabHoweverManyComeAndGo() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var fired: [UInt32] = []
        script.onTimer = { fired.append($0) }
        for number in 0..<300 as Range<UInt32> {
            let (slot, end) = try loop.pair(script)
            loop.setTimer(slot, afterMilliseconds: [75_000, 8_000, 120_000][Int(number % 3)])
            hangUp(end)
            loop.abort(slot)
            loop.advance(milliseconds: 20)
            loop.turns(2, script)
        }
        #expect(loop.slotCount <= 2 && loop.wheel.entryCount <= loop.slotCount)
        // Whoever has the slot next is served by what another has filed, at his own time.
        let (slot, end) = try loop.pair(script)
        loop.setTimer(slot, afterMilliseconds: 1_000)
        loop.advance(milliseconds: 900)
        loop.turns(1, script)
        #expect(fired.isEmpty)
        loop.advance(milliseconds: 200)
        loop.turns(1, script)
        #expect(fired == [slot])
        hangUp(end)
        loop.abort(slot)
        loop.turns(2, script)
        for _ in 0..<3 {
            loop.advance(milliseconds: 200_000)
            loop.turns(1, script)
        }
        #expect(loop.wheel.entryCount == 0 && fired.count == 1)
    }

    @Test func theWheelShrinksWithTheSlab() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var fired: [UInt32] = []
        script.onTimer = { fired.append($0) }
        let pairs = try (0..<1_100).map { _ in try loop.pair(script) }
        for (slot, _) in pairs { loop.setTimer(slot, afterMilliseconds: 75_000 + slot * 10) }
        #expect(loop.wheel.entryCount == 1_100)
        for (slot, end) in pairs[3...] {
            loop.abort(slot)
            hangUp(end)
        }
        for _ in 0..<3 {
            loop.advance(milliseconds: 100)
            loop.turns(1, script)
        }
        #expect(loop.slotCount == 3 && loop.wheel.entryCount == 3)
        let again = try (0..<20).map { _ in try loop.pair(script) }
        for (slot, _) in again { loop.setTimer(slot, afterMilliseconds: 500) }
        loop.advance(milliseconds: 600)
        loop.turns(3, script)
        #expect(fired == again.map(\.slot))
        loop.advance(milliseconds: 75_000)
        loop.turns(3, script)
        #expect(fired.suffix(3) == [0, 1, 2] && loop.wheel.entryCount == 0)
        for (_, end) in pairs[..<3] + again { hangUp(end) }
    }

    /// Against the plainest model: a deadline for each slot.
    @Test(arguments: [1, 2, 3] as [UInt64]) func randomTimersGoOffOnceAndInTime(seed: UInt64) throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var random = SeededRandom(seed: seed)
        var (now, deadlines, ends) = (0, [UInt32: Int](), [UInt32: CInt]())
        script.onTimer = { slot in
            guard let deadline = deadlines.removeValue(forKey: slot) else {
                Issue.record("\(slot) has no timer (seed \(seed))")
                return
            }
            #expect(now >= deadline, "slot \(slot) at \(now), seed \(seed)")
        }
        for _ in 0..<3_000 {
            switch random.next() % 8 {
            case 0 where ends.count < 40:
                let (slot, end) = try loop.pair(script)
                ends[slot] = end
            case 1:
                guard let slot = ends.keys.sorted().randomElement(using: &random) else { break }
                loop.abort(slot)
                deadlines[slot] = nil
                ends.removeValue(forKey: slot).map(hangUp)
                loop.turns(2, script)
            case 2...5:
                guard let slot = ends.keys.sorted().randomElement(using: &random) else { break }
                let milliseconds = Int(random.next() % (random.next() % 9 == 0 ? 300_000 : 3_000))
                loop.setTimer(slot, afterMilliseconds: UInt32(milliseconds))
                deadlines[slot] = now + milliseconds
            default:
                let milliseconds = Int(random.next() % (random.next() % 50 == 0 ? 90_000 : 400))
                now += milliseconds
                loop.advance(milliseconds: UInt64(milliseconds))
                loop.turns(1, script)
                let late = deadlines.filter { $0.value <= now - 100 }
                #expect(late.isEmpty, "at \(now), seed \(seed)")
                #expect(loop.wheel.entryCount <= loop.slotCount)
            }
        }
        ends.values.forEach(hangUp)
    }
}
