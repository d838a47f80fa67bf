import TestSupport
import Testing
import Wire

@Suite("PROXY headers (HAProxy: proxy-protocol.txt)") struct ProxyHeaderTests {
    typealias Outcome = Result<ProxyHeader?, ProxyHeader.Fault>

    static func read(_ bytes: [UInt8]) -> Outcome {
        Result { () throws(ProxyHeader.Fault) in try ProxyHeader.parse(bytes.span) }
    }

    /// Who is told, as `address port`; `-`: nobody.
    static func told(_ bytes: [UInt8]) -> String {
        switch read(bytes) {
        case .success(nil): "more"
        case .success(let header?): header.client.map { "\($0.address) \($0.port)" } ?? "-"
        case .failure(let fault): "\(fault)"
        }
    }

    // MARK: Version 1

    static let lines: [Row<(String, String)>] = [
        Row("IPv4", ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1 56324")),
        Row("IPv6", ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", "2001:db8::1 1")),
        Row(
            "the longest IPv4", ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255 65535")),
        Row("port 0", ("PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n", "192.0.2.1 0")),
        Row("IPv4 written as IPv6", ("PROXY TCP6 ::ffff:192.0.2.1 ::1 5 6\r\n", "192.0.2.1 5")),
        Row("unknown", ("PROXY UNKNOWN\r\n", "-")),
        Row("unknown, with what its sender knows", ("PROXY UNKNOWN ffff::1 x 99999 -\r\n", "-")),
        Row("no line at all", ("GET / HTTP/1.1\r\n\r\n", "noHeader")),
        Row("a TLS hello", ("\u{16}\u{3}\u{1}", "noHeader")),
        Row("another case", ("Proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "noHeader")),
        Row("a word that begins alike", ("PROXYTCP4 192.0.2.1 192.0.2.2 1 2\r\n", "noHeader")),
        Row("no carriage return", ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "line")),
        Row("a carriage return too early", ("PROXY UNKNOWN\rGET /\r\n", "line")),
        Row("two of them", ("PROXY UNKNOWN x\rGET /\r\n", "line")),
        Row("UDP", ("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "line")),
        Row("nothing", ("PROXY \r\n", "line")),
        Row("no ports", ("PROXY TCP4 192.0.2.1 192.0.2.2\r\n", "line")),
        Row("a word more", ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "line")),
        Row("two spaces", ("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n", "line")),
        Row("a space at the end", ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", "line")),
        Row("a port too large", ("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "line")),
        Row("their port too large", ("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "line")),
        Row("a port with a zero before it", ("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "line")),
        Row("a port with a sign", ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", "line")),
        Row("an octal address", ("PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n", "line")),
        Row("their address is none", ("PROXY TCP4 192.0.2.1 localhost 1 2\r\n", "line")),
        Row("IPv6 of a TCP4 connection", ("PROXY TCP4 ::1 ::2 1 2\r\n", "line")),
        Row("IPv4 of a TCP6 connection", ("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "line")),
        Row("107 bytes", ("PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n", "-")),
        Row("108 bytes", ("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n", "tooLong")),
        Row("a line that does not end", ("PROXY UNKNOWN " + String(repeating: "x", count: 92), "more")),
        Row(
            "a line that does not end, and a byte more",
            ("PROXY UNKNOWN " + String(repeating: "x", count: 93), "tooLong")),
    ]

    @Test(arguments: lines) func aLine(_ row: Row<(String, String)>) {
        #expect(Self.told(Array(row.value.0.utf8)) == row.value.1)
    }

    // MARK: Version 2

    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    static let four: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 0x04, 1, 0xBB]
    static let six: [UInt8] =
        [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [1] + [UInt8](repeating: 2, count: 16) + [0, 5, 0, 6]

    static func binary(_ command: UInt8, _ family: UInt8, _ block: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? block.count
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + block
    }

    static let blocks: [Row<([UInt8], String)>] = [
        Row("IPv4", (binary(0x21, 0x11, four), "192.0.2.1 56324")),
        Row("IPv6", (binary(0x21, 0x21, six), "2001:db8::1 5")),
        Row(
            "IPv4 written as IPv6",
            (binary(0x21, 0x21, [UInt8](repeating: 0, count: 10) + [255, 255, 9, 8, 7, 6] + six[16...]), "9.8.7.6 5")),
        Row("IPv4, with TLVs", (binary(0x21, 0x11, four + [4, 0, 2, 9, 9, 0x20, 0, 1, 7]), "192.0.2.1 56324")),
        Row("datagrams", (binary(0x21, 0x12, four), "192.0.2.1 56324")),
        Row("a local socket", (binary(0x21, 0x31, [UInt8](repeating: 0x61, count: 216)), "-")),
        Row("unspecified", (binary(0x21, 0x00, []), "-")),
        Row("unspecified, with what its sender knows", (binary(0x21, 0x00, four), "-")),
        Row("a family without a protocol", (binary(0x21, 0x10, four), "-")),
        Row("of the proxy itself", (binary(0x20, 0x00, []), "-")),
        Row("of the proxy itself, and the rest says nothing", (binary(0x20, 0xFF, [1, 2, 3]), "-")),
        Row("of the proxy itself, with addresses", (binary(0x20, 0x11, four), "-")),
        Row("version 1 in binary", (binary(0x11, 0x11, four), "version")),
        Row("version 3", (binary(0x31, 0x11, four), "version")),
        Row("an unknown command", (binary(0x22, 0x11, four), "command")),
        Row("an unknown family", (binary(0x21, 0x41, four), "family")),
        Row("an unknown protocol", (binary(0x21, 0x13, four), "family")),
        Row("half an IPv4 block", (binary(0x21, 0x11, Array(four[..<11])), "length")),
        Row("an IPv4 block for IPv6", (binary(0x21, 0x21, four), "length")),
        Row("a byte less than IPv6", (binary(0x21, 0x21, Array(six[..<35])), "length")),
        Row("a byte less than a local socket", (binary(0x21, 0x31, [UInt8](repeating: 0, count: 215)), "length")),
        Row(
            "as long as it may be", (binary(0x21, 0x11, four + [UInt8](repeating: 0, count: 4_068)), "192.0.2.1 56324")),
        Row("a byte longer", (binary(0x21, 0x11, four + [UInt8](repeating: 0, count: 4_069)), "tooLong")),
        Row("longer than anything, and not here", (binary(0x20, 0x00, [], length: 65_535), "tooLong")),
        Row("another signature", (signature[..<11] + [0x0B], "noHeader")),
        Row("the block is not here yet", (binary(0x21, 0x11, Array(four[..<11]), length: 12), "more")),
        Row("nothing", ([], "more")),
    ]

    @Test(arguments: blocks) func aBlock(_ row: Row<([UInt8], String)>) {
        #expect(Self.told(row.value.0) == row.value.1)
    }

    /// The TLVs behind the addresses, and whether they say that the client speaks TLS.
    static let vectors: [Row<([UInt8], Bool)>] = [
        Row("none", ([], false)),
        Row("TLS", ([0x20, 0, 5, 1, 0, 0, 0, 0], true)),
        Row("TLS, and a certificate", ([0x20, 0, 5, 7, 0, 0, 0, 0], true)),
        Row("no TLS", ([0x20, 0, 5, 0, 0, 0, 0, 1], false)),
        Row("a certificate without TLS", ([0x20, 0, 5, 6, 0, 0, 0, 0], false)),
        Row(
            "with its version and cipher in it", ([0x20, 0, 13, 1, 0, 0, 0, 0, 0x21, 0, 5, 84, 76, 83, 118, 49], true)),
        Row("behind others", ([4, 0, 2, 0x20, 0x20, 1, 0, 0, 0x20, 0, 5, 1, 0, 0, 0, 0, 5, 0, 1, 9], true)),
        Row("in the value of another", ([4, 0, 8, 0x20, 0, 5, 1, 0, 0, 0, 0], false)),
        Row("longer than the header", ([0x20, 0, 6, 1, 0, 0, 0, 0], false)),
        Row("its length is cut off", ([0x20, 0], false)),
        Row("without a verdict", ([0x20, 0, 4, 1, 0, 0, 0], false)),
        Row("behind one that is longer than the header", ([4, 1, 0, 0x20, 0, 5, 1, 0, 0, 0, 0], false)),
    ]

    @Test(arguments: vectors) func theTLVsTellOfTLS(_ row: Row<([UInt8], Bool)>) throws {
        func isSecured(_ command: UInt8, _ family: UInt8, _ block: [UInt8]) throws -> Bool? {
            try Self.read(Self.binary(command, family, block)).get()?.isSecured
        }
        #expect(try isSecured(0x21, 0x11, Self.four + row.value.0) == row.value.1)
        #expect(try isSecured(0x21, 0x21, Self.six + row.value.0) == row.value.1)
        #expect(try isSecured(0x21, 0x31, [UInt8](repeating: 0x20, count: 216) + row.value.0) == row.value.1)
        // Of a connection of the proxy's own they say nothing.
        #expect(try isSecured(0x20, 0x11, Self.four + row.value.0) == false)
        #expect(try isSecured(0x21, 0x00, row.value.0) == false)
    }

    // MARK: Both

    static let whole: [[UInt8]] = [
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".utf8), Array("PROXY UNKNOWN\r\n".utf8),
        binary(0x21, 0x21, six + [1, 0, 1, 0]), binary(0x20, 0, []),
    ]

    @Test(arguments: whole) func noByteIsMissingAndNoneIsTooMany(_ header: [UInt8]) throws {
        for count in 0..<header.count { #expect(Self.read(Array(header[..<count])) == .success(nil), "\(count) bytes") }
        let read = try #require(try Self.read(header).get())
        #expect(read.byteCount == header.count)
        #expect(Self.read(header + Array("GET / HTTP/1.1\r\n\r\n".utf8)) == .success(read))
        #expect(Self.read(header + header) == .success(read))
    }

    @Test(arguments: 0..<200) func whatIsRefusedStaysRefused(seed: Int) {
        var random = SeededRandom(seed: seed)
        var bytes = random.pick(Self.whole) + random.bytes(20)
        for _ in 0...random.int(0...3) { bytes[random.int(0...bytes.count - 1)] = random.bytes(1)[0] }
        var refused: Outcome?
        for count in 0...bytes.count {
            let outcome = Self.read(Array(bytes[..<count]))
            if let refused { #expect(outcome == refused, "\(count) bytes of \(bytes)") }
            if case .failure = outcome { refused = outcome }
        }
    }

    @Test func eachFaultHasASentenceOfItsOwn() {
        let texts = Set(ProxyHeader.Fault.allCases.map { "\($0.text)" })
        #expect(texts.count == ProxyHeader.Fault.allCases.count && texts.allSatisfy { $0.contains("PROXY header") })
    }
}
