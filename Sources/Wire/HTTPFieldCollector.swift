/// What the fields read so far say together: the ones that frame the message, and which may not come twice.
struct HTTPFieldCollector {
    private struct Once: OptionSet {
        var rawValue: UInt8
        static let host = Once(rawValue: 1), length = Once(rawValue: 2), coding = Once(rawValue: 4)
        static let expect = Once(rawValue: 8)
    }

    private var once: Once = []
    private var contentLength = 0
    private var connectionCloses = false
    private var connectionKeepsAlive = false
    private var forwarded = HTTPForwarded()

    /// Books one field, by its name's length first. Unknown fields are ignored.
    mutating func add(
        _ name: Range<Int>, _ value: Range<Int>, _ bytes: Span<UInt8>, _ limits: HTTPLimits,
        _ head: inout HTTPRequestHead
    ) throws(HTTPFailure) {
        func isNamed(_ text: StaticString) -> Bool { HTTPText.equals(name, text, in: bytes) }
        switch name.count {
        case 4 where isNamed("host"): try host(value, bytes, &head)
        case 6 where isNamed("expect"): try expect(value, bytes, &head)
        case 6 where isNamed("origin"): try set(&head.origin, value, "Origin")
        case 7 where isNamed("upgrade"):
            head.upgradeNamesWebSocket =
                head.upgradeNamesWebSocket || HTTPText.list(value, contains: "websocket", in: bytes)
        case 9 where isNamed("forwarded"): forwarded.bookForwarded(value, bytes)
        case 10 where isNamed("connection"): connection(value, bytes, &head)
        case 12 where isNamed("content-type"): try set(&head.contentType, value, "Content-Type")
        case 14 where isNamed("content-length"): try length(value, bytes, limits)
        case 15 where isNamed("x-forwarded-for"): head.forwardedFor = value
        case 15 where isNamed("x-forwarded-ssl"): forwarded.bookSSL(value, bytes)
        case 16 where isNamed("content-encoding"): try set(&head.contentEncoding, value, "Content-Encoding")
        case 17 where isNamed("transfer-encoding"): try coding(value, bytes, head)
        case 17 where isNamed("sec-websocket-key"): try set(&head.webSocketKey, value, "Sec-WebSocket-Key")
        case 17 where isNamed("x-forwarded-proto"): forwarded.addProto(value, bytes)
        case 17 where isNamed("x-idempotency-key"): try set(&head.idempotencyKey, value, "X-Idempotency-Key")
        case 18 where isNamed("x-forwarded-scheme"): forwarded.bookScheme(value, bytes)
        case 21 where isNamed("sec-websocket-version"): try set(&head.webSocketVersion, value, "Sec-WebSocket-Version")
        case 22 where isNamed("sec-websocket-protocol"): head.webSocketProtocol = head.webSocketProtocol ?? value
        default: break
        }
    }

    /// Checks what needs all header fields, once the blank line is there.
    func finish(_ bytes: Span<UInt8>, _ head: inout HTTPRequestHead) throws(HTTPFailure) {
        guard once.contains(.host) || head.minorVersion == 0 else {
            throw .bad("An HTTP/1.1 request must have a Host header")
        }
        if once.contains(.coding) {
            head.body = .chunked
        } else if once.contains(.length) {
            head.body = .length(contentLength)
        }
        head.keepAlive = head.minorVersion == 1 ? !connectionCloses : connectionKeepsAlive && !connectionCloses
        head.isForwardedTLS = forwarded.isTLS
        // What follows an upgrade is frames: a body there would be read as such by one side only.
        guard !head.upgradesToWebSocket || head.body == .none || head.body == .length(0) else {
            throw .bad("An upgrade request must not have a body")
        }
    }

    private func set(_ field: inout Range<Int>?, _ value: Range<Int>, _ name: StaticString) throws(HTTPFailure) {
        guard field == nil else { throw .bad("The request has two \(name) headers") }
        field = value
    }

