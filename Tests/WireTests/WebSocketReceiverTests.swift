import TestSupport
import Testing
import Wire

@Suite("WebSocket receiver") struct WebSocketReceiverTests {
    @Test func aReceiverIsSmall() {
        #expect(MemoryLayout<WebSocketReceiver>.size <= 48)
    }

    @Test func theLimitHoldsOverAllFragments() {
        let limits = WebSocketLimits(messageBytesMax: 10)
        let ten = Array(repeating: 0x61 as UInt8, count: 10)
        #expect(Received(feeding: [Frame.text(ten)], limits: limits) == Received([.text("aaaaaaaaaa")]))
        #expect(Received(feeding: [Frame.text(ten + [0x61])], limits: limits) == Received([], .messageTooBig))
        let joined = Frame.text(Array(ten[..<6]), fin: false) + Frame.more(Array(ten[6...]), fin: true)
        #expect(Received(feeding: [joined], limits: limits) == Received([.text("aaaaaaaaaa")]))
        let over = Frame.text(Array(ten[..<6]), fin: false) + Frame.header(0x00, 5, lengthBytes: 0)
        #expect(Received(feeding: [over], limits: limits) == Received([], .messageTooBig))
    }

    @Test(arguments: [0, -1, Int.max, Int.min]) func anyLimitIsSafe(messageBytesMax: Int) {
        let limits = WebSocketLimits(messageBytesMax: messageBytesMax, fragmentsMax: messageBytesMax)
        let huge = Frame.header(0x81, Int.max, lengthBytes: 8)
        #expect(Received(feeding: [huge], limits: limits) == Received([], .messageTooBig))
        #expect(Received(feeding: [Frame.text([])], limits: limits) == Received([.text("")]))
    }

