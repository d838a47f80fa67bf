extension HTTPRequestParser {
    /// Longer than every method anyone registered.
    private static let methodBytesMax = 32

    /// Reads `method SP target SP version CRLF`, after at most two empty lines (RFC 9112 §2.2); false: not all there yet.
    static func requestLine(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int, _ limits: HTTPLimits, _ head: inout HTTPRequestHead
    ) throws(HTTPFailure) -> Bool {
        var emptyLines = 0
        while offset < end, bytes[offset] == Byte.carriageReturn {
            emptyLines += 1
            guard emptyLines <= 2 else { throw .bad("More than two empty lines before the request") }
            guard try lineEnd(bytes, &offset, end) else { return false }
        }
        let start = offset
        while offset < end, HTTPText.isToken(bytes[offset]) { offset += 1 }
        guard offset - start <= methodBytesMax else { throw HTTPFailure(status: 501, text: "The method is unknown") }
        guard offset < end else { return false }
        guard bytes[offset] == Byte.space, offset > start else { throw .bad("The request line is malformed") }
        head.methodRange = start..<offset
        head.method = method(head.methodRange, in: bytes)
        offset += 1
        guard try target(bytes, &offset, end, limits, &head) else { return false }
        return try version(bytes, &offset, end, &head)
    }

    /// Methods are case-sensitive: `get` is `.other`. (RFC 9110 §9.1)
    private static func method(_ range: Range<Int>, in bytes: Span<UInt8>) -> HTTPMethod {
        func matches(_ name: StaticString) -> Bool { bytes.equals(range, name) }
        return if matches("GET") {
            .get
        } else if matches("POST") {
            .post
        } else if matches("HEAD") {
            .head
        } else if matches("OPTIONS") {
            .options
        } else if matches("PUT") {
            .put
        } else if matches("DELETE") {
            .delete
        } else if matches("PATCH") {
            .patch
        } else {
            .other
        }
    }

    /// Reads the target up to the space after it. (RFC 9112 §3.2)
    private static func target(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int, _ limits: HTTPLimits, _ head: inout HTTPRequestHead
    ) throws(HTTPFailure) -> Bool {
        let start = offset
        offset = skipTargetBytes(bytes, from: start, end: end)
        guard offset - start <= limits.targetBytesMax else {
            throw HTTPFailure(status: 414, text: "The request target is longer than \(limits.targetBytesMax) bytes")
        }
        guard offset < end else { return false }
        guard bytes[offset] == Byte.space, offset > start else {
            throw .bad("The request target is empty, contains an illegal character, or has no version after it")
        }
        head.target = start..<offset
        try splitTarget(bytes, &head)
        offset += 1
        return true
    }

    /// The first offset from `start` on that is not visible ASCII, or is `#`; or `end`.
    private static func skipTargetBytes(_ bytes: Span<UInt8>, from start: Int, end: Int) -> Int {
        var offset = start
        while offset &+ 8 <= end {
            let word = bytes.word(at: offset)
            let answers =
                Word.lowest(word, below: 0x21) | Word.lowest(word, equal: 0x7F) | Word.lowest(word, equal: 0x23)
                | word & 0x8080_8080_8080_8080
            guard answers == 0 else { return offset &+ Word.bytesBefore(answers) }
            offset &+= 8
        }
        while offset < end, bytes[offset] > Byte.space, bytes[offset] < 0x7F, bytes[offset] != 0x23 { offset &+= 1 }
        return offset
    }

    /// Finds path and query in an origin-form, absolute-form or asterisk-form target.
    private static func splitTarget(_ bytes: Span<UInt8>, _ head: inout HTTPRequestHead) throws(HTTPFailure) {
        let target = head.target
        var start = target.lowerBound
        if bytes[start] != Byte.slash {
            if target.count == 1, bytes[start] == 0x2A, head.method == .options {
                (head.path, head.query) = (target, target.upperBound..<target.upperBound)
                return
            }
            guard let schemeBytes = schemeBytes(target, in: bytes) else {
                throw .bad("The request target must be a path or an http URL")
            }
            let authority = start + schemeBytes
            start = authority
            while start < target.upperBound, bytes[start] != Byte.slash, bytes[start] != 0x3F { start += 1 }
            guard start > authority, isHost(authority..<start, in: bytes) else {
                throw .bad("The host in the request target is malformed")
            }
            // It replaces whatever the Host field says. (RFC 9112 §3.2.2)
            head.host = authority..<start
        }
        let question = bytes.firstOffset(of: 0x3F, in: start..<target.upperBound)
        head.path = start..<question
        head.query = min(question + 1, target.upperBound)..<target.upperBound
    }

    /// Length of `http://` or `https://`, in any case; nil for anything else.
    private static func schemeBytes(_ target: Range<Int>, in bytes: Span<UInt8>) -> Int? {
        let start = target.lowerBound
        if target.count >= 7, HTTPText.equals(start..<start + 7, "http://", in: bytes) { return 7 }
        if target.count >= 8, HTTPText.equals(start..<start + 8, "https://", in: bytes) { return 8 }
        return nil
    }

    /// Whether the bytes can be `host [":" port]`: no user info, no list, no white space, a port of digits. (RFC 3986 §3.2)
    static func isHost(_ range: Range<Int>, in bytes: Span<UInt8>) -> Bool {
        var end = range.upperBound
        while end > range.lowerBound, bytes[end - 1] >= Byte.zero, bytes[end - 1] <= Byte.nine { end -= 1 }
        let hasPort = end > range.lowerBound && bytes[end - 1] == Byte.colon
        let host = range.lowerBound..<(hasPort ? end - 1 : range.upperBound)
        let isBracketed = host.count > 2 && bytes[host.lowerBound] == 0x5B && bytes[host.upperBound - 1] == 0x5D
        // Colons and brackets only in an IPv6 address, which stands in brackets.
        let name = isBracketed ? host.lowerBound + 1..<host.upperBound - 1 : host
        for offset in name {
            switch bytes[offset] {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: continue  // digits, letters
            case 0x21, 0x24...0x2B, 0x2D, 0x2E, 0x3B, 0x3D, 0x5F, 0x7E: continue  // sub-delims but the comma, `%-._~`
            case Byte.colon where isBracketed: continue
            default: return false
            }
        }
        return true
    }

    /// Reads `HTTP/1.x CRLF`; refuses at the first byte that differs.
    private static func version(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int, _ head: inout HTTPRequestHead
    ) throws(HTTPFailure) -> Bool {
        if offset &+ 8 <= end, bytes.equals(offset..<offset &+ 8, "HTTP/1.1") {
            head.minorVersion = 1
            offset &+= 8
            return try lineEnd(bytes, &offset, end)
        }
        let name: StaticString = "HTTP/"
        for index in 0..<8 {
            guard offset + index < end else { return false }
            let byte = bytes[offset + index]
            let isExpected =
                switch index {
                case 0..<5: byte == name.utf8Start[index]
                case 6: byte == Byte.dot
                default: byte >= Byte.zero && byte <= Byte.nine
                }
            guard isExpected else { throw .bad("The request line must end in HTTP/1.1 or HTTP/1.0") }
        }
        let (major, minor) = (bytes[offset + 5], bytes[offset + 7])
        guard major == 0x31, minor == 0x30 || minor == 0x31 else {
            throw HTTPFailure(status: 505, text: "Only HTTP/1.1 and HTTP/1.0 are spoken here")
        }
        head.minorVersion = Int(minor - Byte.zero)
        offset += 8
        return try lineEnd(bytes, &offset, end)
    }
}
