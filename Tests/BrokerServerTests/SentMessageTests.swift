#if DEBUG
    @testable import BrokerServer
    import TestSupport
    import Testing

    /// Where a message ends, so that a backlog that is dropped ends between two of them.
    @Suite("The length of what was sent") struct SentMessageTests {
        private static let head = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".utf8)

        static let rows: [Row<(bytes: [UInt8], length: Int?)>] = [
            Row("nothing", ([], nil)),
            Row("a text frame", ([0x81, 2, 0x68, 0x69], 4)),
            Row("a text frame whose payload is still to come", ([0x81, 2], 4)),
            Row("a text frame before another", ([0x81, 1, 0x68, 0x81, 1, 0x69], 3)),
            Row("a frame of another kind", ([0x80, 0], 2)),
            Row("a close frame", ([0x88, 2, 0x10, 0x68], 4)),
            Row("half the header of a frame", ([0x81, 126, 1], nil)),
            Row("a head and nothing else", (head, head.count)),
            Row("a head and its body", (head + Array("{}".utf8), head.count)),
            Row("a head without its end", (Array(head.dropLast()), nil)),
        ]

        @Test(arguments: rows) func isThatOfTheFirstMessage(_ row: Row<(bytes: [UInt8], length: Int?)>) {
            row.value.bytes.withUnsafeBufferPointer { #expect(SentMessage.length($0) == row.value.length) }
        }
    }
#endif
