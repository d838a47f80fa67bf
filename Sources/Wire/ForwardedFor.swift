/// Whom the nearest proxy speaks for: the last entry of `X-Forwarded-For`, or of `Forwarded` (RFC 7239 §4) when there is no other.
///
/// Each proxy appends the peer it saw, so only the last entry is the word of the proxy in front of us; what stands before it was told
/// to that proxy, and may be anything.
public enum ForwardedFor {
    /// - Parameter head: a request's head, from its first byte to the empty line.
    /// - Returns: the entry without quotes and brackets, and its port (0: none); nil when no entry can be an address.
    public static func lastNode(inHead head: Span<UInt8>) -> (host: String, port: UInt16)? {
        if let list = HTTPText.lastValue(of: "x-forwarded-for", inHead: head) {
            return HTTPText.lastItem(of: list, in: head).flatMap { node($0, head) }
        }
        guard let list = HTTPText.lastValue(of: "forwarded", inHead: head),
            let element = HTTPText.lastItem(of: list, in: head)
        else {
            return nil
        }
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
