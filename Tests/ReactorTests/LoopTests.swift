internal import CLinux
internal import Glibc
@testable import Reactor
import TestSupport
import Testing

@Suite("Event loop on socketpairs") struct LoopTests {
    @Test("back-pressure at any peer speed delivers everything in order", arguments: 0..<20)
    func anySpeed(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let loop = try EventLoop.manual { $0.backlogBytesMax = .max / 2 }
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        var expected: [UInt8] = []
        for turn in 0..<120 {
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let frame = serverFrame([UInt8](repeating: UInt8(turn), count: .random(in: 0...20_000, using: &random)))
                expected += frame
                loop.outbox.send(frame, to: slot)
            }
            loop.turns(1, script)
            peer.read(Int.random(in: 0...(seed == 0 ? 2_000 : 60_000), using: &random))
        }
        while peer.received.count < expected.count {
            let before = peer.received.count
            peer.read(200_000)
            loop.turns(1, script)
            try #require(peer.received.count > before || loop.backlogBytes(slot) > 0)
        }
        #expect(peer.received == expected)
        #expect(loop.statistics.backlogBytes == 0)
        #expect(seed > 0 || loop.statistics.shortWrites > 0)
    }

    @Test func aPeerThatDoesNotReadOverflowsOnceAndIsToldWhy() throws {
        let loop = try EventLoop.manual { $0.backlogBytesMax = 64 * 1_024 }
        let script = Script()
        let goodbye = serverFrame([0x10, 0x04], opcode: 8)
        script.onOverflow = { slot in goodbye.withUnsafeBytes { loop.finishWithFrame(slot, $0) } }
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        for _ in 0..<1_000 {
            loop.outbox.send(serverFrame([UInt8](repeating: 9, count: 3_000)), to: slot)
            loop.turns(1, script)
        }
        #expect(script.overflows == [slot])
        #expect(loop.backlogBytes(slot) < 4_000)
        while !peer.sawEnd {
            peer.read(100_000)
            loop.turns(1, script)
        }
        #expect(splitFrames(peer.received)?.last == goodbye)
        peer.close()
        loop.turns(2, script)
        #expect(script.closes.map(\.why) == [.local])
    }

    @Test func whenManyAreGoneAtOnceATurnClosesAFewAndTheNextGoesOnWithTheRest() throws {
        let loop = try EventLoop.manual { $0.closesPerTurn = 8 }
        let script = Script()
        let pairs = try (0..<50).map { _ in try loop.pair(script) }
        // Input that nobody has read makes the close of this end a reset.
        for pair in pairs { loop.outbox.send([1, 2, 3], to: pair.slot) }
        loop.turns(1, script)
        var turnsWithoutMore = 0
        for pair in pairs { Peer(pair.peer).close() }
        for turn in 0..<7 {
            let before = script.closes.count
            let mayWait = loop.runTurn(script, mayWait: false)
            #expect(script.closes.count - before == (turn < 6 ? 8 : 2), "turn \(turn)")
            if mayWait { turnsWithoutMore += 1 }
        }
        #expect(Set(script.closes.map(\.slot)) == Set(pairs.map(\.slot)) && script.closes.count == 50)
        #expect(turnsWithoutMore <= 1, "what is left of a batch does not wait for an event")
    }

    @Test func whenManyAskAtOnceATurnAnswersAFewAndNobodyIsAskedTwiceBeforeTheRest() throws {
        let loop = try EventLoop.manual { $0.answersPerTurn = 8 }
        let script = Script()
        let pairs = try (0..<50).map { _ in try loop.pair(script) }
        let peers = pairs.map { Peer($0.peer) }
        var (asked, thisTurn): ([UInt32: Int], Int) = ([:], 0)
        script.onReceived = { slot, bytes in
            asked[slot, default: 0] += 1
            thisTurn += 1
            loop.outbox.send([9, 9], to: slot)
            return bytes.count
        }
        for peer in peers { _ = peer.send([1]) }
        for turn in 0..<7 {
            thisTurn = 0
            let mayWait = loop.runTurn(script, mayWait: false)
            #expect(thisTurn == (turn < 6 ? 8 : 2), "turn \(turn)")
            #expect(mayWait == (turn == 6))
            // Those who were answered ask again at once.
            for (pair, peer) in zip(pairs, peers) where asked[pair.slot] == 1 { _ = peer.send([1]) }
        }
        #expect(asked.count == 50 && asked.values.allSatisfy { $0 == 1 })
    }

    @Test func theLongestTurnIsRememberedUntilItIsAskedFor() {
        var timings = LoopTimings()
        func time(_ microseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: microseconds * 1_000) }
        timings.beginTurn(at: time(4))
        timings.endTurn(at: time(10), isFlushed: true)
        timings.endTurn(at: time(500), isFlushed: true)
        #expect(timings.takeLongestTurn() == 6_000, "sleep is no part of a turn")
        timings.beginTurn(at: time(500))
        timings.endTurn(at: time(502), isFlushed: true)
        #expect(timings.takeLongestTurn() == 2_000)
        #expect(timings.takeLongestTurn() == 0)
    }

    @Test func whenManyLeaveAtOnceEachTurnTakesLeaveOfAFewAndServesTheOthers() throws {
        let loop = try EventLoop.manual { $0.endsPerTurn = 8 }
        let script = Script()
        let pairs = try (0..<50).map { _ in try loop.pair(script) }
        let stayer = try loop.pair(script)
        let peer = Peer(stayer.peer)
        var (left, leftThisTurn, heard): ([UInt32], Int, Int) = ([], 0, 0)
        script.onEnd = { slot in
            left.append(slot)
            leftThisTurn += 1
            loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        }
        script.onReceived = { _, bytes in
            heard += bytes.count
            return bytes.count
        }
        for pair in pairs { Peer(pair.peer).close() }
        for turn in 0..<7 {
            leftThisTurn = 0
            _ = peer.send([1])
            let mayWait = loop.runTurn(script, mayWait: false)
            #expect(leftThisTurn == (turn < 6 ? 8 : 2) && heard == turn + 1, "turn \(turn)")
            #expect(mayWait == (turn == 6), "the loop must not sleep while somebody has to be taken leave of")
        }
        #expect(Set(left) == Set(pairs.map(\.slot)) && left.count == 50)
        #expect(Set(script.closes.map(\.slot)) == Set(left) && loop.connectionCount == 1)
    }

    @Test func whatTheHandlerLeavesComesAgainLongerAndAnIdleConnectionHoldsNoBuffer() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var seen: [[UInt8]] = []
        script.onReceived = { _, bytes in
            seen.append(Array(bytes))
            return bytes.count < 6 ? 0 : 6
        }
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        for piece in [[1, 2], [3], [4, 5, 6, 7], [8, 9, 10, 11, 12]] as [[UInt8]] {
            _ = peer.send(piece)
            loop.turns(1, script)
        }
        #expect(seen == [[1, 2], [1, 2, 3], [1, 2, 3, 4, 5, 6, 7], [7, 8, 9, 10, 11, 12]])
        #expect(loop.state(slot).input == nil)
        #expect(loop.statistics.inputBytes == 0)
    }

    @Test func inputBeyondTheLimitClosesTheConnection() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        script.onReceived = { _, _ in 0 }
        let (slot, end) = try loop.pair(script)
        loop.inputLimit(slot, bytes: 1_000)
        let peer = Peer(end)
        _ = peer.send([UInt8](repeating: 1, count: 1_000))
        loop.turns(2, script)
        #expect(script.closes.isEmpty)
        _ = peer.send([1])
        loop.turns(2, script)
        #expect(script.closes.map(\.why) == [.overflow])
        #expect(loop.statistics.inputBytes == 0)
    }

    @Test func anEventForAConnectionClosedInTheSameBatchIsStale() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (first, firstEnd) = try loop.pair(script)
        let (second, secondEnd) = try loop.pair(script)
        let peers = (Peer(firstEnd), Peer(secondEnd))
        var receivers: [UInt32] = []
        script.onReceived = { slot, bytes in
            receivers.append(slot)
            loop.abort(slot == first ? second : first)
            return bytes.count
        }
        _ = peers.0.send([1])
        _ = peers.1.send([1])
        loop.turns(2, script)
        #expect(receivers.count == 1)
        #expect(loop.statistics.staleEvents == 1)
        #expect(script.closes.count == 1)
    }

    @Test func aReusedSlotGetsNothingOfItsPredecessor() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (slot, end) = try loop.pair(script)
        _ = Peer(end)
        loop.setTimer(slot, after: 500_000_000)
        loop.outbox.send([1], to: slot)
        loop.abort(slot)
        loop.outbox.send([2], to: slot)
        script.onClosed = { slot, _ in loop.outbox.send([3], to: slot) }
        loop.turns(1, script)
        loop.outbox.send([4], to: slot)
        loop.turns(1, script)
        let (again, nextEnd) = try loop.pair(script)
        let peer = Peer(nextEnd)
        #expect(again == slot)
        var fired = 0
        script.onTimer = { _ in fired += 1 }
        loop.advance(milliseconds: 1_000)
        loop.outbox.send([9], to: again)
        loop.turns(2, script)
        peer.read(10)
        #expect(peer.received == [9])
        #expect(fired == 0)
    }

    @Test func finishSendsWhatIsQueuedThenWaitsForThePeersEnd() throws {
        let loop = try EventLoop.manual { $0.backlogBytesMax = .max / 2 }
        let script = Script()
        script.onReceived = { _, _ in
            Issue.record("input after finish must be discarded")
            return 0
        }
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        let body = [UInt8](repeating: 5, count: 900_000)
        loop.outbox.send(body, to: slot)
        loop.finish(slot, lingerNanoseconds: 5_000_000_000)
        loop.outbox.send([6], to: slot)
        _ = peer.send([1, 2, 3])
        while !peer.sawEnd {
            peer.read(50_000)
            loop.turns(1, script)
        }
        #expect(peer.received == body)
        #expect(script.closes.isEmpty)
        peer.close()
        loop.turns(2, script)
        #expect(script.closes.map(\.why) == [.local])
    }

    @Test func aPeerThatNeverClosesIsCutAfterTheLingerTime() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        loop.setTimer(slot, after: 60_000_000_000)  // must not prolong the linger time
        loop.advance(milliseconds: 900)
        loop.turns(2, script)
        #expect(script.closes.isEmpty)
        loop.advance(milliseconds: 200)
        loop.turns(2, script)
        #expect(script.closes.map(\.why) == [.timeout])
        _ = peer.send([1])
    }

    @Test func aHalfClosedPeerStillGetsItsAnswer() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        script.onEnd = { slot in
            loop.outbox.send([7, 7], to: slot)
            loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        }
        let (_, end) = try loop.pair(script)
        let peer = Peer(end)
        peer.shutDown()
        loop.turns(3, script)
        peer.read(10)
        peer.read(10)
        #expect(peer.received == [7, 7])
        #expect(peer.sawEnd)
        #expect(script.closes.map(\.why) == [.local])
    }

    @Test func aPausedConnectionIsNotReadAndItsRestIsReplayed() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var seen: [Int] = []
        script.onReceived = { slot, bytes in
            seen.append(bytes.count)
            if seen.count == 1 {
                loop.pauseReading(slot)
                return 0
            }
            return bytes.count
        }
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        _ = peer.send([1, 2, 3])
        loop.turns(3, script)
        #expect(seen == [3])
        loop.resumeReading(slot)
        loop.turns(2, script)
        #expect(seen == [3, 3])
        loop.pauseReading(slot)
        _ = peer.send([4])
        loop.turns(3, script)
        #expect(seen == [3, 3])
        loop.resumeReading(slot)
        loop.turns(2, script)
        #expect(seen == [3, 3, 1])
    }

    @Test func closedIsNeverCalledFromInsideACall() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var isInside = false
        script.onClosed = { _, _ in #expect(!isInside) }
        script.onReceived = { slot, bytes in
            isInside = true
            loop.abort(slot)
            bytes[0] = 1  // still ours to touch
            isInside = false
            return bytes.count
        }
        let (_, end) = try loop.pair(script)
        let peer = Peer(end)
        _ = peer.send([1, 2])
        loop.turns(2, script)
        #expect(script.closes.map(\.why) == [.local])
        #expect(loop.connectionCount == 0)
    }

    @Test("a timer is never early and at most a step late", arguments: [1, 99, 100, 101, 5_000, 250_000, 500_000])
    func timers(milliseconds: Int) throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        var waited: UInt64 = 0
        var firedAt: UInt64?
        script.onTimer = { _ in firedAt = waited }
        loop.setTimer(slot, after: 400_000_000_000)
        loop.setTimer(slot, after: UInt64(milliseconds) * 1_000_000)
        while firedAt == nil && waited < 600_000 {
            waited += 50
            loop.advance(milliseconds: 50)
            loop.turns(1, script)
        }
        let fired = try #require(firedAt)
        #expect(fired >= UInt64(milliseconds) && fired <= UInt64(milliseconds) + 150)
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

    @Test func ourFinComesAfterTheFramesOfTheTurnAlthoughTheBacklogIsTakenBefore() throws {
        let loop = try EventLoop.manual { $0.backlogBytesMax = 1 << 30 }
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        let (first, last) = (serverFrame([UInt8](repeating: 1, count: 500_000)), serverFrame([2]))
        loop.outbox.send(first, to: slot)
        loop.turns(1, script)
        #expect(loop.backlogBytes(slot) > 0)
        loop.outbox.send(last, to: slot)
        loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        while loop.backlogBytes(slot) > 0 {
            peer.read(1_000_000)
            loop.writable(slot, script)
        }
        peer.read(1_000_000)
        peer.read(1_000_000)
        #expect(peer.received == first && !peer.sawEnd, "the last frame is still to come")
        loop.turns(1, script)
        peer.read(1_000_000)
        peer.read(1)
        #expect(peer.received == first + last && peer.sawEnd)
    }

    @Test func theLoopTellsTheTableTheTimeSoThatABacklogThatDoesNotMoveIsKnown() throws {
        let loop = try EventLoop.manual { $0.backlogBytesMax = 1 << 30 }
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        loop.outbox.send(serverFrame([UInt8](repeating: 1, count: 900_000)), to: slot)
        loop.turns(1, script)
        for tick in 1...6 {
            #expect(loop.isStalled(slot) == (tick > 5))
            loop.advance(milliseconds: 100)
            loop.turns(1, script)
        }
        peer.read(300_000)
        loop.turns(1, script)
        #expect(!loop.isStalled(slot), "it has moved")
    }
}
