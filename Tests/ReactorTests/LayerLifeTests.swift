internal import CLinux
internal import Glibc
@testable import Reactor
import Testing

/// What comes with the handshake of a layer, and what with its goodbye.
@Suite("The first and the last record of a layer") struct LayerLifeTests {
    private let script = Script()

    // MARK: The handshake

    @Test func theHandlersTimerIsNotTheHandshakesDeadline() throws {
        let loop = try EventLoop.manual { $0.handshakeMilliseconds = 500 }
        var fired = 0
        script.onTimer = { _ in fired += 1 }
        let (slot, _, peer) = try loop.established(script)
        loop.advance(milliseconds: 2_000)
        loop.turns(2, script)
        #expect(fired == 0 && loop.statistics.timersFired == 0 && loop.state(slot).isOpen())
        #expect(loop.state(slot).transport?.takeUnretainedValue().origin == nil, "told, and forgotten")
        peer.shutDown()
    }

    @Test func whatCameBehindTheHandshakeWaitsForWhoPausesAtOnce() throws {
        let loop = try EventLoop.manual()
        var heard: [UInt8] = []
        script.onOpened = { slot, _, _ in loop.pauseReading(slot) }
        script.onReceived = { _, bytes in
            heard += bytes
            return bytes.count
        }
        let (slot, _, peer) = try loop.layered(script)
        peer.pull()
        peer.seal([1, 2, 3])
        peer.push()
        loop.turns(3, script)
        #expect(heard.isEmpty && loop.state(slot).inputCount == 3)
        loop.resumeReading(slot)
        loop.turns(2, script)
        #expect(heard == [1, 2, 3] && loop.statistics.inputBytes == 0)
    }

    @Test func whatCameBehindTheHandshakeIsDroppedByWhoFinishesAtOnce() throws {
        let loop = try EventLoop.manual()
        script.onOpened = { slot, _, _ in loop.finish(slot, lingerNanoseconds: 1_000_000_000) }
        script.onReceived = { _, _ in
            Issue.record("input after finish must be discarded")
            return 0
        }
        let (slot, _, peer) = try loop.layered(script)
        peer.pull()
        peer.seal([1, 2, 3])
        peer.push()
        loop.turns(3, script)
        #expect(loop.state(slot).inputCount == 0 && loop.statistics.inputBytes == 0)
        while peer.end == nil { peer.pull() }
        #expect(peer.end == 0 && peer.layer.isTold)
    }

    @Test func whoWasRefusedIsToldSoAndNotThatNothingCanBeSent() throws {
        let loop = try EventLoop.manual()
        // A port that was just given back.
        let port = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 1).port
        let slot = try loop.connect(
            to: try #require(PeerAddress.parse(host: "127.0.0.1", port: port)), layer: XorLayer(isClient: true))
        #expect(loop.turns(script) { !script.closes.isEmpty })
        #expect(script.closes.map(\.slot) == [slot] && script.closes.map(\.why) == [.error(ECONNREFUSED)])
        #expect(loop.statistics.handshakesFailed == 1)
    }

    // MARK: The goodbye

    @Test func beforeTheHandshakeThereIsNoGoodbye() throws {
        let loop = try EventLoop.manual()
        let (slot, layer, peer) = try loop.layered(script)
        loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        #expect(layer.goodbyes == 0 && loop.state(slot).flags.contains(.shutDown))
        while peer.end == nil { peer.pull() }
        #expect(peer.end == 0 && !peer.layer.isTold)
    }

    /// So many records of 1,000 bytes as a socket takes of a peer that does not read.
    private func recordsThatFit() throws -> Int {
        let loop = try EventLoop.manual { $0.backlogBytesMax = 1 << 30 }
        let (slot, _, peer) = try loop.established(script)
        var sent = 0
        while !loop.isBehind(slot), sent < 100_000 {
            loop.outbox.send([UInt8](repeating: 1, count: 1_000), to: slot)
            loop.turns(1, script)
            sent += 1
        }
        withExtendedLifetime(peer) {}
        return sent - 1
    }

    @Test func theGoodbyeOfAFullSocketIsSaidOnceAndOurFinComesBehindIt() throws {
        let fits = try recordsThatFit()
        let loop = try EventLoop.manual { $0.backlogBytesMax = 1 << 30 }
        let (slot, layer, peer) = try loop.established(script)
        for _ in 0..<fits {
            loop.outbox.send([UInt8](repeating: 1, count: 1_000), to: slot)
            loop.turns(1, script)
        }
        try #require(!loop.isBehind(slot), "the kernel has taken every byte")
        loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        try #require(loop.isBehind(slot), "and not the goodbye")
        #expect(layer.goodbyes == 1 && !loop.state(slot).flags.contains(.shutDown))
        loop.turns(3, script)
        #expect(layer.goodbyes == 1 && !loop.state(slot).flags.contains(.shutDown))
        for _ in 0..<1_000 where peer.end == nil {
            peer.pull()
            loop.turns(1, script)
        }
        #expect(peer.end == 0 && peer.heard.count == fits * 1_000)
        #expect(layer.goodbyes == 1 && peer.layer.isTold)
    }

