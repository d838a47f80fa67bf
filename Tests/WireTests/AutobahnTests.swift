import TestSupport
import Testing
import Wire

/// The cases of the Autobahn fuzzing client that concern frames, by their numbers; the real client runs in the long suite.
@Suite("WebSocket frames, by Autobahn's numbers (RFC 6455)") struct AutobahnTests {
    typealias Case = Row<(bytes: [UInt8], expected: Received)>

    static let sizes = [0, 125, 126, 127, 128, 65_535, 65_536]

    static let framing: [Case] =
        sizes.enumerated().flatMap { index, size in
            [
                row(
                    "1.1.\(index + 1) text of \(size)", Frame.text(stars(size)),
                    .text(String(repeating: "*", count: size))),
                row("1.2.\(index + 1) binary of \(size)", Frame.binary(stars(size)), .binary(stars(size))),
            ]
        } + [
            row("2.1 empty ping", Frame.ping([]), .ping([])),
            row("2.2 ping with text", Frame.ping(bytes("Hello, world!")), .ping(bytes("Hello, world!"))),
            row("2.3 ping with bytes", Frame.ping([0, 0xFF, 0xFE, 0xFD]), .ping([0, 0xFF, 0xFE, 0xFD])),
            row("2.4 ping of 125", Frame.ping(stars(125)), .ping(stars(125))),
            row("2.5 ping of 126", Frame.raw(0x89, stars(126)), fails: .controlTooLong),
            row("2.7 unsolicited empty pong", Frame.pong([]), .pong([])),
            row("2.8 unsolicited pong", Frame.pong([1]), .pong([1])),
            row("2.9 pong, then ping", Frame.pong([1]) + Frame.ping([2]), .pong([1]), .ping([2])),
            row("2.10 ten pings", (0..<10).flatMap { Frame.ping([$0]) }, items: (0..<10).map { .ping([$0]) }),
            row("3.1 RSV1..3 = 1", Frame.raw(0x91, [1]), fails: .reservedBits),
            row("3.2 good, RSV 2, ping", Frame.text([0x61]) + Frame.raw(0xA1, []), .text("a"), fails: .reservedBits),
            row("3.3 RSV 3", Frame.raw(0xB1, [1]), fails: .reservedBits),
            row("3.4 RSV 4 (deflate)", Frame.raw(0xC1, [1]), fails: .reservedBits),
            row("3.5 RSV 5 binary", Frame.raw(0xD2, [1]), fails: .reservedBits),
            row("3.6 RSV 6 ping", Frame.raw(0xE9, [1]), fails: .reservedBits),
            row("3.7 RSV 7 close", Frame.raw(0xF8, [3, 0xE8]), fails: .reservedBits),
            row("9.1.6 text of 4 MiB", Frame.text(stars(1 << 22)), .text(String(repeating: "*", count: 1 << 22))),
            row("9.2.6 binary of 4 MiB", Frame.binary(stars(1 << 22)), .binary(stars(1 << 22))),
            row(
                "10.1.1 text of 64 KiB in 1300s", chopped(65_536, by: 1_300),
                .text(String(repeating: "*", count: 65_536))),
        ] + (3...7).map { row("4.1.\($0 - 2) opcode \($0)", Frame.raw(0x80 | $0, [1]), fails: .reservedOpcode) }
        + (11...15).map { row("4.2.\($0 - 10) opcode \($0)", Frame.raw(0x80 | $0, []), fails: .reservedOpcode) }

    static let fragments: [Case] = [
        row("5.1 ping in two", Frame.raw(0x09, [1]) + Frame.more([2], fin: true), fails: .fragmentedControl),
        row("5.2 pong in two", Frame.raw(0x0A, [1]) + Frame.more([2], fin: true), fails: .fragmentedControl),
        row("5.3 text in two", Frame.text([0x61], fin: false) + Frame.more([0x62], fin: true), .text("ab")),
        row(
            "5.6 text in two, ping between",
            Frame.text([0x61], fin: false) + Frame.ping([9]) + Frame.more([0x62], fin: true),
            .ping([9]), .text("ab")),
        row("5.9 continuation of nothing", Frame.more([0x61], fin: true), fails: .unexpectedContinuation),
        row("5.10 continuation, then text", Frame.more([], fin: true) + Frame.text([]), fails: .unexpectedContinuation),
        row("5.12 open continuation of nothing", Frame.more([0x61], fin: false), fails: .unexpectedContinuation),
        row(
            "5.15 continuation after the end",
            Frame.text([0x61], fin: false) + Frame.more([0x62], fin: true) + Frame.more([0x63], fin: false),
            .text("ab"),
            fails: .unexpectedContinuation),
        row(
            "5.16 continuation, text open, continuation", Frame.more([], fin: false) + Frame.text([], fin: false),
            fails: .unexpectedContinuation),
        row("5.18 text in text", Frame.text([0x61], fin: false) + Frame.text([0x62]), fails: .expectedContinuation),
        row(
            "5.18b binary in text", Frame.text([0x61], fin: false) + Frame.binary([0x62]), fails: .expectedContinuation),
        row(
            "5.19 text in five, pings between",
            Frame.text(bytes("f1"), fin: false) + Frame.more(bytes("f2"), fin: false) + Frame.ping([1])
                + Frame.more(bytes("f3"), fin: false) + Frame.more(bytes("f4"), fin: false) + Frame.ping([2])
                + Frame.more(bytes("f5"), fin: true), .ping([1]), .ping([2]), .text("f1f2f3f4f5")),
        row(
            "two messages of fragments",
            Frame.text([], fin: false) + Frame.more([], fin: true) + Frame.binary([1], fin: false)
                + Frame.more([2], fin: true), .text(""), .binary([1, 2])),
    ]

    static let utf8: [Case] = [
        row("6.1.1 empty text", Frame.text([]), .text("")),
        row(
            "6.1.2 three empty fragments",
            Frame.text([], fin: false) + Frame.more([], fin: false) + Frame.more([], fin: true), .text("")),
        row("6.2.1 valid", Frame.text(bytes("Hello-µ@ßöäüàá-UTF-8!!")), .text("Hello-µ@ßöäüàá-UTF-8!!")),
        row("6.2.3 a byte per fragment", perByte("Hello-µ@ßöäüàá"), .text("Hello-µ@ßöäüàá")),
        row("6.3.1 invalid", Frame.text(bytes("κόσμε") + [0xED, 0xA0, 0x80] + bytes("edited")), fails: .invalidUTF8),
        row(
            "6.3.2 invalid, a byte per fragment", Frame.text([0xCE], fin: false) + Frame.more([0x20], fin: false),
            fails: .invalidUTF8),
        row(
            "6.4.1 fails in the second fragment",
            Frame.text(bytes("κόσμε"), fin: false) + Frame.more([0xF4, 0x90], fin: false),
            fails: .invalidUTF8),
        row(
            "6.4.3 fails inside a frame",
            Array(Frame.text(bytes("κόσμε") + [0xF4, 0x90, 0x80, 0x80] + stars(99)).dropLast(101)),
            fails: .invalidUTF8),
        row("6.5 cut at the end of the message", Frame.text(bytes("κ").dropLast()), fails: .invalidUTF8),
        row(
            "6.5b cut at the end of the last fragment", Frame.text([0xCE], fin: false) + Frame.more([], fin: true),
            fails: .invalidUTF8),
        row(
            "6.6 every valid length", Frame.text(bytes("\u{7F}\u{7FF}\u{FFFF}\u{10FFFF}")),
            .text("\u{7F}\u{7FF}\u{FFFF}\u{10FFFF}")),
        row("6.12 continuation bytes alone", Frame.text([0x80, 0xBF]), fails: .invalidUTF8),
        row("6.18 overlong", Frame.text([0xC0, 0xAF]), fails: .invalidUTF8),
        row("6.21 surrogates", Frame.text([0xED, 0xAF, 0xBF, 0xED, 0xBF, 0xBF]), fails: .invalidUTF8),
        row("6.22 noncharacters are fine", Frame.text(bytes("\u{FFFE}\u{1FFFF}")), .text("\u{FFFE}\u{1FFFF}")),
        row(
            "a pong is no part of the text",
            Frame.text([0xCE], fin: false) + Frame.pong([0xFF]) + Frame.more([0xBA], fin: true), .pong([0xFF]),
            .text("κ")),
    ]

    static let closes: [Case] =
        [
            row("7.1.1 text, close", Frame.text([0x61]) + Frame.close(1000), .text("a"), .close(1000, "")),
            row("7.1.2 close, close", Frame.close(1000) + Frame.close(1001), .close(1000, "")),
            row("7.1.4 close, text", Frame.close(1000) + Frame.text([0x61]), .close(1000, "")),
            row("7.1.5 open message, close", Frame.text([0x61], fin: false) + Frame.close(1000), .close(1000, "")),
            row("7.3.1 empty close", Frame.raw(0x88, []), .close(nil, "")),
            row("7.3.2 close of one byte", Frame.raw(0x88, [0x61]), fails: .shortClosePayload),
            row("7.3.4 close with a reason", Frame.close(1000, bytes("Hello World!")), .close(1000, "Hello World!")),
            row(
                "7.3.5 longest reason", Frame.close(1000, stars(123)), .close(1000, String(repeating: "*", count: 123))),
            row("7.3.6 close of 126", Frame.raw(0x88, [3, 0xE8] + stars(124)), fails: .controlTooLong),
            row("7.5.1 reason not UTF-8", Frame.close(1000, [0xED, 0xA0, 0x80]), fails: .invalidUTF8),
            row("7.5.1b reason cut in a character", Frame.close(1000, [0xCE]), fails: .invalidUTF8),
        ]
        + [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map {
            row("7.7 code \($0)", Frame.close($0), .close($0, ""))
        }
        + [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map {
            row("7.9 code \($0)", Frame.close($0), fails: .invalidCloseCode)
        }

    static let lengths: [Case] = [
        row("5 in two bytes", Frame.raw(0x81, stars(5), lengthBytes: 2), fails: .nonMinimalLength),
        row("125 in two bytes", Frame.raw(0x81, stars(125), lengthBytes: 2), fails: .nonMinimalLength),
        row("5 in eight bytes", Frame.raw(0x81, stars(5), lengthBytes: 8), fails: .nonMinimalLength),
        row("65535 in eight bytes", Frame.raw(0x81, stars(65_535), lengthBytes: 8), fails: .nonMinimalLength),
        row("2^63 (CVE-2026-27889)", Frame.header(0x81, Int.min, lengthBytes: 8), fails: .lengthOutOfRange),
        row("2^64 - 1", Frame.header(0x81, -1, lengthBytes: 8), fails: .lengthOutOfRange),
        row("2^63 - 1", Frame.header(0x81, Int.max, lengthBytes: 8), fails: .messageTooBig),
        row(
            "over the limit, header only", Array(Frame.header(0x81, 1 << 24 + 1, lengthBytes: 8).prefix(10)),
            fails: .messageTooBig),
        row("a ping with an extended length", Frame.header(0x89, 5, lengthBytes: 2), fails: .controlTooLong),
        row("unmasked text", [0x81, 0x01, 0x61], fails: .unmasked),
        row("unmasked empty ping", [0x89, 0x00], fails: .unmasked),
        row("HTTP instead of a frame", bytes("GET / HTTP/1.1\r\n"), fails: .reservedBits),
    ]

    @Test(arguments: framing + lengths) func framesAreRead(_ row: Case) { check(row) }
    @Test(arguments: fragments) func fragmentsAreJoined(_ row: Case) { check(row) }
    @Test(arguments: utf8) func textIsUTF8(_ row: Case) { check(row) }
    @Test(arguments: closes) func closesAreChecked(_ row: Case) { check(row) }

    /// The whole at once, byte by byte, and every way to cut it in two: the answer does not depend on the pieces.
    private func check(_ row: Case) {
        // Binary cases of Autobahn are for an echo server.
        let limits = WebSocketLimits(messageBytesMax: 1 << 24, binaryMustBeText: false)
        let (bytes, expected) = row.value
        #expect(Received(feeding: [bytes], limits: limits) == expected)
        guard bytes.count < 500 else { return }
        #expect(Received(feeding: bytes.map { [$0] }, limits: limits) == expected)
        for cut in 0...bytes.count {
            let pieces = [Array(bytes[..<cut]), Array(bytes[cut...])]
            #expect(Received(feeding: pieces, limits: limits) == expected, "cut at \(cut)")
        }
    }

    private static func row(
        _ name: String, _ bytes: [UInt8], _ items: Received.Item..., fails failure: WebSocketFailure? = nil
    ) -> Case { Row(name, (bytes, Received(items, failure))) }

    private static func row(_ name: String, _ bytes: [UInt8], items: [Received.Item]) -> Case {
        Row(name, (bytes, Received(items)))
    }

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
    private static func stars(_ count: Int) -> [UInt8] { Array(repeating: 0x2A, count: count) }

    private static func perByte(_ text: String) -> [UInt8] {
        Frame.text([], fin: false) + text.utf8.flatMap { Frame.more([$0], fin: false) } + Frame.more([], fin: true)
    }

    private static func chopped(_ count: Int, by size: Int) -> [UInt8] {
        var out = Frame.text([], fin: false)
        for start in stride(from: 0, to: count, by: size) {
            out += Frame.more(stars(min(size, count - start)), fin: false)
        }
        return out + Frame.more([], fin: true)
    }
}
