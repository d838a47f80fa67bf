@testable import Reactor
import TestSupport
import Testing

/// A turn that touches many connections is flushed in slices, and others are served between.
@Suite("Flushing in slices") struct SlicedFlushTests {
    private let script = Script()

    private func frame(_ byte: UInt8, _ count: Int = 5) -> [UInt8] {
        serverFrame([UInt8](repeating: byte, count: count))
    }

    private func fanOut(_ bytes: [UInt8], _ loop: EventLoop, to slots: [UInt32]) {
        let index = bytes.withUnsafeBytes { loop.outbox.frame($0) }
        slots.withUnsafeBufferPointer { loop.outbox.queue(index, to: $0) }
    }

    /// How many have received something by now.
    private func reached(_ peers: [Peer]) -> Int {
        for peer in peers { peer.read(100_000) }
        return peers.filter { !$0.received.isEmpty }.count
    }

    @Test func answersTimersAndNewcomersAreServedBetweenSlices() throws {
        let loop = try EventLoop.manual { $0.sendsPerTurn = 8 }
        let pairs = try (0..<100).map { _ in try loop.pair(script) }
        let caller = try loop.pair(script)
        let (peers, asking) = (pairs.map { Peer($0.peer) }, Peer(caller.peer))
        script.onReceived = { slot, bytes in
            loop.outbox.send([9, 9], to: slot)
            return bytes.count
        }
        var fired: [UInt32] = []
        script.onTimer = { fired.append($0) }
        loop.setTimer(pairs[99].slot, afterMilliseconds: 100)
        fanOut(frame(1), loop, to: pairs.map(\.slot))
        #expect(!loop.runTurn(script, mayWait: false), "the rest does not wait for an event")
        #expect(reached(peers) == 8 && loop.outbox.isFlushing)
        #expect(asking.send([1]) == 1)
        loop.advance(milliseconds: 200)
        _ = loop.runTurn(script, mayWait: false)
        asking.read(10)
        #expect(asking.received == [9, 9], "answered in its own turn")
        #expect(fired == [pairs[99].slot])
        #expect(reached(peers) == 8 + 8 + 4 - 1, "an event is worth four sends, and its answer was one")
        let newcomer = try loop.pair(script)  // one turn
        #expect(loop.state(newcomer.slot).isOpen())
        var turns = 0
        while !loop.runTurn(script, mayWait: false) { turns += 1 }
        #expect(turns <= 100 / 8 && reached(peers) == 100 && !loop.outbox.isFlushing)
        #expect(peers.allSatisfy { $0.received == frame(1) })
        #expect(loop.arenaCount == 0, "the arena is forgotten after the last slice")
        Peer(newcomer.peer).close()
    }

