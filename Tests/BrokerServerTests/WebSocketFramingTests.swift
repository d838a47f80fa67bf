#if DEBUG
    @testable import BrokerCore
    @testable import BrokerServer
    import Testing
    import Wire

    /// The one place that knows how a message becomes a frame (RFC 6455 §5.2).
    @Suite("WebSocketFraming") struct WebSocketFramingTests {
        @Test(arguments: [1, 125, 126, 65_535, 65_536])
        func theHeaderStandsRightBeforeTheText(payloadBytes: Int) {
            var memory = [UInt8](repeating: 0xEE, count: WebSocketFraming.headroomBytes)
            memory += [UInt8](repeating: UInt8(ascii: "x"), count: payloadBytes)
            let frame = memory.withUnsafeMutableBytes { bytes in
                Array(
                    WebSocketFraming.frame(Message(bytes: bytes, headroomBytes: WebSocketFraming.headroomBytes)))
            }
            var wanted: [UInt8] = []
            WebSocketFrame.appendHeader(.text, payloadBytes: payloadBytes, to: &wanted)
            let headerBytes = wanted.count
            wanted += [UInt8](repeating: UInt8(ascii: "x"), count: payloadBytes)
            #expect(frame == wanted)
            let untouched = memory.prefix(WebSocketFraming.headroomBytes - headerBytes)
            #expect(untouched.allSatisfy { $0 == 0xEE }, "what the header does not need stays")
        }
    }
#endif