    private mutating func mark(_ field: Once, _ name: StaticString) throws(HTTPFailure) {
        guard once.insert(field).inserted else { throw .bad("The request has two \(name) headers") }
    }

    private mutating func host(
        _ value: Range<Int>, _ bytes: Span<UInt8>, _ head: inout HTTPRequestHead
    ) throws(HTTPFailure) {
        try mark(.host, "Host")
        guard HTTPRequestParser.isHost(value, in: bytes) else { throw .bad("The Host header is malformed") }
        head.host = head.host ?? value
    }

    private mutating func expect(
        _ value: Range<Int>, _ bytes: Span<UInt8>, _ head: inout HTTPRequestHead
    ) throws(HTTPFailure) {
        try mark(.expect, "Expect")
        let isContinue = HTTPText.equals(value, "100-continue", in: bytes)
        head.expectsContinue = isContinue && head.minorVersion == 1
        head.hasUnknownExpectation = !isContinue
    }

    private mutating func connection(_ value: Range<Int>, _ bytes: Span<UInt8>, _ head: inout HTTPRequestHead) {
        var offset = value.lowerBound
        while let item = HTTPText.nextItem(of: value, at: &offset, in: bytes) {
            switch item.count {
            case 5 where HTTPText.equals(item, "close", in: bytes): connectionCloses = true
            case 7 where HTTPText.equals(item, "upgrade", in: bytes): head.connectionNamesUpgrade = true
            case 10 where HTTPText.equals(item, "keep-alive", in: bytes): connectionKeepsAlive = true
            default: break
            }
        }
    }

    /// Digits only: no sign, no list, no second field even of the same value. (RFC 9112 §6.3)
    private mutating func length(
        _ value: Range<Int>, _ bytes: Span<UInt8>, _ limits: HTTPLimits
    ) throws(HTTPFailure) {
        try mark(.length, "Content-Length")
        guard !once.contains(.coding) else { throw Self.bothFramings }
        guard !value.isEmpty else { throw .bad("The Content-Length is empty") }
        var length = 0
        for offset in value {
            guard case Byte.zero...Byte.nine = bytes[offset] else { throw .bad("The Content-Length is not a number") }
            // Saturates: a number too big for Int is too big for the limit as well.
            let (product, overflowed) = length.multipliedReportingOverflow(by: 10)
            let (sum, overflowedAgain) = product.addingReportingOverflow(Int(bytes[offset] - Byte.zero))
            length = overflowed || overflowedAgain ? .max : sum
        }
        guard length <= limits.bodyBytesMax else {
            throw HTTPFailure(status: 413, text: "The body is larger than \(limits.bodyBytesMax) bytes")
        }
        contentLength = length
    }

    /// Exactly `chunked`, once. Known codings are 501, everything else is 400. (RFC 9112 §6.1)
    private mutating func coding(
        _ value: Range<Int>, _ bytes: Span<UInt8>, _ head: HTTPRequestHead
    ) throws(HTTPFailure) {
        try mark(.coding, "Transfer-Encoding")
        guard !once.contains(.length) else { throw Self.bothFramings }
        guard head.minorVersion == 1 else { throw .bad("Transfer-Encoding needs HTTP/1.1") }
        guard !HTTPText.equals(value, "chunked", in: bytes) else { return }
        guard let first = HTTPText.firstItem(of: value, in: bytes),
            ["gzip", "x-gzip", "deflate", "compress", "x-compress"].contains(where: {
                HTTPText.equals(first, $0, in: bytes)
            }), let last = HTTPText.lastItem(of: value, in: bytes),
            last == first || HTTPText.equals(last, "chunked", in: bytes)
        else { throw .bad("The Transfer-Encoding must be chunked") }
        throw HTTPFailure(status: 501, text: "The Transfer-Encoding is not supported")
    }

    private static var bothFramings: HTTPFailure {
        .bad("A request must not have both Content-Length and Transfer-Encoding")
    }
}
