/// What a response's fields say together about where it ends, and whether another may follow.
///
/// A field is only judged when it matters: a 304 or an answer to HEAD may have a `Content-Length` of a body that does not come.
struct HTTPResponseFraming {
    private enum Length: Equatable { case none, bytes(Int), malformed, conflicting }
    private enum Coding: Equatable { case none, chunked, other }

    private var length = Length.none
    private var coding = Coding.none
    private var closes = false
    private var asksToKeepAlive = false

    /// Takes one field, by its name's length first. Others than the framing ones are ignored.
    mutating func add(
        _ name: Range<Int>, _ value: Range<Int>, isFolded: Bool, _ bytes: Span<UInt8>
    ) throws(HTTPResponseFailure) {
        switch name.count {
        case 10 where HTTPText.equals(name, "connection", in: bytes):
            closes = closes || HTTPText.list(value, contains: "close", in: bytes)
            asksToKeepAlive = asksToKeepAlive || HTTPText.list(value, contains: "keep-alive", in: bytes)
        case 14 where HTTPText.equals(name, "content-length", in: bytes): addLength(value, bytes)
        case 17 where HTTPText.equals(name, "transfer-encoding", in: bytes):
            // Chunked twice is another coding than chunked.
            let isChunked = coding == .none && HTTPText.equals(value, "chunked", in: bytes)
            coding = isChunked ? .chunked : .other
        default: return
        }
        guard !isFolded else {
            throw .malformed("A field that frames the response is folded over two lines (RFC 9112 §5.2)")
        }
    }

    /// How the body of a response with these fields is delimited.
    func body(
        of head: HTTPResponseHead, answersHead: Bool
    ) throws(HTTPResponseFailure) -> HTTPResponseHead.BodyFraming {
        if answersHead || head.status < 200 || head.status == 204 || head.status == 304 { return .none }
        if coding != .none {
            guard head.minorVersion >= 1 else {
                throw .malformed("An HTTP/1.0 response must not have a Transfer-Encoding (RFC 9112 §6.1)")
            }
            guard length == .none else {
                throw .malformed("A response must not have both Content-Length and Transfer-Encoding (RFC 9112 §6.3)")
            }
            guard coding == .chunked else {
                throw .malformed("The Transfer-Encoding is not chunked, and no other was asked for (RFC 9112 §7)")
            }
            return .chunked
        }
        switch length {
        case .none: return .untilClose
        case .bytes(let count): return .length(count)
        case .malformed: throw .malformed("The Content-Length is not a number (RFC 9112 §6.3)")
        case .conflicting: throw .malformed("The response has two different Content-Lengths (RFC 9112 §6.3)")
        }
    }

    /// Whether the connection stays open after the response, its body aside (RFC 9112 §9.3).
    func keepsAlive(_ head: HTTPResponseHead) -> Bool {
        !closes && (head.minorVersion >= 1 || asksToKeepAlive)
    }

    /// Digits only. The same number more than once, in a list or in several fields, is that number. (RFC 9112 §6.3)
    private mutating func addLength(_ value: Range<Int>, _ bytes: Span<UInt8>) {
        var start = value.lowerBound
        while start <= value.upperBound {
            let comma = bytes.firstOffset(of: Byte.comma, in: start..<value.upperBound)
            addLength(one: HTTPText.trimmed(start..<comma, in: bytes), bytes)
            start = comma + 1
        }
    }

    private mutating func addLength(one digits: Range<Int>, _ bytes: Span<UInt8>) {
        var count = 0
        var isNumber = !digits.isEmpty
        for offset in digits {
            isNumber = isNumber && bytes[offset] >= Byte.zero && bytes[offset] <= Byte.nine
            // Saturates: a number too big for Int is too big for any limit as well.
            let (product, overflowed) = count.multipliedReportingOverflow(by: 10)
            let (sum, overflowedAgain) = product.addingReportingOverflow(Int(bytes[offset] & 0xF))
            count = overflowed || overflowedAgain ? .max : sum
        }
        switch length {
        case _ where !isNumber: length = .malformed
        case .none: length = .bytes(count)
        case .bytes(let other) where other != count: length = .conflicting
        case .bytes, .malformed, .conflicting: break
        }
    }
}