    @Test func fragmentsAreCounted() {
        let limits = WebSocketLimits(fragmentsMax: 3)
        let three = Frame.text([], fin: false) + Frame.more([], fin: false) + Frame.more([], fin: true)
        let four = Frame.text([], fin: false) + Frame.more([], fin: false) + Frame.more([], fin: false)
        #expect(Received(feeding: [three + three], limits: limits) == Received([.text(""), .text("")]))
        #expect(
            Received(feeding: [four + Frame.more([], fin: true)], limits: limits) == Received([], .tooManyFragments))
    }

    @Test func binaryIsTextUnlessTheLimitsSayOtherwise() {
        let text = Frame.binary(Array("{}é".utf8))
        let bytes = Frame.binary([0xFF, 0x00])
        #expect(Received(feeding: [text]) == Received([.binary(Array("{}é".utf8))]))
        #expect(Received(feeding: [bytes]) == Received([], .notText))
        #expect(Received(feeding: [Frame.binary([0xC3])]) == Received([], .notText))
        let any = WebSocketLimits(binaryMustBeText: false)
        #expect(Received(feeding: [bytes], limits: any) == Received([.binary([0xFF, 0x00])]))
    }

    @Test func failuresHaveTheirCodesAndShortTexts() {
        let codes: [WebSocketFailure: UInt16] = [
            .messageTooBig: 1009, .tooManyFragments: 1009, .invalidUTF8: 1007, .notText: 1003,
        ]
        for failure in WebSocketFailure.allCases {
            #expect(failure.closeCode == codes[failure] ?? 1002)
            #expect(failure.text.utf8.count <= 123 && failure.text.allSatisfy(\.isASCII))
        }
    }

    @Test func theAssemblyIsFreedByTheNextCall() throws {
        var receiver = WebSocketReceiver()
        var bytes = Frame.text([0x61], fin: false) + Frame.more([0x62], fin: true)
        var offset = 0
        let first = try bytes.withUnsafeMutableBufferPointer {
            try receiver.next($0, from: &offset, limits: .init())
        }
        #expect(first == .message(.assembled, isText: true) && receiver.assembly == [0x61, 0x62])
        let second = try bytes.withUnsafeMutableBufferPointer {
            try receiver.next($0, from: &offset, limits: .init())
        }
        #expect(second == .needMore(bytesMin: 2) && receiver.assembly.capacity == 0)
    }

    @Test func nothingIsReadAfterAnError() throws {
        var receiver = WebSocketReceiver()
        var bytes: [UInt8] = Frame.raw(0x83, []) + Frame.text([0x61])
        var offset = 0
        #expect(throws: WebSocketFailure.reservedOpcode) {
            _ = try bytes.withUnsafeMutableBufferPointer { try receiver.next($0, from: &offset, limits: .init()) }
        }
        let event = try bytes.withUnsafeMutableBufferPointer { try receiver.next($0, from: &offset, limits: .init()) }
        #expect(event == .needMore(bytesMin: 2) && offset == bytes.count)
    }

    @Test func badTextFailsBeforeItsFrameIsWhole() {
        let frame = Frame.text(Array("abcdefgh".utf8) + [0xFF] + Array(repeating: 0x61, count: 5_000))
        #expect(Received(feeding: [Array(frame[..<17])]) == Received([], .invalidUTF8))
        #expect(Received(feeding: [Array(frame[..<16])]) == Received())
    }

    @Test(arguments: 0..<200) func anyConversationSurvivesAnyCut(seed: Int) {
        var random = SeededRandom(seed: seed)
        var (bytes, items): ([UInt8], [Received.Item]) = ([], [])
        for _ in 0..<random.int(1...12) { appendMessage(&random, &bytes, &items) }
        if random.oneIn(3) {
            bytes += Frame.close(4000, Array("bye".utf8)) + random.bytes(20)
            items.append(.close(4000, "bye"))
        }
        let expected = Received(items)
        #expect(Received(feeding: [bytes]) == expected)
        #expect(Received(feeding: random.pieces(of: bytes, most: 7)) == expected)
        #expect(Received(feeding: random.pieces(of: bytes, most: 300)) == expected)
    }

    @Test(arguments: 0..<200) func garbageGivesTheSameAnswerInAnyPieces(seed: Int) {
        var random = SeededRandom(seed: seed)
        var (bytes, items): ([UInt8], [Received.Item]) = ([], [])
        for _ in 0..<4 { appendMessage(&random, &bytes, &items) }
        for _ in 0..<random.int(1...4) { bytes[random.int(0...bytes.count - 1)] = random.bytes(1)[0] }
        let limits = WebSocketLimits(messageBytesMax: 5_000, fragmentsMax: 4)
        let whole = Received(feeding: [bytes], limits: limits)
        #expect(Received(feeding: bytes.map { [$0] }, limits: limits) == whole)
        #expect(Received(feeding: random.pieces(of: bytes, most: 40), limits: limits) == whole)
    }

    private func appendMessage(_ random: inout SeededRandom, _ bytes: inout [UInt8], _ items: inout [Received.Item]) {
        let payload = random.text(random.pick([0, 1, 3, 20, 125, 126, 400]))
        let short = Array(payload.prefix(125))
        switch random.int(0...4) {
        case 0:
            bytes += Frame.ping(short)
            items.append(.ping(short))
        case 1:
            bytes += Frame.pong(short)
            items.append(.pong(short))
        case 2:
            bytes += Frame.text(payload)
            items.append(.text(String(decoding: payload, as: UTF8.self)))
        case 3:
            bytes += Frame.binary(payload)
            items.append(.binary(payload))
        default:
            bytes += Frame.text([], fin: false)
            for piece in random.pieces(of: payload, most: 200) {
                bytes += Frame.more(piece, fin: false)
                guard random.oneIn(3) else { continue }
                bytes += Frame.ping([7])
                items.append(.ping([7]))
            }
            bytes += Frame.more([], fin: true)
            items.append(.text(String(decoding: payload, as: UTF8.self)))
        }
    }
}
