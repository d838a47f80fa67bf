/// What a proxy says of a connection before the connection's own first byte: whose it is, and whether it came by TLS. (HAProxy, "The PROXY protocol", versions 1 and 2)
///
/// ```
/// 1: PROXY TCP4 192.0.2.1 198.51.100.1 56324 443⏎        at most 107 bytes; TCP4, TCP6, UNKNOWN
///
///    0            12        13               14       16
/// 2: │ signature   │ 2│ cmd │ family│protocol │ length │ addresses, ports, TLVs…
///                      0: LOCAL  0: UNSPEC, 1: IPv4, 2: IPv6, 3: a local socket
///                      1: PROXY          0: UNSPEC, 1: STREAM, 2: DGRAM
/// ```
public struct ProxyHeader: Equatable, Sendable {
    public struct Client: Equatable, Sendable {
        public let address: IPAddress
        public let port: UInt16
    }

    /// Whom the proxy speaks for; nil: it speaks for itself (LOCAL), or does not say (UNKNOWN, UNSPEC, a local socket), and the connection
    /// is that of whoever made it.
    public let client: Client?
    /// The client speaks TLS with the proxy. Version 1 cannot say so; in version 2 it is a TLV (HAProxy: `send-proxy-v2-ssl`).
    public let isSecured: Bool
    /// The connection's own bytes begin here.
    public let byteCount: Int

    /// Why what a connection begins with is no header.
    public enum Fault: Error, Equatable, CaseIterable {
        case noHeader, line, tooLong, version, command, family, length

        public var text: StaticString {
            switch self {
            case .noHeader: "the connection does not begin with a PROXY header"
            case .line: "the line of the PROXY header (version 1) cannot be read"
            case .tooLong: "the PROXY header is longer than 107 bytes (version 1) or 4096 (version 2)"
            case .version: "the PROXY header has the signature of version 2 and another version"
            case .command: "the PROXY header (version 2) has an unknown command"
            case .family: "the PROXY header (version 2) has an unknown address family or protocol"
            case .length: "the PROXY header (version 2) is too short for its addresses"
            }
        }
    }

    /// Of version 2, with its TLVs; the format would allow 64 KiB, and nobody needs them.
    public static let bytesMax = 4_096
    /// Of version 1, with the line's end.
    public static let lineBytesMax = 107

    private static let word: StaticString = "PROXY "
    private static let signature: StaticString = "\r\n\r\n\0\r\nQUIT\n"
    private static let fixedBytes = 16

    /// Reads the header that a connection begins with. What follows it may be there already.
    /// - Returns: nil: more bytes are needed, which are at most `bytesMax` in all.
    public static func parse(_ bytes: Span<UInt8>) throws(Fault) -> ProxyHeader? {
        guard let first = bytes.isEmpty ? nil : bytes[0] else { return nil }
        let isLine = first == word.utf8Start[0]
        let start = isLine ? word : signature
        let known = min(bytes.count, start.utf8CodeUnitCount)
        for offset in 0..<known where bytes[offset] != start.utf8Start[offset] { throw .noHeader }
        return isLine ? try parseLine(bytes) : try parseBinary(bytes)
    }

    // MARK: Version 1

    private static func parseLine(_ bytes: Span<UInt8>) throws(Fault) -> ProxyHeader? {
        let room = min(bytes.count, lineBytesMax)
        let feed = bytes.firstOffset(of: UInt8(ascii: "\n"), in: 0..<room)
        guard feed < room else {
            if room == lineBytesMax { throw .tooLong }
            return nil
        }
        guard bytes.firstOffset(of: UInt8(ascii: "\r"), in: 0..<feed) == feed - 1 else { throw .line }
        let text = String(decoding: (0..<feed - 1).map { bytes[$0] }, as: UTF8.self)
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        // What stands behind UNKNOWN is of no interest to anybody.
        if words.count >= 2, words[1] == "UNKNOWN" {
            return ProxyHeader(client: nil, isSecured: false, byteCount: feed + 1)
        }
        guard words.count == 6, let colons = ["TCP4": false, "TCP6": true][words[1]],
            let source = address(words[2], colons), address(words[3], colons) != nil,
            let port = port(words[4]), Self.port(words[5]) != nil
        else { throw .line }
        return ProxyHeader(client: Client(address: source, port: port), isSecured: false, byteCount: feed + 1)
    }

    /// IPv4 that is written as IPv6 is that of a TCP6 connection.
    private static func address(_ text: Substring, _ hasColons: Bool) -> IPAddress? {
        text.contains(":") == hasColons ? IPAddress(text) : nil
    }

    /// Decimal, without leading zeros.
    private static func port(_ text: Substring) -> UInt16? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text == "0" || !text.hasPrefix("0") else {
            return nil
        }
        return UInt16(text)
    }

    // MARK: Version 2

    private static func parseBinary(_ bytes: Span<UInt8>) throws(Fault) -> ProxyHeader? {
        guard bytes.count >= fixedBytes else { return nil }
        guard bytes[12] >> 4 == 2 else { throw .version }
        guard bytes[12] & 15 <= 1 else { throw .command }
        let length = Int(number(bytes, 14, 2))
        let total = fixedBytes + length
        guard total <= bytesMax else { throw .tooLong }
        let isLocal = bytes[12] & 15 == 0
        let (family, kind) = (bytes[13] >> 4, bytes[13] & 15)
        // Of a connection of the proxy's own the rest says nothing.
        let isTold = !isLocal && family != 0 && kind != 0
        if !isLocal {
            guard family <= 3, kind <= 2 else { throw .family }
            if isTold, length < addressBytes(family) { throw .length }
        }
        guard bytes.count >= total else { return nil }
        guard isTold else { return ProxyHeader(client: nil, isSecured: false, byteCount: total) }
        return ProxyHeader(
            client: client(bytes, family), isSecured: saysTLS(bytes, fixedBytes + addressBytes(family)..<total),
            byteCount: total)
    }

    private static func addressBytes(_ family: UInt8) -> Int { [12, 36, 216][Int(family) - 1] }

    /// Looks for `PP2_TYPE_SSL` among the TLVs, each a type, two bytes of length and its value. Its value begins with flags, the lowest of which
    /// says that the client speaks TLS, and the verdict on its certificate.
    private static func saysTLS(_ bytes: Span<UInt8>, _ vectors: Range<Int>) -> Bool {
        var offset = vectors.lowerBound
        while offset + 3 <= vectors.upperBound {
            let (value, length) = (offset + 3, Int(number(bytes, offset + 1, 2)))
            guard value + length <= vectors.upperBound else { return false }
            if bytes[offset] == 0x20 { return length >= 5 && bytes[value] & 1 == 1 }
            offset = value + length
        }
        return false
    }

    private static func client(_ bytes: Span<UInt8>, _ family: UInt8) -> Client? {
        switch family {
        case 1:
            Client(
                address: IPAddress(ipv4: UInt32(truncatingIfNeeded: number(bytes, 16, 4))),
                port: UInt16(truncatingIfNeeded: number(bytes, 24, 2)))
        case 2:
            Client(
                address: IPAddress(high: number(bytes, 16, 8), low: number(bytes, 24, 8)),
                port: UInt16(truncatingIfNeeded: number(bytes, 48, 2)))
        default: nil
        }
    }

    /// In the order of the network.
    private static func number(_ bytes: Span<UInt8>, _ offset: Int, _ count: Int) -> UInt64 {
        (offset..<offset + count).reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
    }
}
