@testable import Reactor
import TestSupport
import Testing

/// Who has to go when a peer does not take what is sent to it, and who has not.
@Suite("Slow peers") struct OverflowTests {
    private func options(limit: Int, total: Int = 1 << 30) -> LoopOptions {
        var options = LoopOptions()
        options.backlogBytesMax = limit
        options.backlogs = BacklogLedger(limitBytes: total)
        return options
    }

    private func frame(_ count: Int, _ byte: UInt8 = 7) -> [UInt8] {
        serverFrame([UInt8](repeating: byte, count: count))
    }

    // MARK: The connection's own limit

    @Test func framesBehindOneUnsentByteGoToASocketThatTakesThem() {
        let bench = Bench(connections: 1, options(limit: 1_000))
        let (first, second) = (frame(500), frame(50_000, 8))
        bench.sink.windows[0] = first.count - 1
        bench.outbox.send(first, to: 0)
        bench.flush()
        #expect(bench.table.states[0].backlogCount == 1)
        bench.sink.windows[0] = .max
        bench.outbox.send(second, to: 0)
        bench.flush()
        #expect(bench.sink.received[0] == first + second && bench.overflowed.isEmpty)
        #expect(bench.table.states[0].backlog == nil && bench.table.statistics.backlogBytes == 0)
    }

    @Test func whatTheKernelTakesAtTheLastMomentDoesNotCount() {
        let bench = Bench(connections: 1, options(limit: 1_000))
        bench.outbox.send(frame(5_000), to: 0)
        bench.flush()
        bench.sink.windows[0] = 4_004  // exactly 1,000 are left of frame and header
        bench.outbox.send(frame(10, 8), to: 0)
        bench.flush()
        #expect(bench.overflowed.isEmpty && bench.table.states[0].backlogCount == 1_000 + 12)
        bench.outbox.send(frame(10, 9), to: 0)
        bench.flush()
        #expect(bench.overflowed == [0])
        #expect(bench.table.overflowing.waiting.first?.overflow == Overflow(waitingBytes: 1_012, cause: .connection))
    }

    @Test func theFramesOfTheTurnItselfAreNotHeldAgainstIt() {
        let bench = Bench(connections: 1, options(limit: 1_000))
        bench.outbox.send(frame(900), to: 0)
        bench.flush()
        bench.outbox.send(frame(60_000), to: 0)
        bench.flush()
        #expect(bench.overflowed.isEmpty)
        bench.outbox.send(frame(1), to: 0)
        bench.flush()
        #expect(bench.overflowed == [0])
    }

    @Test func theHandlerMayAllowOneConnectionMore() {
        let bench = Bench(connections: 2, options(limit: 1_000))
        bench.sink.allowances[1] = 20_000
        for _ in 0..<4 {
            for slot in [0, 1] as [UInt32] { bench.outbox.send(frame(5_000), to: slot) }
            bench.flush()
        }
        #expect(bench.overflowed == [0])
        for _ in 0..<2 {
            bench.outbox.send(frame(5_000), to: 1)
            bench.flush()
        }
        #expect(bench.overflowed == [0, 1])
    }

    @Test func anOverflowedConnectionHoldsNoMoreThanTheFrameItHasBegun() {
        let bench = Bench(connections: 1, options(limit: 100_000))
        for _ in 0..<12 {
            bench.sink.windows[0] = bench.outbox.framesTotal == 0 ? 400 : 0
            bench.outbox.send(frame(20_000), to: 0)
            bench.flush()
        }
        #expect(bench.overflowed == [0])
        #expect(bench.table.states[0].backlogCount == 20_004 - 400)
        #expect(bench.table.backlogs.usedBytes < 24_577, "what it held beyond that is free at once")
    }

    // MARK: No memory even for the message that has begun

    @Test func aConnectionThatCannotEvenFinishItsMessageIsResetAndCounted() throws {
        let loop = try EventLoop.manual { $0.backlogs = BacklogLedger(limitBytes: 4_000) }
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        loop.outbox.send(frame(900_000), to: slot)
        loop.turns(2, script)
        #expect(script.closes.map(\.slot) == [slot] && script.closes.map(\.why) == [.tooSlow])
        #expect(script.overflows.isEmpty && loop.statistics.overflowsOfProcess == 1)
        #expect(loop.backlogMemory == 0 && loop.backlogBudget.refusalCount == 1)
        withExtendedLifetime(peer) {}
    }

    // MARK: A backlog that slides

