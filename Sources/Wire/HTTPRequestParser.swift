/// Reads request heads strictly (RFC 9112): whatever two servers could read differently is refused, because behind a proxy a
/// difference of opinion about where a request ends is an attack.
///
///     *2CRLF method SP target SP HTTP/1.x CRLF  *( name ":" OWS value OWS CRLF )  CRLF
public enum HTTPRequestParser {
    /// Reads the head at the start of `bytes`. Nil: more bytes are needed; call again with the same bytes and more.
    ///
    /// Refuses as soon as the offending byte is there, so that no more than `headBytesMax` bytes are ever waited for. After an
    /// error answer and close. Any thread; no allocation unless it throws.
    public static func parse(_ bytes: Span<UInt8>, limits: HTTPLimits) throws(HTTPFailure) -> HTTPRequestHead? {
        let end = min(bytes.count, limits.headBytesMax)
        var head = HTTPRequestHead()
        var offset = 0
        if try requestLine(bytes, &offset, end, limits, &head), try fields(bytes, &offset, end, limits, &head) {
            return head
        }
        guard bytes.count < limits.headBytesMax else {
            throw HTTPFailure(
                status: 431, text: "The request head is larger than \(limits.headBytesMax) bytes")
        }
        return nil
    }

    /// Whether a request has begun: empty lines before it are no part of it. (RFC 9112 §2.2)
    public static func hasBegun(_ bytes: Span<UInt8>) -> Bool {
        for offset in bytes.indices where bytes[offset] != Byte.carriageReturn && bytes[offset] != Byte.lineFeed {
            return true
        }
        return false
    }

    /// Reads the header fields and the blank line; false: not all there yet.
    private static func fields(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int, _ limits: HTTPLimits, _ head: inout HTTPRequestHead
    ) throws(HTTPFailure) -> Bool {
        var seen = HTTPFieldCollector()
        var count = 0
        while true {
            guard offset < end else { return false }
            if bytes[offset] == Byte.carriageReturn { break }
            count += 1
            guard count <= limits.headersMax else {
                throw HTTPFailure(status: 431, text: "The request has more than \(limits.headersMax) header fields")
            }
            let name = offset
            offset = HTTPText.skipToken(bytes, from: name, end: end)
            guard offset < end else { return false }
            guard bytes[offset] == Byte.colon, offset > name else {
                throw badName(bytes[offset], atLineStart: offset == name)
            }
            let colon = offset
            offset = HTTPText.skipFieldBytes(bytes, from: colon + 1, end: end)
            let value = HTTPText.trimmed(colon + 1..<offset, in: bytes)
            guard try lineEnd(bytes, &offset, end) else { return false }
            try seen.add(name..<colon, value, bytes, limits, &head)
        }
        guard try lineEnd(bytes, &offset, end) else { return false }
        head.headBytes = offset
        try seen.finish(bytes, &head)
        return true
    }

    /// Steps over CR LF; false: not there yet.
    @inline(__always)
    static func lineEnd(_ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int) throws(HTTPFailure) -> Bool {
        if offset &+ 1 < end, bytes[offset] == Byte.carriageReturn, bytes[offset &+ 1] == Byte.lineFeed {
            offset &+= 2
            return true
        }
        try checkPartialEnd(bytes, offset, end)
        return false
    }

    /// Refuses whatever cannot become CR LF.
    @inline(never)
    private static func checkPartialEnd(_ bytes: Span<UInt8>, _ offset: Int, _ end: Int) throws(HTTPFailure) {
        guard offset < end else { return }
        guard bytes[offset] == Byte.carriageReturn else {
            throw .bad(
                bytes[offset] == Byte.lineFeed
                    ? "Lines must end in CR LF, not in a bare LF" : "The request head contains an illegal character")
        }
        guard offset + 1 < end else { return }
        throw .bad("A CR must be followed by LF")
    }

    /// Says what is wrong with a header line that has this byte where its colon should be.
    static func badName(_ byte: UInt8, atLineStart: Bool) -> HTTPFailure {
        switch byte {
        case Byte.space, Byte.tab:
            .bad(
                atLineStart
                    ? "Folded header lines are not accepted" : "White space before a header's colon is not allowed")
        case Byte.lineFeed: .bad("Lines must end in CR LF, not in a bare LF")
        case Byte.colon: .bad("A header has no name")
        case Byte.carriageReturn: .bad("A header line has no colon")
        default: .bad("A header name contains an illegal character")
        }
    }
}
