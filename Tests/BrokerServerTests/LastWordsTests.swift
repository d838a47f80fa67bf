#if DEBUG
    @testable import BrokerServer
    import PusherProtocol
    import TestSupport
    import Testing

    @Suite("What a client is told at its end (PW-009, PW-018)") struct LastWordsTests {
        static let rows: [Row<(words: LastWords, bytes: [UInt8])>] = [
            Row("nothing", (.none, [])),
            Row("its own code back", (.echo(code: 1_001), [0x88, 2, 0x03, 0xE9])),
            Row("an empty close back", (.echo(code: nil), [0x88, 0])),
            Row("a close frame", (.close(code: 1_002, reason: "no"), [0x88, 4, 0x03, 0xEA] + "no".utf8)),
        ]

        @Test(arguments: rows) func areFrames(_ row: Row<(words: LastWords, bytes: [UInt8])>) {
            var bytes: [UInt8] = [9]
            row.value.words.append(to: &bytes)
            #expect(bytes == [9] + row.value.bytes)
        }

        @Test(arguments: PusherErrorCode.allCases) func anErrorIsSaidTwiceWithTheSameCode(code: PusherErrorCode) {
            var bytes: [UInt8] = []
            LastWords.error(code).append(to: &bytes)
            // A payload of 126 bytes and more has its length behind a 126.
            let start = bytes[1] < 126 ? 2 : 4
            let length = bytes[1] < 126 ? Int(bytes[1]) : Int(bytes[2]) << 8 | Int(bytes[3])
            let json = bytes[start..<start + length]
            #expect(bytes[0] == 0x81)
            let text = String(decoding: json, as: UTF8.self)
            #expect(text.contains(#""event":"pusher:error""#) && text.contains(#""code":\#(code.rawValue)"#))
            let close = bytes[json.endIndex...]
            #expect(close.first == 0x88)
            #expect(
                close.dropFirst(2).prefix(2).elementsEqual([UInt8(code.rawValue >> 8), UInt8(code.rawValue & 255)]))
            #expect(String(decoding: close.dropFirst(4), as: UTF8.self) == code.text)
        }
    }
#endif
