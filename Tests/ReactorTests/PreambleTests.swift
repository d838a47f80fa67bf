internal import CLinux
@testable import Reactor
import Testing

/// What connections begin with here: `p` (`s`: it was secured), a number, and so many bytes, whose first is the last of the address 192.0.2.x; none: it is not told.
private final class SmallPreamble: Preamble {
    var isDue = true
    let bytesMax = 66

    func isDue(from peer: PeerAddress) -> Bool { isDue && peer.isLoopback }

    func read(_ bytes: UnsafeRawBufferPointer) -> PreambleReading {
        let isSecured = bytes[0] == UInt8(ascii: "s")
        guard isSecured || bytes[0] == UInt8(ascii: "p") else { return .refused("no p") }
        guard bytes.count >= 2 else { return .needsMore }
        guard bytes[1] <= 64 else { return .refused("too long") }
        let length = 2 + Int(bytes[1])
        guard bytes.count >= length else { return .needsMore }
        let peer =
            bytes[1] == 0 ? nil : PeerAddress(family: .ipv4, port: 7, high: 0, low: 0xC000_0200 | UInt64(bytes[2]))
        return .whole(bytes: length, peer: peer, isSecured: isSecured)
    }
}

@Suite("A preamble that tells whom a connection comes from") struct PreambleTests {
    private final class Port {
        let loop: EventLoop
        let script = Script()
        let preamble = SmallPreamble()
        let address: PeerAddress
        var opened: [(slot: UInt32, peer: String, isSecured: Bool)] = []
        var heard: [UInt8] = []

        init(hasLayers: Bool = false) throws {
            loop = try EventLoop.manual()
            let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 64)
            address = try #require(PeerAddress.parse(host: "127.0.0.1", port: listener.port))
            let make: (() -> (any RecordLayer)?)? = hasLayers ? { XorLayer(isClient: false) } : nil
            loop.listen(on: listener, tag: 5, layerByte: 0, preamble: preamble, makeLayer: make)
            script.onOpened = { [unowned self] slot, peer, tag in
                #expect(tag == 5)
                opened.append((slot, peer.host, loop.isSecured(slot)))
            }
            script.onReceived = { [unowned self] _, bytes in
                heard += bytes
                return bytes.count
            }
        }

        func connect(_ bytes: [UInt8] = []) -> Peer {
            let raw = clinux_connect("127.0.0.1", address.port)
            precondition(raw >= 0, "the listener has room")
            _ = clinux_set_nonblocking(raw)
            let peer = Peer(raw)
            if !bytes.isEmpty { #expect(peer.send(bytes) == bytes.count) }
            return peer
        }

        @discardableResult
        func run(until holds: () -> Bool) -> Bool { loop.turns(script, until: holds) }
        func turns(_ count: Int = 10) { loop.turns(count, script) }
        var failures: [String] { script.preambleFailures.map { "\($0)" } }
    }

    private static let hello: [UInt8] = [0, 3, 1] + Array("xor".utf8).map { $0 ^ 0x55 }
    private static func data(_ bytes: [UInt8]) -> [UInt8] { [0, UInt8(bytes.count), 2] + bytes.map { $0 ^ 0x55 } }
    private static func preamble(_ last: UInt8, _ more: Int = 0) -> [UInt8] {
        [UInt8(ascii: "p"), UInt8(1 + more), last] + [UInt8](repeating: 9, count: more)
    }

    @Test(arguments: [false, true]) func itTellsThePeerAndTheRestIsTheConnections(hasLayers: Bool) throws {
        let port = try Port(hasLayers: hasLayers)
        let peer = port.connect(Self.preamble(33) + [1, 2, 3])
        #expect(port.run { port.heard == [1, 2, 3] })
        #expect(port.opened.map(\.peer) == ["192.0.2.33"] && port.failures.isEmpty)
        let state = port.loop.state(port.opened[0].slot)
        #expect(state.flags == [.open, .announced] && state.deadlineTick == 0 && state.input == nil)
        #expect(port.loop.statistics.preambles == 1 && port.loop.statistics.bytesIn == 6)
        #expect(peer.send([4]) == 1)
        #expect(port.run { port.heard == [1, 2, 3, 4] })
        port.loop.advance(milliseconds: 20_000)
        port.turns(3)
        #expect(port.loop.connectionCount == 1, "its deadline is over")
    }

    @Test(arguments: [false, true]) func itMayVouchForAClientThatHadALayer(hasLayers: Bool) throws {
        let port = try Port(hasLayers: hasLayers)
        let secured = port.connect([UInt8(ascii: "s"), 1, 40, 7])
        #expect(port.run { port.heard == [7] })
        let plain = port.connect(Self.preamble(41) + [8])
        #expect(port.run { port.heard == [7, 8] })
        #expect(port.opened.map { port.loop.cameSecured($0.slot) } == [true, false])
        #expect(port.opened.allSatisfy { !$0.isSecured }, "with us it has none")
        for one in port.opened { port.loop.abort(one.slot) }
        port.turns(2)
        #expect(port.loop.connectionCount == 0)
        // Who has the slot next is not vouched for.
        let next = port.connect(Self.preamble(42) + [9])
        #expect(port.run { port.heard == [7, 8, 9] })
        #expect(port.opened.count == 3 && !port.loop.cameSecured(port.opened[2].slot))
        withExtendedLifetime((secured, plain, next)) {}
    }

