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
        #expect(loop.sees(CInt(POLLERR), of: pairs.map(\.slot)))
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

    /// A loop for which every turn has taken long enough whenever it looks, and connections of it.
    private func hurried(
        _ count: Int, _ script: Script, _ change: (inout LoopOptions) -> Void
    ) throws -> (loop: EventLoop, slots: [UInt32], peers: [Peer]) {
        var options = LoopOptions()
        options.serveNanoseconds = 0
        change(&options)
        let loop = try EventLoop(options)
        let pairs = try (0..<count).map { _ in try loop.pair(script) }
        return (loop, pairs.map(\.slot), pairs.map { Peer($0.peer) })
    }

    @Test(
        "a turn that has served long enough leaves the rest of its events",
        arguments: [(8, 1_000, 0, 8), (1_000, 10, 0, 3), (1_000, 1_000, 400, 3)])
    func events(eventsPerLook: Int, bytesPerLook: UInt64, answerBytes: Int, served: Int) throws {
        let script = Script()
        let (loop, slots, peers) = try hurried(50, script) {
            ($0.eventsPerLook, $0.bytesPerLook) = (eventsPerLook, bytesPerLook)
        }
        var heard: [UInt32] = []
        script.onReceived = { slot, bytes in
            heard.append(slot)
            if answerBytes > 0 { loop.outbox.send([UInt8](repeating: 1, count: answerBytes), to: slot) }
            return bytes.count
        }
        for peer in peers { _ = peer.send([1, 2, 3, 4]) }
        while heard.count + served <= 50 {
            let before = heard.count
            #expect(!loop.runTurn(script, mayWait: false) || heard.count == 50)
            #expect(heard.count - before == served)
        }
        loop.turns(1, script)
        #expect(heard.count == 50 && Set(heard) == Set(slots))
    }

    @Test(
        "a turn serves as long as the sends of the last one took, and four times the least at most",
        arguments: [(1, 100_000), (20, 100_000), (26, 104_000), (60, 240_000), (120, 400_000)] as [(Int, UInt64)])
    func serving(hearers: Int, nanoseconds: UInt64) throws {
        let script = Script()
        let (loop, slots, peers) = try hurried(hearers, script) { $0.serveNanoseconds = 100_000 }
        #expect(loop.serveNanoseconds == 100_000)
        for slot in slots { loop.outbox.send([1, 2, 3], to: slot) }
        loop.turns(1, script)
        #expect(loop.serveNanoseconds == nanoseconds)
        loop.outbox.send([1, 2, 3], to: slots[0])
        loop.turns(1, script)
        #expect(loop.serveNanoseconds == 100_000)
        for peer in peers { peer.close() }
    }

    @Test func inputsThatWereLeftAreHandedOverInSeveralTurns() throws {
        let script = Script()
        let (loop, slots, peers) = try hurried(30, script) { _ in }
        var taken: [UInt32] = []
        script.onReceived = { slot, _ in
            loop.pauseReading(slot)
            return 0
        }
        for peer in peers { _ = peer.send([1]) }
        while !slots.allSatisfy({ loop.state($0).flags.contains(.readPaused) }) { loop.turns(1, script) }
        script.onReceived = { slot, bytes in
            taken.append(slot)
            return bytes.count
        }
        for slot in slots { loop.resumeReading(slot) }
        var turns = 0
        while taken.count < 30, turns < 100 {
            let before = taken.count
            loop.turns(1, script)
            #expect(taken.count - before <= 7)
            turns += 1
        }
        #expect(taken == slots && turns == 5)
    }

    @Test func timersThatAreDueAtOnceGoOffInSeveralTurns() throws {
        let script = Script()
        let (loop, slots, peers) = try hurried(50, script) { _ in }
        var fired: [UInt32] = []
        script.onTimer = { slot in
            // Whoever waits to go off may be given more time.
            if fired.isEmpty { for late in slots[40...] { loop.setTimer(late, afterMilliseconds: 60_000) } }
            fired.append(slot)
        }
        for slot in slots { loop.setTimer(slot, afterMilliseconds: 0) }
        #expect(loop.turns(script) { !fired.isEmpty })
        #expect(fired.count == 16)
        #expect(loop.turns(script) { !loop.wheel.hasDue })
        #expect(fired.sorted() == Array(slots[..<40]) && peers.count == 50)
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
        #expect(loop.sees(CInt(POLLHUP), of: pairs.map(\.slot)))
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
        loop.setTimer(slot, afterMilliseconds: 500)
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

    @Test func aConnectionIsClosedOnceAndForTheFirstReason() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let pair = try loop.pair(script)
        loop.close(pair.slot, .timeout)
        loop.close(pair.slot, .reset)
        loop.turns(2, script)
        #expect(script.closes.map(\.why) == [.timeout] && loop.connectionCount == 0 && loop.statistics.closed == 1)
        Peer(pair.peer).close()
    }
}
