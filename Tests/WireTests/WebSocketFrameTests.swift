import TestSupport
import Testing
import Wire

@Suite("WebSocket frames, written") struct WebSocketFrameTests {
    @Test(
        arguments: [
            (0, [0x81, 0]), (125, [0x81, 125]), (126, [0x81, 126, 0, 126]), (65_535, [0x81, 126, 0xFF, 0xFF]),
            (65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])]) func headersAreShortest(_ count: Int, _ header: [UInt8])
    {
        var out: [UInt8] = []
        WebSocketFrame.appendHeader(.text, payloadBytes: count, to: &out)
        #expect(out == header && WebSocketFrame.headerBytes(payloadBytes: count) == header.count)
        #expect(WebSocketFrame.length(of: out.span, at: 0) == header.count + count)
        for cut in 0..<header.count {
            #expect(WebSocketFrame.length(of: out.span.extracting(0..<cut), at: 0) == nil)
        }
    }

    @Test func aFrameOfAbsurdLengthIsNotATrap() {
        let bytes = [0x82, 127] + Array(repeating: 0xFF as UInt8, count: 8)
        #expect(WebSocketFrame.length(of: bytes.span, at: 0) == Int.max)
        #expect(WebSocketFrame.length(of: bytes.span, at: 99) == nil)
    }

    @Test func aReasonIsCutBetweenCharacters() {
        var out: [UInt8] = []
        WebSocketFrame.appendClose(code: 4200, reason: "back soon", to: &out)
        #expect(out == [0x88, 11, 0x10, 0x68] + Array("back soon".utf8))
        let long = String(repeating: "a", count: 122) + "é"
        out = []
        WebSocketFrame.appendClose(code: 1000, reason: long, to: &out)
        #expect(out.count == 2 + 2 + 122 && UTF8Check.isValid(out.span.extracting(4..<out.count)))
        out = []
        WebSocketFrame.appendClose(code: 1000, reason: String(repeating: "€", count: 60), to: &out)
        #expect(out.count == 2 + 2 + 123 && out[1] == 125)
    }

    @Test(arguments: 0..<40) func maskingAgreesWithTheDefinitionAtEveryPhase(count: Int) {
        var random = SeededRandom(seed: count)
        let plain = random.bytes(count)
        let key = UInt32(truncatingIfNeeded: random.next())
        for phase in 0..<9 {
            let expected = plain.enumerated().map {
                $1 ^ UInt8(truncatingIfNeeded: key >> (8 * UInt32(($0 + phase) & 3)))
            }
            var bytes = plain
            bytes.withUnsafeMutableBufferPointer { WebSocketFrame.unmask($0, key: key, phase: phase) }
            #expect(bytes == expected, "phase \(phase)")
        }
    }

    @Test(arguments: [0, 1, 125, 126, 70_000]) func aMaskedFrameIsReadBack(count: Int) {
        let payload = Array(repeating: 0x7A as UInt8, count: count)
        var out: [UInt8] = []
        WebSocketFrame.appendMasked(.text, payload: payload.span, key: 0x0403_0201, to: &out)
        #expect(Received(feeding: [out]) == Received([.text(String(decoding: payload, as: UTF8.self))]))
        #expect(Array(out[(out.count - count - 4)...].prefix(4)) == [1, 2, 3, 4])
    }

    @Test func handshakeKeysAreSixteenBytes() {
        for (key, expected) in [
            ("dGhlIHNhbXBsZSBub25jZQ==", true), ("", false), ("dGhlIHNhbXBsZSBub25jZQ=", false),
            ("dGhlIHNhbXBsZSBub25jZSEh", false), ("dGhlIHNhbXBsZSBub25j*Q==", false),
        ] {
            let bytes = Array(key.utf8)
            let answer = WebSocketHandshake.isValidKey(bytes.span)
            #expect(answer == expected)
        }
    }

    @Test func theHandshakeAnswerIsExact() {
        let (accept, first) = (Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8), Array("chat".utf8))
        let digest = Base64.decode(accept.span) ?? []
        let date = HTTPDate(unixSeconds: 784_111_777)
        var out: [UInt8] = []
        WebSocketHandshake.appendResponse(digest: digest.span, date: date, subprotocol: first.span, to: &out)
        #expect(
            String(decoding: out, as: UTF8.self)
                == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
        )
        out = []
        WebSocketHandshake.appendResponse(
            digest: digest.span, date: date, subprotocol: nil, extraHeaders: "X-A: 1\r\n", to: &out)
        #expect(String(decoding: out, as: UTF8.self).hasSuffix("xOo=\r\nX-A: 1\r\n\r\n"))
    }
}
