internal import CLinux
@testable import Reactor
import TestSupport
import Testing

/// Who has a layer, and who may begin its handshake. (XorLayer's hello begins with 0 and a length.)
@Suite("A port whose connections' first byte tells whether they have a layer") struct HandshakeTests {
    /// A listening loop, and peers that the test speaks for.
    private final class Port {
        let loop: EventLoop
        let script = Script()
        let address: PeerAddress
        var opened: [(slot: UInt32, isSecured: Bool)] = []
        var heard: [UInt8] = []
        var layers = 0

        init(layerByte: UInt8? = 0, _ change: (inout LoopOptions) -> Void = { _ in }) throws {
            loop = try EventLoop.manual(change)
            let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 512)
            address = try #require(PeerAddress.parse(host: "127.0.0.1", port: listener.port))
            loop.listen(on: listener, tag: 5, layerByte: layerByte) { [unowned self] in
                layers += 1
                return XorLayer(isClient: false)
            }
            script.onOpened = { [unowned self] slot, peer, tag in
                #expect(tag == 5 && peer.isLoopback && peer.port != 0)
                opened.append((slot, loop.isSecured(slot)))
            }
            script.onReceived = { [unowned self] _, bytes in
                heard += bytes
                return bytes.count
            }
        }

        func connect() -> Peer {
            let raw = clinux_connect("127.0.0.1", address.port)
            precondition(raw >= 0, "the listener has room")
            _ = clinux_set_nonblocking(raw)
            return Peer(raw)
        }

        @discardableResult
        func run(_ milliseconds: UInt64 = 0, until holds: () -> Bool) -> Bool {
            loop.turns(script, millisecondsEach: milliseconds, until: holds)
        }