    // MARK: A pause

    @Test func aPausedConnectionWhoseLayerWaitsForAPeerThatSendsNoMoreIsClosed() throws {
        let loop = try EventLoop.manual()
        script.onEnd = { _ in Issue.record("it is paused") }
        let (slot, _, peer) = try loop.established(script, rekeyOneIn: 1)
        loop.pauseReading(slot)
        loop.outbox.send([1, 2, 3], to: slot)
        loop.turns(3, script)
        #expect(loop.state(slot).interest == EPOLLIN.rawValue, "it waits to be fed")
        peer.shutDown()
        loop.turns(2, script)
        #expect(script.closes.map(\.slot) == [slot] && script.closes.map(\.why) == [.peerClosed])
    }

    // MARK: A reset

    /// A connection over TCP, because a local socket knows no reset.
    private func overTCP(
        _ loop: EventLoop, _ makeLayer: (() -> any RecordLayer)?
    ) throws -> (slot: UInt32, descriptor: CInt) {
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 8)
        let descriptor = clinux_connect("127.0.0.1", listener.port)
        try #require(descriptor >= 0)
        loop.listen(on: listener, tag: 0, makeLayer: makeLayer)
        #expect(loop.turns(script) { loop.connectionCount == 1 })
        // Little room, so that it is full soon.
        var bytes: CInt = 8_192
        let size = socklen_t(MemoryLayout<CInt>.size)
        setsockopt(loop.state(0).descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, size)
        return (0, descriptor)
    }

    @Test func whoIsCutOffInTheMidstOfARecordIsReset() throws {
        let loop = try EventLoop.manual { $0.backlogBytesMax = 1 << 30 }
        let layer = XorLayer(isClient: false)
        let (slot, descriptor) = try overTCP(loop) { layer }
        let peer = LayeredPeer(descriptor, XorLayer(isClient: true))
        var none: [UInt8] = []
        _ = none.withUnsafeMutableBytes { peer.layer.open(into: $0) }
        peer.push()
        #expect(loop.turns(script) { loop.state(slot).flags.contains(.announced) })
        peer.pull()
        var sent = 0
        while layer.outgoing.isEmpty, sent < 100_000_000 {
            loop.outbox.send([UInt8](repeating: 1, count: 3_000), to: slot)
            loop.turns(1, script)
            sent += 3_000
        }
        try #require(loop.backlogBytes(slot) == 0 && loop.isBehind(slot), "one record has all of the last message")
        loop.abort(slot)
        while peer.end == nil { peer.pull() }
        #expect(peer.end == ECONNRESET, "ECONNRESET, and not an end that looks whole")
    }

    @Test(arguments: [true, false]) func whoIsCutOffWithFramesQueuedIsReset(hasFrames: Bool) throws {
        let loop = try EventLoop.manual()
        let (slot, descriptor) = try overTCP(loop, nil)
        let peer = LayeredPeer(descriptor, XorLayer(isClient: true))
        if hasFrames { loop.outbox.send([1], to: slot) }
        loop.abort(slot)
        while peer.end == nil { peer.pull() }
        #expect(peer.end == (hasFrames ? ECONNRESET : 0))
    }

    // MARK: Reading

    @Test func aLayerIsFedABoundedAmountInATurn() throws {
        let loop = try EventLoop.manual()
        var heard = 0
        script.onReceived = { _, bytes in
            heard += bytes.count
            return bytes.count
        }
        let (_, _, peer) = try loop.established(script)
        for _ in 0..<8 {
            peer.seal([UInt8](repeating: 1, count: 15_000))
            peer.push()
        }
        _ = loop.runTurn(script, mayWait: false)
        #expect(heard > 0 && heard <= 4 * 17 * 1_024)
        #expect(loop.turns(script) { heard == 8 * 15_000 })
    }

    @Test func whoseStreamHasEndedGetsTheGoodbyeToo() throws {
        let loop = try EventLoop.manual()
        script.onEnd = { slot in loop.finish(slot, lingerNanoseconds: 1_000_000_000) }
        let (slot, layer, peer) = try loop.established(script)
        peer.shutDown()
        loop.turns(2, script)
        while peer.end == nil { peer.pull() }
        #expect(peer.end == 0 && peer.layer.isTold && layer.goodbyes == 1)
        #expect(script.closes.map(\.slot) == [slot] && script.closes.map(\.why) == [.local])
    }
}
