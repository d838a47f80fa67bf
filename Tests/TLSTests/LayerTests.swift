import COpenSSL
import Reactor
@testable import TLS
import TestSupport
import Testing

/// Layer against layer, without sockets. Most share one room, as the connections of a loop do.
@Suite("TLS of one connection") struct LayerTests {
    let certificates = Certificates()
    let keeper: TLSKeeper

    init() throws { keeper = try TLSKeeper([certificates.make("server")]) }

    @Test(
        "whatever the pieces, whoever is between, both sides get everything in order, in 1.2 and 1.3", arguments: 0..<12
    )
    func conversation(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let room = TLSRoom(keeper)
        let client = try TLSClientContext(.anybody, newest: seed % 2 == 0 ? .tls13 : .tls12)
        // Three at once in one room: what each leaves there must not reach another.
        let lines = try (0..<3).map { _ in try Line(keeper, room, client: client) }
        var wire = [[[UInt8]]](repeating: [[], []], count: 3)
        var expected = [[[UInt8]]](repeating: [[], []], count: 3)
        var heard = [[[UInt8]]](repeating: [[], []], count: 3)
        func step(_ one: Int, _ side: Int, says: Bool) {
            let layer = side == 0 ? lines[one].client : lines[one].server
            switch random.int(0...3) {
            case 0 where layer.isEstablished && says:
                let bytes = random.bytes(random.int(1...random.pick([20, 5_000, 140_000])))
                let count = bytes.withUnsafeBytes { layer.seal($0) }
                #expect(count == min(bytes.count, TLSLayer.sealBytesMax), "seed \(seed)")
                expected[one][1 - side] += bytes[..<count]
            case 1:
                // The socket takes a part.
                guard layer.outgoingCount > 0 else { return }
                let count = random.int(1...layer.outgoing.count)
                wire[one][1 - side] += layer.outgoing[..<count]
                layer.sent(count)
            case 2:
                let count = min(wire[one][side].count, random.int(1...random.pick([3, 700, 17_408])))
                Line.feed(layer, wire[one][side][..<count])
                wire[one][side].removeFirst(count)
            default:
                var buffer = [UInt8](repeating: 0, count: random.int(1...20_000))
                let answer = buffer.withUnsafeMutableBytes { layer.open(into: $0) }
                if case .bytes(let count) = answer { heard[one][side] += buffer[..<count] }
                #expect(answer != .failed && answer != .ended, "seed \(seed): \(String(describing: layer.failure))")
            }
        }
        for turn in 0..<1_500 { step(random.int(0...2), random.int(0...1), says: turn < 300) }
        for one in 0..<3 {
            for _ in 0..<200_000 where (0...1).contains(where: { heard[one][$0].count < expected[one][$0].count }) {
                step(one, random.int(0...1), says: false)
            }
            #expect(lines[one].isEstablished && heard[one] == expected[one], "seed \(seed), line \(one)")
            #expect(
                lines[one].client.spoken.hasPrefix(
                    seed % 2 == 0 ? "TLSv1.3 TLS_AES_128" : "TLSv1.2 ECDHE-ECDSA-AES128-GCM"))
        }
        // At rest nobody holds a byte.
        for line in lines {
            line.settle()
            #expect(line.server.incomingCount == 0 && line.server.outgoingCount == 0 && line.server.holdsNothing)
        }
    }

    @Test func aTurnsFramesAreFullRecordsAndNotOneEach() throws {
        let line = try Line(keeper)
        line.settle()
        Line.say(line.server, [UInt8](repeating: 7, count: 100 * 1_024))
        let bytes = Line.take(line.server)
        var sizes: [Int] = []
        var at = 0
        while at < bytes.count {
            #expect(bytes[at] == 23, "application data")
            sizes.append(Int(bytes[at + 3]) << 8 | Int(bytes[at + 4]))
            at += 5 + (sizes.last ?? 0)
        }
        // A byte for the kind, sixteen for the tag.
        #expect(sizes == Array(repeating: 16_384 + 17, count: 6) + [100 * 1_024 - 6 * 16_384 + 17])
    }

    @Test func severalRecordsOfOneReadAreAllOpened() throws {
        let line = try Line(keeper)
        line.settle()
        for byte in 1...5 { Line.say(line.client, [UInt8(byte)]) }
        Line.feed(line.server, Line.take(line.client))
        line.openServer()
        #expect(line.serverHeard == [1, 2, 3, 4, 5] && line.serverSaw == .needsInput)
        #expect(line.server.incomingCount == 0)
    }

    @Test func anErrorOfAnotherCallIsNotTakenForOnesOwn() throws {
        let line = try Line(keeper)
        func leaveAnError() {
            let words = Array("no PEM".utf8)
            let input = BIO_new_mem_buf(words, CInt(words.count))
            #expect(PEM_read_bio_X509(input, nil, nil, nil) == nil)
            BIO_free(input)
            #expect(ERR_peek_error() != 0)
        }
        leaveAnError()
        line.openServer()
        #expect(line.serverSaw == .needsInput, "in the handshake")
        line.settle()
        leaveAnError()
        line.openServer()
        #expect(line.serverSaw == .needsInput, "afterwards")
        leaveAnError()
        Line.say(line.server, [1, 2, 3])
        leaveAnError()
        line.server.sayGoodbye()
        line.settle()
        #expect(line.clientHeard == [1, 2, 3] && line.clientSaw == .ended)
    }

    @Test func toSealNothingIsNoErrorAndNoRecord() throws {
        let line = try Line(keeper)
        #expect(line.server.seal(UnsafeRawBufferPointer(start: nil, count: 0)) == 0)
        line.settle()
        #expect(line.server.seal(UnsafeRawBufferPointer(start: nil, count: 0)) == 0 && line.server.outgoingCount == 0)
        Line.say(line.server, [9])
        line.settle()
        #expect(line.clientHeard == [9] && !line.server.hasFailed)
    }

    @Test func nothingIsSealedBeforeTheHandshakeNorAfterTheGoodbye() throws {
        let line = try Line(keeper)
        Line.say(line.server, [1])
        #expect(line.server.outgoingCount == 0)
        line.settle()
        line.server.sayGoodbye()
        Line.say(line.server, [1])
        line.settle()
        #expect(line.clientHeard.isEmpty && line.clientSaw == .ended && !line.server.hasFailed)
    }

    @Test func whatIsSaidIsNotOnTheWire() throws {
        let line = try Line(keeper)
        line.settle()
        let said = Array("a secret that nobody else may read".utf8)
        for layer in [line.server, line.client] {
            Line.say(layer, said)
            let wire = Line.take(layer)
            #expect(wire.count > said.count)
            let isThere = wire.indices.contains { wire[$0...].starts(with: said.prefix(8)) }
            #expect(!isThere)
        }
    }

    @Test func whatHasNotLeftYetHoldsUpNeitherReadingNorWriting() throws {
        let line = try Line(keeper)
        line.settle()
        Line.say(line.server, [1, 2, 3])
        // A key update asks for an answer; what stands behind it is opened all the same.
        #expect(SSL_key_update(line.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
        Line.say(line.client, [7])
        Line.feed(line.server, Line.take(line.client))
        line.openServer()
        #expect(line.serverHeard == [7] && line.serverSaw == .needsInput)
        Line.say(line.server, [4, 5])
        line.settle()
        #expect(line.clientHeard == [1, 2, 3, 4, 5] && line.server.holdsNothing)
    }

    @Test func whoTakesNothingAndMakesUsOweMoreAndMoreIsCutOff() throws {
        let line = try Line(keeper)
        line.settle()
        let bytes = [UInt8](repeating: 1, count: TLSLayer.sealBytesMax)
        for _ in 0..<3 { Line.say(line.server, bytes) }
        #expect(line.server.outgoingCount < TLSLayer.owedBytesMax)
        line.openServer()
        #expect(line.serverSaw == .needsInput)
        Line.say(line.server, bytes)
        #expect(line.server.outgoingCount > TLSLayer.owedBytesMax)
        line.openServer()
        #expect(line.serverSaw == .failed && line.server.failure == .record)
    }

    @Test func whatIsLeftInTheRoomIsKeptOnlyUntilItHasLeft() throws {
        let room = TLSRoom(keeper)
        let (one, other) = (try Line(keeper, room), try Line(keeper, room))
        one.settle()
        other.settle()
        Line.say(one.server, [1, 2])
        #expect(one.server.holdsNothing, "it is in the room")
        Line.say(other.server, [3])
        #expect(!one.server.holdsNothing)
        one.settle()
        #expect(one.clientHeard == [1, 2] && one.server.holdsNothing)
        other.settle()
        #expect(other.clientHeard == [3] && other.server.holdsNothing)
        // As what came and was not opened yet.
        Line.say(one.client, [4])
        Line.feed(one.server, Line.take(one.client))
        Line.say(other.server, [5])
        #expect(!one.server.holdsNothing)
        one.openServer()
        #expect(one.serverHeard == [4] && one.server.holdsNothing)
    }

    // MARK: The goodbye

    @Test func theGoodbyeIsSaidOnce() throws {
        let line = try Line(keeper)
        line.settle()
        line.server.sayGoodbye()
        let count = line.server.outgoingCount
        line.server.sayGoodbye()
        #expect(count > 0 && line.server.outgoingCount == count)
    }

    @Test func inAHandshakeNoGoodbyeIsSaidAndItGoesOn() throws {
        let line = try Line(keeper)
        line.server.sayGoodbye()
        line.openClient()
        Line.feed(line.server, Line.take(line.client))
        line.openServer()
        let flight = line.server.outgoingCount
        line.server.sayGoodbye()
        #expect(line.server.outgoingCount == flight && flight > 0)
        line.settle()
        #expect(line.isEstablished)
    }

    @Test func aRecordThatWasChangedEndsItWithAnAlertAndNoGoodbye() throws {
        let line = try Line(keeper)
        line.settle()
        Line.say(line.client, [1, 2, 3])
        var bytes = Line.take(line.client)
        bytes[8] ^= 1
        Line.feed(line.server, bytes)
        line.openServer()
        #expect(line.serverSaw == .failed && line.server.failure == .record && line.serverHeard.isEmpty)
        let alert = line.server.outgoingCount
        #expect(alert > 0, "the peer is told")
        line.server.sayGoodbye()
        Line.say(line.server, [1])
        #expect(line.server.outgoingCount == alert, "nothing behind an error")
        line.openServer()
        #expect(line.serverSaw == .failed)
    }

    @Test func aStreamThatEndsWithoutAGoodbyeHasLostNothing() throws {
        let line = try Line(keeper)
        line.settle()
        Line.say(line.client, [1, 2])
        Line.feed(line.server, Line.take(line.client))
        line.openServer()
        #expect(line.serverHeard == [1, 2] && line.serverSaw == .needsInput)
    }

    // MARK: What a peer may do

    @Test func aKeyUpdateThatIsAskedForIsAnsweredAndTalkGoesOn() throws {
        let line = try Line(keeper)
        line.settle()
        for round in 0..<3 {
            #expect(SSL_key_update(line.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
            Line.say(line.client, [UInt8(round)])
            line.settle()
            Line.say(line.server, [UInt8(round), 0])
            line.settle()
        }
        #expect(line.serverHeard == [0, 1, 2] && line.clientHeard == [0, 0, 1, 0, 2, 0])
    }

    @Test func renegotiationIsRefused() throws {
        let line = try Line(keeper, client: TLSClientContext(.anybody, newest: .tls12))
        line.settle()
        #expect(line.isEstablished)
        // SSL_OP_NO_RENEGOTIATION, which Swift does not import: it is the server that must refuse.
        SSL_clear_options(line.client.ssl, 1 << 30)
        SSL_renegotiate(line.client.ssl)
        var ignored: [UInt8] = []
        _ = Line.open(line.client, into: &ignored)
        let hello = Line.take(line.client)
        #expect(!hello.isEmpty)
        Line.feed(line.server, hello)
        line.openServer()
        // An alert, and no flight of a handshake.
        let answer = Line.take(line.server)
        #expect(answer.first == 21 && answer.count < 100, "\(answer.count) bytes")
    }

    @Test func whatIsNoTLSFailsAndOwesNothing() throws {
        let line = try Line(keeper)
        Line.feed(line.server, Array("GET / HTTP/1.1\r\n\r\n".utf8))
        line.openServer()
        #expect(line.serverSaw == .failed && line.server.failure == .record && line.server.outgoingCount == 0)
    }

    @Test("random bytes never do more than fail", arguments: 0..<40)
    func noise(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let line = try Line(keeper)
        if seed % 2 == 0 { line.settle() }
        for _ in 0..<20 {
            Line.feed(line.server, [22, 3, random.pick([1, 3])] + random.bytes(random.int(0...800)))
            line.openServer()
        }
        #expect(line.serverSaw == .failed || line.serverSaw == .needsInput)
        #expect(line.server.outgoingCount < 100)
    }

    @Test("many handshakes at once in one room, ended in any order, do not touch each other", arguments: 0..<8)
    func manyAtOnce(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let room = TLSRoom(keeper)
        let client = try TLSClientContext(.anybody)
        var lines = try (0..<40).map { _ in try Line(keeper, room, client: client) }
        for line in lines {
            line.openClient()
            Line.feed(line.server, Line.take(line.client))
            line.openServer()
        }
        // Half of them go, while the others' flights wait.
        for _ in 0..<20 { lines.remove(at: random.int(0...lines.count - 1)) }
        for line in lines.shuffled(using: &random) {
            line.settle()
            Line.say(line.server, [UInt8(seed)])
            line.settle()
            #expect(line.isEstablished && line.clientHeard == [UInt8(seed)], "seed \(seed)")
        }
    }
}