    /// More is appended to a backlog whose beginning has been sent, so that the rest moves to the front; then the connection overflows.
    @Test(
        "after its backlog slid, an overflowing connection still keeps the frame it has begun and no other",
        arguments: 0..<60)
    func slidingBacklog(seed: Int) {
        var random = SeededRandom(seed: seed)
        let bench = Bench(connections: 1, options(limit: 9_000))
        var sent: [[UInt8]] = []
        var slides = 0
        for round in 0..<1_000 {
            if !bench.overflowed.isEmpty { break }
            // Mostly caught up, never quite, and in the end not at all.
            let waiting = bench.table.states[0].backlogCount
            bench.sink.windows[0] = round < 60 && waiting > 3_000 ? waiting - .random(in: 1...600, using: &random) : 0
            bench.drain(0)
            let head = bench.table.states[0].backlogHead
            let bytes = serverFrame(
                (0..<Int.random(in: 0...700, using: &random)).map { _ in .random(in: 0...255, using: &random) })
            sent.append(bytes)
            bench.outbox.send(bytes, to: 0)
            bench.flush()
            if head > 0, bench.table.states[0].backlogHead == 0, bench.table.states[0].backlog != nil { slides += 1 }
        }
        #expect(slides > 0, "the test is about sliding")
        let goodbye = serverFrame([0x10, 0x04], opcode: 8)
        bench.append(goodbye, to: 0)
        bench.sink.windows[0] = .max
        bench.drain(0)
        let frames = splitFrames(bench.sink.received[0])
        #expect(frames?.last == goodbye)
        #expect(frames?.dropLast().elementsEqual(sent.prefix((frames?.count ?? 1) - 1)) == true)
        #expect(bench.table.statistics.backlogBytes == 0)
    }

    // MARK: Answers

    @Test func answersAreUnsentUntilTheKernelHasTakenTheLastOfThemWhateverComesBehind() throws {
        let loop = try EventLoop.manual { $0.backlogBytesMax = 1 << 30 }
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        loop.outbox.send(frame(400_000), to: slot)
        loop.turns(1, script)
        #expect(loop.backlogBytes(slot) > 0 && !loop.hasUnsentAnswers(slot), "nothing was asked")
        loop.outbox.send(frame(1_000, 1), to: slot)
        loop.markAnswered(slot)
        #expect(loop.hasUnsentAnswers(slot))
        loop.turns(1, script)
        let mark = loop.backlogBytes(slot)
        var before = loop.drainedBytes(slot)
        var taken = 0
        while loop.hasUnsentAnswers(slot) {
            loop.outbox.send(frame(40_000, 2), to: slot)
            peer.read(20_000)
            loop.turns(1, script)
            taken += Int(loop.drainedBytes(slot) &- before)
            before = loop.drainedBytes(slot)
            #expect(loop.hasUnsentAnswers(slot) == (taken < mark))
            if loop.hasUnsentAnswers(slot) { #expect(script.caughtUp.isEmpty) }
            try #require(taken <= mark + 500_000)
        }
        loop.turns(1, script)
        #expect(script.caughtUp == [slot], "told once")
        #expect(loop.backlogBytes(slot) > 0, "it never caught up")
    }

    // MARK: Telling the handler

    @Test func whenManyOverflowAtOnceEachTurnTellsOfAFewAndTheLoopStaysAwake() throws {
        let loop = try EventLoop.manual {
            $0.overflowsPerTurn = 8
            $0.backlogBytesMax = 1_000
        }
        let script = Script()
        let goodbye = serverFrame([0x10, 0x04], opcode: 8)
        script.onOverflow = { slot in goodbye.withUnsafeBytes { loop.finishWithFrame(slot, $0) } }
        let pairs = try (0..<20).map { _ in try loop.pair(script) }
        let slots = pairs.map(\.slot)
        let peers = pairs.map { Peer($0.peer) }
        func publish(_ bytes: Int) {
            let index = frame(bytes).withUnsafeBytes { loop.outbox.frame($0) }
            slots.withUnsafeBufferPointer { loop.outbox.queue(index, to: $0) }
        }
        publish(900_000)
        loop.turns(1, script)
        publish(10)
        var mayWait = loop.runTurn(script, mayWait: false)
        #expect(script.overflows.count == 8 && !mayWait)
        #expect(loop.statistics.overflows == 20)
        #expect(slots.allSatisfy { loop.backlogBytes($0) <= 900_010 }, "no frame of this turn was taken")
        mayWait = loop.runTurn(script, mayWait: false)
        #expect(script.overflows.count == 16 && !mayWait)
        loop.abort(slots[19])
        loop.turns(1, script)
        #expect(Set(script.overflows) == Set(slots.dropLast()) && script.overflows.count == 19, "not of who is gone")
        #expect(loop.runTurn(script, mayWait: false))
        for peer in peers.dropLast() {
            while !peer.sawEnd {
                peer.read(100_000)
                loop.turns(1, script)
            }
            #expect(splitFrames(peer.received)?.last == goodbye)
        }
    }

    @Test func aResponseThatCannotBeShortenedIsResetWhenMemoryIsShort() throws {
        let loop = try EventLoop.manual { $0.backlogs = BacklogLedger(limitBytes: 900_000) }
        let script = Script()
        let (slot, end) = try loop.pair(script)
        let (other, otherEnd) = try loop.pair(script)
        let peers = [Peer(end), Peer(otherEnd)]
        let body = [UInt8](repeating: 65, count: 900_000)
        loop.outbox.send(Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + body, to: slot)
        loop.turns(1, script)
        peers[0].read(100_000)
        loop.turns(1, script)
        #expect(script.closes.isEmpty)
        loop.outbox.send(frame(400_000), to: other)
        loop.turns(2, script)
        #expect(
            script.closes.map(\.slot) == [slot] && script.closes.map(\.why) == [.tooSlow] && script.overflows.isEmpty)
        #expect(loop.backlogBytes(other) > 0)
    }
}
