/// Whom the nearest proxy speaks for, by `X-Forwarded-For`, or by `Forwarded` (RFC 7239 §4) when there is no other.
///
/// Each proxy appends the peer it saw, so the last entry is the word of the proxy in front of us. What stands before it was told to
/// that proxy, and is worth something only when the entry itself is a proxy of ours: so the client is the right-most entry that is none.
public enum ForwardedFor {
    /// - Parameters:
    ///   - head: a request's head, from its first byte to the empty line.
    ///   - isProxy: whether an address that was told is one whose own word counts.
    /// - Returns: the entry without quotes and brackets, and its port (0: none). When all are proxies, or what stands before them is
    ///   no address (`unknown`, `_hidden`), the last that was reached; nil when the last entry is no address.
    public static func client(
        inHead head: Span<UInt8>, past isProxy: (IPAddress) -> Bool
    ) -> (host: String, port: UInt16)? {
        var found: (host: String, port: UInt16)?
        let plain = HTTPText.values(of: "x-forwarded-for", inHead: head)
        for value in (plain.isEmpty ? HTTPText.values(of: "forwarded", inHead: head) : plain).reversed() {
            for item in items(of: value, in: head).reversed() {
                guard let node = plain.isEmpty ? forNode(item, head) : node(item, head),
                    let address = IPAddress(node.host)
                else { return found }
                found = node
                guard isProxy(address) else { return found }
            }
        }
        return found
    }

    /// The `for` of one element of `Forwarded`.
    private static func forNode(_ element: Range<Int>, _ head: Span<UInt8>) -> (host: String, port: UInt16)? {
        var start = element.lowerBound
        while start < element.upperBound {
            let end = head.firstOffset(of: UInt8(ascii: ";"), in: start..<element.upperBound)
            let equals = head.firstOffset(of: UInt8(ascii: "="), in: start..<end)
            if equals < end, HTTPText.equals(HTTPText.trimmed(start..<equals, in: head), "for", in: head) {
                return node(equals + 1..<end, head)
            }
            start = end + 1
        }
        return nil
    }

    private static func items(of value: Range<Int>, in head: Span<UInt8>) -> [Range<Int>] {
        var (items, offset) = ([Range<Int>](), value.lowerBound)
        while let item = HTTPText.nextItem(of: value, at: &offset, in: head) { items.append(item) }
        return items
    }

    /// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, each also in quotes.
    private static func node(_ range: Range<Int>, _ bytes: Span<UInt8>) -> (host: String, port: UInt16)? {
        var range = HTTPText.trimmed(range, in: bytes)
        let quote = UInt8(ascii: "\"")
        if range.count >= 2, bytes[range.lowerBound] == quote, bytes[range.upperBound - 1] == quote {
            range = range.lowerBound + 1..<range.upperBound - 1
        }
        guard !range.isEmpty, range.count <= 64 else { return nil }
        let text = String(decoding: range.map { bytes[$0] }, as: UTF8.self)
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            return (String(text[text.index(after: text.startIndex)..<end]), UInt16(rest.dropFirst()) ?? 0)
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        // More than one colon: an IPv6 address, and no port.
        return parts.count == 2 ? (String(parts[0]), UInt16(parts[1]) ?? 0) : (text, 0)
    }
}
