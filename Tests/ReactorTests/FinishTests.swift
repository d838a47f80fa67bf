internal import Glibc
@testable import Reactor
import Testing

/// What a connection still takes when its handler has finished it.
@Suite("A connection that finishes") struct FinishTests {
    private let script = Script()

    @Test func takesNothingMoreAlsoWhenItsLastFramesAreOut() throws {
        let loop = try EventLoop.manual()
        let pair = try loop.pair(script)
        let peer = Peer(pair.peer)
        loop.outbox.send([1], to: pair.slot)
        loop.finish(pair.slot, lingerNanoseconds: 1_000_000_000)
        loop.turns(1, script)
        let takes = loop.outbox.takes(pair.slot)
        #expect(!takes)
        loop.outbox.send([2], to: pair.slot)
        loop.turns(2, script)
        for _ in 0..<3 { peer.read(10) }
        #expect(peer.received == [1] && peer.sawEnd && script.closes.isEmpty)
    }

    @Test func itsLastWordsAreTakenHoweverMuchItOwes() throws {
        let loop = try EventLoop.manual { $0.backlogBytesMax = 1_000 }
        let pair = try loop.pair(script)
        let peer = Peer(pair.peer)
        let (first, last) = (serverFrame([UInt8](repeating: 1, count: 900_000)), serverFrame([2]))
        loop.outbox.send(first, to: pair.slot)
        loop.turns(1, script)
        #expect(loop.backlogBytes(pair.slot) > 1_000)
        loop.outbox.send(last, to: pair.slot)
        loop.finish(pair.slot, lingerNanoseconds: 1_000_000_000)
        for _ in 0..<1_000 where !peer.sawEnd {
            loop.turns(1, script)
            peer.read(100_000)
        }
        #expect(peer.received == first + last && script.overflows.isEmpty && loop.statistics.overflows == 0)
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
        loop.setTimer(slot, afterMilliseconds: 60_000)  // must not prolong the linger time
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

    @Test func aPeerThatGoesOnSendingIsCutOff() throws {
        let loop = try EventLoop.manual()
        let pair = try loop.pair(script)
        let peer = Peer(pair.peer)
        loop.finish(pair.slot, lingerNanoseconds: 1_000_000_000)
        let piece = [UInt8](repeating: 1, count: 64 << 10)
        var sent = 0
        while script.closes.isEmpty, sent < 8 << 20 {
            sent += max(0, peer.send(piece))
            loop.turns(1, script)
        }
        #expect(script.closes.map(\.why) == [.local])
        #expect((4 << 20...5 << 20).contains(sent), "what it may still send without being reset")
    }

    @Test func lastWordsAfterOurFinAreTooLate() throws {
        let loop = try EventLoop.manual()
        let pair = try loop.pair(script)
        let peer = Peer(pair.peer)
        loop.finish(pair.slot, lingerNanoseconds: 1_000_000_000)
        [UInt8]([1, 2]).withUnsafeBytes { loop.finishWithFrame(pair.slot, $0) }
        #expect(loop.backlogBytes(pair.slot) == 0)
        loop.turns(2, script)
        for _ in 0..<2 { peer.read(10) }
        #expect(peer.received.isEmpty && peer.sawEnd && script.closes.isEmpty)
    }

    @Test func lastWordsWithoutMemoryForThemEndTheConnection() throws {
        let loop = try EventLoop.manual { $0.backlogs = BacklogLedger(limitBytes: 1_000) }
        let pair = try loop.pair(script)
        [UInt8]([1, 2]).withUnsafeBytes { loop.finishWithFrame(pair.slot, $0) }
        loop.turns(1, script)
        #expect(script.closes.map(\.why) == [.error(ENOMEM)])
        Peer(pair.peer).close()
    }
}
