internal import CLinux
internal import Glibc
@testable import Reactor
import Testing

/// What may happen between reading a peer's FIN and telling the handler.
@Suite("Streams that have ended and wait for their turn") struct EndTests {
    private let script = Script()

    /// So many connections whose peers have closed; one turn has read all their ends, and told the handler of one.
    private func ended(_ count: Int) throws -> (loop: EventLoop, slots: [UInt32], told: () -> [UInt32]) {
        let loop = try EventLoop.manual { ($0.endsPerTurn, $0.closesPerTurn) = (1, 10_000) }
        final class Told { var slots: [UInt32] = [] }
        let told = Told()
        script.onEnd = { slot in
            told.slots.append(slot)
            loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        }
        let pairs = try (0..<count).map { _ in try loop.pair(script) }
        // The low slots, which are used again first, wait longest.
        for pair in pairs.reversed() { Peer(pair.peer).close() }
        #expect(loop.sees(CInt(POLLHUP), of: pairs.map(\.slot)))
        loop.turns(1, script)
        #expect(told.slots.count == 1 && loop.due.ended.count == count - 1)
        return (loop, pairs.map(\.slot), { told.slots })
    }

    @Test func aSlotThatWasClosedAndUsedAgainMeanwhileDoesNotHearOfItsPredecessorsEnd() throws {
        let (loop, slots, told) = try ended(12)
        let waiting = slots.filter { !told().contains($0) }
        for slot in waiting { loop.abort(slot) }
        loop.turns(1, script)
        #expect(script.closes.count == 12)
        let next = try (0..<12).map { _ in try loop.pair(script) }
        #expect(!Set(next.map(\.slot)).isDisjoint(with: waiting), "slots are used again")
        loop.turns(20, script)
        #expect(told().count == 1 && loop.due.ended.isEmpty && loop.connectionCount == 12)
        for pair in next { Peer(pair.peer).close() }
        #expect(loop.turns(script) { loop.connectionCount == 0 })
        #expect(Set(told().dropFirst()) == Set(next.map(\.slot)) && told().count == 13)
    }

    @Test func theSlabMayShrinkWhileEndsOfConnectionsThatAreGoneWait() throws {
        let (loop, slots, told) = try ended(700)
        for slot in slots where !told().contains(slot) { loop.abort(slot) }
        #expect(loop.turns(script, millisecondsEach: 100) { loop.slotCount == 0 })
        #expect(loop.due.ended.count > 600, "they still wait")
        let next = try (0..<3).map { _ in try loop.pair(script) }
        loop.turns(700, script)
        #expect(told().count == 1 && loop.due.ended.isEmpty && loop.connectionCount == 3)
        for pair in next { Peer(pair.peer).close() }
        #expect(loop.turns(script) { loop.connectionCount == 0 })
        #expect(Set(told().dropFirst()) == Set(next.map(\.slot)) && told().count == 4)
    }

    @Test func aConnectionThatTheHandlerFinishedBeforeItsTurnIsClosedOnceAndNotToldOf() throws {
        let (loop, slots, told) = try ended(5)
        let waiting = slots.filter { !told().contains($0) }
        loop.finish(waiting[0], lingerNanoseconds: 1_000_000_000)
        loop.outbox.send([1], to: waiting[1])
        loop.finish(waiting[1], lingerNanoseconds: 1_000_000_000)
        #expect(loop.turns(script) { loop.connectionCount == 0 })
        #expect(script.closes.count == 5 && Set(script.closes.map(\.slot)) == Set(slots))
        #expect(Set(told()).isDisjoint(with: waiting[..<2]))
        loop.turns(5, script)
        #expect(loop.due.ended.isEmpty)
    }

    @Test func aPausedConnectionHearsOfTheEndAfterItResumes() throws {
        let loop = try EventLoop.manual { ($0.endsPerTurn, $0.closesPerTurn) = (1, 10_000) }
        var told: [UInt32] = []
        script.onEnd = { slot in
            told.append(slot)
            loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        }
        let pair = try loop.pair(script)
        let peer = Peer(pair.peer)
        loop.pauseReading(pair.slot)
        // The peer's half is closed: no hang-up, and nobody may read the end.
        peer.shutDown()
        loop.turns(5, script)
        #expect(told.isEmpty && loop.due.ended.isEmpty && loop.connectionCount == 1)
        loop.resumeReading(pair.slot)
        loop.turns(2, script)
        #expect(told == [pair.slot] && script.closes.map(\.why) == [.local])
        peer.read(1)
        #expect(peer.sawEnd)
    }

    @Test func aStreamThatHasEndedIsNotAskedForAgain() throws {
        let loop = try EventLoop.manual()
        let pair = try loop.pair(script)
        let peer = Peer(pair.peer)
        #expect(loop.state(pair.slot).interest == EPOLLIN.rawValue)
        peer.shutDown()
        loop.turns(2, script)
        #expect(loop.state(pair.slot).interest == 0, "the kernel would tell of it in every turn")
        #expect(peer.send([1]) < 0)
    }

    @Test func whatAConnectionSentBeforeItsEndIsHeardFirstHoweverOftenItPauses() throws {
        let loop = try EventLoop.manual()
        var heard: [String] = []
        let pair = try loop.pair(script)
        script.onReceived = { slot, bytes in
            heard.append("\(bytes[0])")
            loop.pauseReading(slot)
            return 1
        }
        script.onTurn = {
            loop.resumeReading(pair.slot)
            return false
        }
        script.onEnd = { slot in
            heard.append("end")
            loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        }
        let peer = Peer(pair.peer)
        #expect(peer.send([1, 2, 3]) == 3)
        peer.shutDown()
        #expect(loop.turns(script) { loop.connectionCount == 0 })
        #expect(heard == ["1", "2", "3", "end"])
    }

    @Test func aPausedConnectionWhosePeerIsGoneIsClosedWhenNobodyWaitsAnyMore() throws {
        let (loop, slots, told) = try ended(5)
        let pair = try loop.pair(script)
        loop.pauseReading(pair.slot)
        Peer(pair.peer).close()
        #expect(loop.turns(script) { loop.connectionCount == 0 })
        #expect(Set(told()) == Set(slots) && told().count == 5)
        #expect(script.closes.filter { $0.slot == pair.slot }.map(\.why) == [.peerClosed])
    }
}