        func turns(_ count: Int = 10) { loop.turns(count, script) }
    }

    /// What an XorLayer says first.
    private static let hello: [UInt8] = [0, 3, 1] + Array("xor".utf8).map { $0 ^ 0x55 }
    private static func data(_ bytes: [UInt8]) -> [UInt8] { [0, UInt8(bytes.count), 2] + bytes.map { $0 ^ 0x55 } }

    @Test func onePortServesBoth() throws {
        let port = try Port()
        let plain = port.connect(), layered = port.connect(), silent = port.connect()
        #expect(port.run { port.loop.connectionCount == 3 })
        port.turns()
        #expect(port.opened.isEmpty && port.layers == 0, "nobody has said anything")
        #expect(plain.send([7, 8, 9]) == 3)
        #expect(port.run { port.heard == [7, 8, 9] })
        #expect(port.opened.map(\.isSecured) == [false] && port.layers == 0)
        #expect(layered.send(Self.hello + Self.data([1, 2])) > 0)
        #expect(port.run { port.heard == [7, 8, 9, 1, 2] })
        #expect(port.opened.map(\.isSecured) == [false, true] && port.layers == 1)
        #expect(port.loop.statistics.handshakes == 1 && port.loop.statistics.secured == 1)
        silent.close()
        #expect(port.run { port.loop.connectionCount == 2 }, "a silent one goes without a word")
        #expect(port.loop.statistics.handshakesFailed == 0 && port.script.closes.isEmpty)
    }

    @Test func aPlainConnectionIsAfterItsFirstByteAsAnyOther() throws {
        let port = try Port()
        let peer = port.connect()
        #expect(peer.send([7]) == 1)
        #expect(port.run { !port.opened.isEmpty })
        let state = port.loop.state(port.opened[0].slot)
        #expect(state.transport == nil && state.flags == [.open, .announced] && state.interest == EPOLLIN.rawValue)
        #expect(state.deadlineTick == 0, "the handshake's deadline is over")
        port.loop.advance(milliseconds: 20_000)
        port.turns(3)
        #expect(port.loop.connectionCount == 1)
        let receives = port.loop.statistics.receives
        #expect(peer.send([8]) == 1)
        #expect(port.run { port.heard == [7, 8] })
        #expect(port.loop.statistics.receives == receives + 1)
    }

    @Test func aHelloInPiecesIsOneHello() throws {
        let port = try Port()
        let peer = port.connect()
        for byte in Self.hello + Self.data([3]) {
            #expect(peer.send([byte]) == 1)
            port.turns(2)
        }
        #expect(port.run { port.heard == [3] } && port.layers == 1)
    }

    @Test func aHandshakeThatTakesTooLongEndsAndSoDoesSilence() throws {
        let port = try Port { $0.handshakeMilliseconds = 5_000 }
        let silent = port.connect(), begun = port.connect()
        #expect(begun.send([0]) == 1)
        #expect(port.run { port.layers == 1 })
        port.loop.advance(milliseconds: 4_800)
        port.turns(3)
        #expect(port.loop.connectionCount == 2)
        port.loop.advance(milliseconds: 400)
        port.turns(3)
        #expect(port.loop.connectionCount == 0)
        #expect(port.loop.statistics.handshakesFailed == 1, "silence is no handshake")
        #expect(port.opened.isEmpty && port.script.closes.isEmpty)
        _ = silent
    }

    @Test func soManyRunAtOnceAndTheOthersWaitUnread() throws {
        let port = try Port { $0.acceptsPerTurn = 512 }
        let stalled = (0..<100).map { _ in port.connect() }
        for peer in stalled { #expect(peer.send([0]) == 1) }
        #expect(port.run { port.loop.connectionCount == 100 })
        port.turns(20)
        #expect(port.layers == Handshakes.placesMax && port.loop.handshakes.running.count == Handshakes.placesMax)
        #expect(port.loop.handshakes.areWaiting)
        // A plain one is served all the same, and somebody who waits and goes is noticed.
        let plain = port.connect()
        #expect(plain.send([9]) == 1)
        #expect(port.run { port.heard == [9] })
        #expect(port.loop.handshakes.running.count == Handshakes.placesMax)
        // Those that run finish one after the other; those that wait follow.
        for peer in stalled { #expect(peer.send(Array(Self.hello.dropFirst())) == 5) }
        #expect(port.run(10) { port.opened.count == 101 })
        #expect(port.layers == 100 && port.loop.statistics.handshakesFailed == 0)
        #expect(port.loop.handshakes.running.isEmpty && !port.loop.handshakes.areWaiting)
    }

    @Test func thoseWhoStallGiveWayToNewcomers() throws {
        let port = try Port { $0.acceptsPerTurn = 512 }
        let stalled = (0..<300).map { _ in port.connect() }
        for peer in stalled { #expect(peer.send([0]) == 1) }
        #expect(port.run { port.loop.connectionCount == 300 })
        port.turns(30)
        #expect(port.loop.handshakes.running.count == Handshakes.placesMax)
        // Those who are waited for leave their places, as long as there is memory; then somebody has to go.
        for _ in 0..<8 {
            port.loop.advance(milliseconds: 26)
            port.turns(10)
        }
        #expect(port.loop.handshakes.running.count == Handshakes.heldMax && port.loop.handshakes.areWaiting)
        #expect(port.loop.statistics.handshakesFailed == 0, "everybody has had less than he is given")
        // A while later each newcomer has a place at once.
        port.loop.advance(milliseconds: 200)
        port.turns(10)
        let late = 300 - Handshakes.heldMax
        #expect(port.loop.statistics.handshakesFailed == late, "one for each who waited")
        #expect(port.loop.handshakes.running.count == Handshakes.heldMax && !port.loop.handshakes.isTrusted)
        for round in 1...30 {
            let good = port.connect()
            #expect(good.send(Self.hello) == Self.hello.count)
            var turns = 0
            while port.opened.count < round, turns < 100_000 {
                port.turns(1)
                turns += 1
            }
            #expect(port.opened.count == round, "without any time passing")
            if round == 1 { #expect(port.loop.statistics.handshakesFailed == late + 1, "and one for a newcomer") }
            good.close()
            port.loop.advance(milliseconds: 30)
        }
        #expect(port.loop.handshakes.running.count <= Handshakes.heldMax)
        #expect(port.loop.statistics.handshakesFailed > 0)
        // And the rest does not stay longer than it may.
        #expect(port.run(100) { port.loop.connectionCount == 0 })
    }

    @Test func aNewcomerIsLetInWithoutWaitingForTheTick() throws {
        let port = try Port { $0.acceptsPerTurn = 512 }
        let stalled = (0..<Handshakes.placesMax).map { _ in port.connect() }
        for peer in stalled { #expect(peer.send([0]) == 1) }
        #expect(port.run { port.loop.handshakes.running.count == Handshakes.placesMax })
        let ticks = port.loop.wheel.tick
        let good = port.connect()
        #expect(good.send(Self.hello) == Self.hello.count)
        port.turns(20)
        #expect(port.opened.isEmpty && port.loop.handshakes.areWaiting)
        port.loop.advance(milliseconds: 26)
        #expect(port.run { port.opened.count == 1 } && port.loop.wheel.tick == ticks)
        #expect(port.loop.statistics.handshakesFailed == 0)
    }

    @Test func aPlainConnectionPutsNobodyOut() throws {
        let port = try Port { $0.acceptsPerTurn = 512 }
        let stalled = (0..<Handshakes.heldMax).map { _ in port.connect() }
        for peer in stalled { #expect(peer.send([0]) == 1) }
        #expect(port.run(5) { port.loop.handshakes.running.count == Handshakes.heldMax })
        port.loop.advance(milliseconds: 2_000)
        let plain = port.connect()
        #expect(plain.send([9]) == 1)
        #expect(port.run { port.heard == [9] })
        #expect(port.loop.statistics.handshakesFailed == 0)
    }

    @Test func aTurnBeginsFewSoThatOthersAreServedBetween() throws {
        let port = try Port { $0.acceptsPerTurn = 512 }
        let peers = (0..<40).map { _ in port.connect() }
        #expect(port.run { port.loop.connectionCount == 40 })
        for peer in peers { #expect(peer.send(Self.hello) == Self.hello.count) }
        var most = 0
        for _ in 0..<50 {
            let before = port.layers
            port.turns(1)
            most = max(most, port.layers - before)
        }
        #expect(most == Handshakes.begunPerTurn && port.opened.count == 40)
    }

    @Test func aPeerThatSaysGoodbyeAndKeepsItsSocketOpenIsHeard() throws {
        let port = try Port()
        let peer = port.connect()
        var ends = 0
        port.script.onEnd = { _ in ends += 1 }
        #expect(peer.send(Self.hello + Self.data([4]) + [0, 0, 3]) > 0)
        #expect(port.run { ends == 1 } && port.heard == [4])
    }
}
