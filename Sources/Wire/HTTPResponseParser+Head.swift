extension HTTPResponseHead {
    /// Reads the head that begins at `start`. Nil: more bytes are needed; call again with the same bytes and more.
    ///
    ///     HTTP/1.x SP status [SP reason] CRLF  *( name ":" OWS value OWS CRLF )  CRLF
    static func read(
        _ bytes: Span<UInt8>, from start: Int, limits: HTTPResponseLimits, answersHead: Bool
    ) throws(HTTPResponseFailure) -> Self? {
        let isLong = bytes.count - start >= limits.headBytesMax
        let end = isLong ? start + limits.headBytesMax : bytes.count
        var (head, offset) = (Self(), start)
        if try statusLine(bytes, &offset, end, &head),
            let framing = try fields(bytes, &offset, end, limits)
        {
            head.range = start..<offset
            head.body = try framing.body(of: head, answersHead: answersHead)
            head.keepAlive = head.body != .untilClose && head.status != 101 && framing.keepsAlive(head)
            return head
        }
        guard !isLong else { throw .tooLarge("The response head is larger than \(limits.headBytesMax) bytes") }
        return nil
    }

    /// Reads the status line; false: not all there yet. The reason may be missing, with the space before it (RFC 9112 §4).
    private static func statusLine(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int, _ head: inout Self
    ) throws(HTTPResponseFailure) -> Bool {
        let name: StaticString = "HTTP/1."
        for index in 0..<12 {
            guard offset < end else { return false }
            let byte = bytes[offset]
            let isExpected =
                switch index {
                case 0..<7: byte == name.utf8Start[index]
                case 8: byte == Byte.space
                default: isDigit(byte)
                }
            guard isExpected else {
                throw .malformed(
                    index < 9
                        ? "A response must begin with HTTP/1.1 or HTTP/1.0 (RFC 9112 §4)"
                        : "The status must have three digits (RFC 9112 §4)")
            }
            if index == 7 { head.minorVersion = min(1, Int(byte - Byte.zero)) }
            if index > 8 { head.status = head.status * 10 + Int(byte - Byte.zero) }
            offset += 1
        }
        guard head.status >= 100 else { throw .malformed("A status below 100 means nothing (RFC 9110 §15)") }
        guard offset < end else { return false }
        guard !isDigit(bytes[offset]) else { throw .malformed("The status must have three digits (RFC 9112 §4)") }
        if bytes[offset] == Byte.space { offset = HTTPText.skipFieldBytes(bytes, from: offset, end: end) }
        return try lineEnd(bytes, &offset, end)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= Byte.zero && byte <= Byte.nine }

    /// Reads the header fields and the blank line; nil: not all there yet.
    private static func fields(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int, _ limits: HTTPResponseLimits
    ) throws(HTTPResponseFailure) -> HTTPResponseFraming? {
        var framing = HTTPResponseFraming()
        var count = 0
        while true {
            guard offset < end else { return nil }
            if bytes[offset] == Byte.carriageReturn { break }
            count += 1
            guard count <= limits.fieldsMax else {
                throw .tooLarge("The response has more than \(limits.fieldsMax) header fields")
            }
            let name = offset
            while offset < end, HTTPText.isToken(bytes[offset]) { offset += 1 }
            guard offset < end else { return nil }
            guard bytes[offset] == Byte.colon, offset > name else {
                throw .malformed("A header line must be a name, a colon and a value (RFC 9112 §5)")
            }
            let colon = offset
            offset += 1
            guard let (value, isFolded) = try value(bytes, &offset, end) else { return nil }
            try framing.add(name..<colon, value, isFolded: isFolded, bytes)
        }
        return try lineEnd(bytes, &offset, end) ? framing : nil
    }

    /// Reads a field's value with its line ends; nil: not all there yet, which includes the byte that would continue it.
    ///
    /// A server may still fold a long value over several lines, and a client must read it (RFC 9112 §5.2).
    private static func value(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int
    ) throws(HTTPResponseFailure) -> (value: Range<Int>, isFolded: Bool)? {
        let start = offset
        var isFolded = false
        while true {
            offset = HTTPText.skipFieldBytes(bytes, from: offset, end: end)
            let last = offset
            guard try lineEnd(bytes, &offset, end), offset < end else { return nil }
            guard bytes[offset] == Byte.space || bytes[offset] == Byte.tab else {
                return (HTTPText.trimmed(start..<last, in: bytes), isFolded)
            }
            isFolded = true
        }
    }

    /// Steps over CR LF; false: not there yet.
    private static func lineEnd(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int
    ) throws(HTTPResponseFailure) -> Bool {
        guard offset < end else { return false }
        guard bytes[offset] == Byte.carriageReturn else {
            throw .malformed(
                bytes[offset] == Byte.lineFeed
                    ? "Lines must end in CR LF, not in a bare LF (RFC 9112 §2.2)"
                    : "The response head contains an illegal character (RFC 9110 §5.5)")
        }
        guard offset + 1 < end else { return false }
        guard bytes[offset + 1] == Byte.lineFeed else {
            throw .malformed("A CR must be followed by LF (RFC 9112 §2.2)")
        }
        offset += 2
        return true
    }
}