    @Test func aLayerComesBehindIt() throws {
        let port = try Port(hasLayers: true)
        let peer = port.connect(Self.preamble(34) + Self.hello + Self.data([5, 6]))
        #expect(port.run { port.heard == [5, 6] })
        #expect(port.opened.map(\.peer) == ["192.0.2.34"] && port.opened[0].isSecured)
        #expect(port.loop.told.isEmpty)
        _ = peer
    }

    @Test(arguments: [false, true]) func itMayComeByteForByte(hasLayers: Bool) throws {
        let port = try Port(hasLayers: hasLayers)
        let peer = port.connect()
        for byte in Self.preamble(35, 20) {
            #expect(port.opened.isEmpty)
            #expect(peer.send([byte]) == 1)
            port.turns(2)
        }
        #expect(peer.send([8]) == 1)
        #expect(port.run { port.heard == [8] })
        #expect(port.opened.map(\.peer) == ["192.0.2.35"] && port.loop.statistics.inputBytes == 0)
        #expect(port.loop.statistics.bytesIn == 24, "each byte once")
    }

    @Test func halfOfOneIsTakenFromTheSocketAndNotToldOfAgain() throws {
        let port = try Port()
        let peer = port.connect(Array(Self.preamble(36, 5)[..<4]))
        #expect(port.run { port.loop.statistics.inputBytes == 4 })
        let receives = port.loop.statistics.receives
        port.turns(20)
        #expect(port.loop.statistics.receives == receives)
        _ = peer
    }

    @Test func whoTellsNothingIsWhoConnected() throws {
        let port = try Port()
        let peer = port.connect([UInt8(ascii: "p"), 0])
        #expect(port.run { !port.opened.isEmpty }, "opened before its first byte")
        #expect(port.opened.map(\.peer) == ["127.0.0.1"])
        _ = peer
    }

    @Test func whereNoneIsDueItIsTheConnectionsOwn() throws {
        let port = try Port()
        port.preamble.isDue = false
        let peer = port.connect(Self.preamble(37))
        #expect(port.run { port.heard == Self.preamble(37) })
        #expect(port.opened.map(\.peer) == ["127.0.0.1"])
        _ = peer
    }

    @Test(arguments: [false, true]) func whoBeginsOtherwiseIsClosed(hasLayers: Bool) throws {
        let port = try Port(hasLayers: hasLayers)
        let peer = port.connect(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(port.run { port.loop.connectionCount == 0 && !port.failures.isEmpty })
        #expect(port.failures.count == 1 && port.failures[0].contains("no p"))
        #expect(port.opened.isEmpty && port.script.closes.isEmpty && port.heard.isEmpty)
        _ = peer
    }

    @Test func itHasToBeWholeInTime() throws {
        let port = try Port()
        let silent = port.connect(), begun = port.connect([UInt8(ascii: "p"), 3])
        #expect(port.run { port.loop.statistics.inputBytes == 2 })
        port.loop.advance(milliseconds: 4_800)
        #expect(begun.send([1]) == 1, "to dribble helps nobody")
        #expect(port.run { port.loop.statistics.inputBytes == 3 })
        #expect(port.loop.connectionCount == 2 && port.failures.isEmpty)
        port.loop.advance(milliseconds: 400)
        port.turns(3)
        #expect(port.loop.connectionCount == 0 && port.failures == ["timeout", "timeout"])
        #expect(port.loop.statistics.inputBytes == 0)
        _ = silent
    }

    @Test func theFirstByteBehindItHasTheSameDeadline() throws {
        let port = try Port(hasLayers: true)
        let peer = port.connect(Self.preamble(38))
        #expect(port.run { port.loop.statistics.preambles == 1 })
        #expect(port.opened.isEmpty && !port.loop.told.isEmpty)
        port.loop.advance(milliseconds: 5_200)
        port.turns(3)
        #expect(port.loop.connectionCount == 0 && port.failures.isEmpty && port.loop.told.isEmpty)
        port.preamble.isDue = false
        let next = port.connect([1])
        #expect(port.run { port.opened.map(\.peer) == ["127.0.0.1"] }, "who gets the number is nobody else")
        _ = (peer, next)
    }

    @Test func whoOnlyLooksWhetherWeAreThereIsNoFault() throws {
        let port = try Port()
        let looking = port.connect(), cut = port.connect([UInt8(ascii: "p"), 9])
        #expect(port.run { port.loop.statistics.inputBytes == 2 })
        looking.close()
        #expect(port.run { port.loop.connectionCount == 1 })
        #expect(port.failures.isEmpty)
        cut.close()
        #expect(port.run { port.loop.connectionCount == 0 })
        #expect(port.failures == ["gone"] && port.opened.isEmpty && port.loop.statistics.inputBytes == 0)
    }
}