    /// Deliveries and answers to anybody at any time, connections that finish, are cut off and are replaced under the same number.
    @Test(
        "whatever happens between slices, everybody gets exactly what was queued for him, in order", arguments: 0..<40)
    func model(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let loop = try EventLoop.manual {
            $0.sendsPerTurn = 4
            $0.backlogBytesMax = 1 << 30
            $0.arenaBytesSoftMax = 3_000
        }
        struct Client {
            let slot: UInt32, peer: Peer
            var expected: [UInt8] = []
            var isFinished = false
        }
        var clients: [Client] = [], finished: [Client] = []
        func join() throws {
            let pair = try loop.pair(script)
            clients.append(Client(slot: pair.slot, peer: Peer(pair.peer)))
        }
        for _ in 0..<30 { try join() }
        var unfinished = 0
        for turn in 0..<150 {
            let byte = UInt8(truncatingIfNeeded: turn)
            if !loop.outbox.isFlushing || random.oneIn(4) {
                let bytes = frame(byte, random.int(0...200))
                let chosen = clients.indices.filter { _ in !random.oneIn(3) }
                fanOut(bytes, loop, to: chosen.map { clients[$0].slot })
                for index in chosen { clients[index].expected += bytes }
            }
            for index in clients.indices where random.oneIn(12) {
                let bytes = frame(byte &+ 128, random.int(0...50))
                loop.outbox.send(bytes, to: clients[index].slot)
                clients[index].expected += bytes
            }
            if random.oneIn(3) {
                let client = clients.remove(at: random.int(0...clients.count - 1))
                if random.oneIn(2) {
                    loop.finish(client.slot, lingerNanoseconds: 1_000_000_000)
                    finished.append(client)
                } else {
                    loop.abort(client.slot)
                    client.peer.close()
                }
                try join()
            }
            loop.turns(1, script)
            if loop.outbox.isFlushing { unfinished += 1 }
            for client in clients where random.oneIn(2) { client.peer.read(10_000) }
        }
        #expect(unfinished > 20, "the test is about slices")
        while !loop.runTurn(script, mayWait: false) {}
        for client in clients + finished {
            for _ in 0..<3 { client.peer.read(1_000_000) }
            #expect(client.peer.received == client.expected, "seed \(seed)")
        }
        for client in finished { #expect(client.peer.sawEnd, "seed \(seed)") }
    }

    @Test func aNumberIsNotUsedAgainWhileFramesOfItsFormerConnectionWait() throws {
        let loop = try EventLoop.manual { $0.sendsPerTurn = 4 }
        let pairs = try (0..<20).map { _ in try loop.pair(script) }
        let last = pairs[19]
        fanOut(frame(1), loop, to: pairs.map(\.slot))
        loop.turns(1, script)
        loop.abort(last.slot)
        loop.turns(2, script)  // its number rests after the first, and would be free after the second
        let next = try loop.pair(script)  // a turn more
        #expect(loop.outbox.isFlushing && next.slot != last.slot)
        loop.outbox.send([7], to: next.slot)
        loop.finish(next.slot, lingerNanoseconds: 1_000_000_000)
        while loop.outbox.isFlushing { loop.turns(1, script) }
        let peer = Peer(next.peer)
        peer.read(100)
        peer.read(100)
        #expect(peer.received == [7] && peer.sawEnd)
        loop.turns(2, script)
        let again = try loop.pair(script)
        #expect(again.slot == last.slot, "then it is")
        Peer(again.peer).close()
        for pair in pairs { Peer(pair.peer).close() }
    }

    @Test func theArenaHoldsOneTurnsFramesAndABoundedAmountOfAnswers() throws {
        let loop = try EventLoop.manual {
            $0.sendsPerTurn = 4
            $0.arenaBytesSoftMax = 10_000
        }
        let pairs = try (0..<200).map { _ in try loop.pair(script) }
        let caller = try loop.pair(script)
        let (peers, asking) = (pairs.map { Peer($0.peer) }, Peer(caller.peer))
        defer { script.onReceived = { $1.count } }  // it holds the suite, which holds the script
        script.onReceived = { slot, bytes in
            for _ in bytes { loop.outbox.send(frame(9, 3_000), to: slot) }
            return bytes.count
        }
        fanOut(frame(1, 4_000), loop, to: pairs.map(\.slot))
        var (most, turns) = (0, 0)
        repeat {
            _ = asking.send([1])
            loop.turns(1, script)
            asking.read(100_000)
            most = max(most, loop.arenaCount)
            turns += 1
            #expect(reached(peers) <= 8 * turns, "a slice is a slice, however much is answered")
        } while loop.outbox.isFlushing
        #expect(most > 7_008 && most <= 7_008 + 10_000 + 3_004)
        #expect(turns > 20)
        #expect(asking.received.count < turns * 3_000, "whoever comes when the arena is full waits for the last slice")
        #expect(reached(peers) == 200)
        let isServed = loop.turns(script) {
            asking.read(1_000_000)
            return asking.received.count == turns * 3_004
        }
        #expect(isServed, "and is served then")
    }

    @Test func afterTheLastSliceTheBytesOfATurnAreCountedFromNothing() throws {
        let loop = try EventLoop.manual { $0.sendsPerTurn = 4 }
        let pairs = try (0..<20).map { _ in try loop.pair(script) }
        fanOut(frame(1, 4_000), loop, to: pairs.map(\.slot))
        while !loop.runTurn(script, mayWait: false) {}
        #expect(!loop.outbox.isFlushing && loop.outbox.bytesThisTurn == 0)
        fanOut(frame(2), loop, to: [pairs[0].slot])
        #expect(loop.outbox.bytesThisTurn == frame(2).count)
        loop.turns(1, script)
        for pair in pairs { Peer(pair.peer).close() }
    }

    @Test func aSliceEndsEarlyWhenMuchWasCopied() throws {
        let loop = try EventLoop.manual { $0.sendsPerTurn = 64 }
        let pairs = try (0..<64).map { _ in try loop.pair(script) }
        fanOut(frame(1, 1 << 20), loop, to: pairs.map(\.slot))
        // Part of each message is sent, and counts twice: eight of them are more than 8 MiB.
        for turn in 1...8 {
            loop.turns(1, script)
            #expect(loop.statistics.flushedConnections == UInt64(8 * turn), "turn \(turn)")
            #expect(loop.outbox.isFlushing == (turn < 8), "turn \(turn)")
        }
        for pair in pairs { Peer(pair.peer).close() }
    }

    @Test func whoWasAnsweredBehindAWaitingFrameHearsWhenTheAnswerIsTaken() throws {
        let loop = try EventLoop.manual { $0.sendsPerTurn = 4 }
        let pairs = try (0..<20).map { _ in try loop.pair(script) }
        let last = pairs[19]
        fanOut(frame(1), loop, to: pairs.map(\.slot))
        loop.turns(1, script)
        loop.outbox.send([7], to: last.slot)
        loop.markAnswered(last.slot)
        loop.turns(1, script)
        #expect(loop.hasUnsentAnswers(last.slot) && script.caughtUp.isEmpty)
        loop.outbox.send([8], to: pairs[0].slot)  // flushed already: answered at once, and nobody waits
        loop.markAnswered(pairs[0].slot)
        loop.turns(1, script)
        #expect(!loop.hasUnsentAnswers(pairs[0].slot))
        while !loop.runTurn(script, mayWait: false) {}
        #expect(script.caughtUp == [last.slot] && !loop.hasUnsentAnswers(last.slot))
        let peer = Peer(last.peer)
        peer.read(100)
        #expect(peer.received == frame(1) + [7])
        for pair in pairs[..<19] { Peer(pair.peer).close() }
    }

    @Test func aLoopThatIsStoppedSendsWhatWaits() throws {
        let loop = try EventLoop.manual { $0.sendsPerTurn = 4 }
        let pairs = try (0..<50).map { _ in try loop.pair(script) }
        let peers = pairs.map { Peer($0.peer) }
        var isQueued = false
        defer { script.onTurn = { false } }  // it holds the suite, which holds the script
        script.onTurn = {
            if !isQueued { fanOut(frame(1), loop, to: pairs.map(\.slot)) }
            isQueued = true
            loop.stop()
            return false
        }
        loop.run(script)
        #expect(reached(peers) == 50)
    }

    @Test func howeverMuchIsAnsweredTheRestOfAFanOutMovesOn() throws {
        let loop = try EventLoop.manual { $0.sendsPerTurn = 8 }
        let pairs = try (0..<60).map { _ in try loop.pair(script) }
        let peers = pairs.map { Peer($0.peer) }
        fanOut(frame(1), loop, to: pairs[20...].map(\.slot))
        loop.turns(1, script)
        #expect(reached(Array(peers[20...])) == 8)
        for turn in 1...4 {
            for pair in pairs[..<20] { loop.outbox.send(frame(2), to: pair.slot) }
            loop.turns(1, script)
            #expect(reached(Array(peers[20...])) == 8 + turn * 2, "a quarter of a turn's sends")
        }
    }

    @Test func aSliceEndsEarlyAlsoWhenTheKernelTakesNothingOfIt() throws {
        let loop = try EventLoop.manual {
            $0.sendsPerTurn = 64
            $0.backlogs = BacklogLedger(limitBytes: 1 << 30)
        }
        let pairs = try (0..<64).map { _ in try loop.pair(script) }
        fanOut(frame(1, 300_000), loop, to: pairs.map(\.slot))
        while loop.outbox.frameCount > 0 { loop.turns(1, script) }
        let (before, sent) = (loop.statistics.flushedConnections, loop.statistics.bytesOut)
        fanOut(frame(2, 140_000), loop, to: pairs.map(\.slot))
        loop.turns(1, script)
        #expect(loop.statistics.bytesOut == sent, "every socket is full")
        #expect(loop.statistics.flushedConnections == before + 60 && loop.outbox.isFlushing, "8 MiB and a little")
        loop.turns(1, script)
        #expect(!loop.outbox.isFlushing)
        for pair in pairs { Peer(pair.peer).close() }
    }
}
