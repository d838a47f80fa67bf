/// Reads the responses of one connection (RFC 9112), in pieces of any size: the client's counterpart of `HTTPRequestParser`, and
/// as strict, because a difference of opinion about where a response ends gives one caller the answer of another.
///
///     ┌▶ head ── length, chunks, up to the close ─▶ body … ─▶ end ─┐
///     │   │ └─── 204, 304, an answer to HEAD ─────────────────▶ end ─┤
///     │   └ 1xx: passed over                                         │
///     └────────────────────── keep-alive ────────────────────────────┘
///
/// After an end without keep-alive, after a 101 and after a failure nothing more is read: the connection is to be closed, or
/// speaks another protocol from `offset` on. An answer to CONNECT cannot be read.
public struct HTTPResponseParser: Sendable {
    /// What comes next on the connection.
    public enum Event: Equatable, Sendable {
        /// A whole head that is no interim one.
        case head(HTTPResponseHead)
        /// The next bytes of the body, by their place in the bytes given; never empty.
        case body(Range<Int>)
        /// The response is whole.
        case end
    }

    private enum State: UInt8 { case head, counted, chunked, untilClose, ending, over }

    private var state = State.head
    private var keepAlive = true
    /// Whether the response to come answers a HEAD, which has no body whatever its fields say (RFC 9112 §6.3). Set it before the
    /// bytes of the head are given; it holds until it is changed.
    public var answersHead = false
    private var interimCount = 0
    private var bodyBytes = 0
    /// Bytes of a counted body that have not come.
    private var remaining = 0
    private var chunks = HTTPChunkedDecoder()

    /// A parser at the start of a connection.
    public init() {}

    /// Reads from `offset`, which moves past what is consumed: a head as a whole, a body as it comes.
    ///
    /// - Returns: nil: more bytes are needed. Call again with what is not consumed, and more behind it.
    /// - Throws: as soon as the offending byte is there; so no more than `headBytesMax` unconsumed bytes are ever waited for.
    public mutating func next(
        _ bytes: Span<UInt8>, from offset: inout Int, limits: HTTPResponseLimits
    ) throws(HTTPResponseFailure) -> Event? {
        do throws(HTTPResponseFailure) {
            return try read(bytes, &offset, limits)
        } catch {
            state = .over
            throw error
        }
    }

    /// Tells that no more bytes will come, after all that came were read.
    ///
    /// - Returns: `.end` when that is what ends the body.
    /// - Throws: when a response is missing or not whole (RFC 9112 §8).
    public mutating func endOfStream() throws(HTTPResponseFailure) -> Event {
        defer { state = .over }
        guard state == .untilClose || state == .ending else {
            throw HTTPResponseFailure(
                kind: .incomplete, text: "The connection ended before the response was whole (RFC 9112 §8)")
        }
        return .end
    }

    private mutating func read(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ limits: HTTPResponseLimits
    ) throws(HTTPResponseFailure) -> Event? {
        switch state {
        case .head: return try readHead(bytes, &offset, limits)
        case .counted: return takeCounted(bytes, &offset)
        case .chunked: return try readChunks(bytes, &offset, limits)
        case .untilClose: return try takeRest(bytes, &offset, limits)
        case .ending:
            state = keepAlive ? .head : .over
            return .end
        case .over: return nil
        }
    }

    private mutating func readHead(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ limits: HTTPResponseLimits
    ) throws(HTTPResponseFailure) -> Event? {
        while let head = try HTTPResponseHead.read(bytes, from: offset, limits: limits, answersHead: answersHead) {
            offset = head.range.upperBound
            if !head.isInterim {
                try begin(head, limits)
                return .head(head)
            }
            interimCount += 1
            guard interimCount <= limits.interimMax else {
                throw .tooLarge("More than \(limits.interimMax) interim responses came before one (RFC 9110 §15.2)")
            }
        }
        return nil
    }

    private mutating func begin(_ head: HTTPResponseHead, _ limits: HTTPResponseLimits) throws(HTTPResponseFailure) {
        (interimCount, bodyBytes) = (0, 0)
        keepAlive = head.keepAlive
        switch head.body {
        case .none, .length(0): state = .ending
        case .length(let length):
            guard length <= limits.bodyBytesMax else { throw Self.bodyTooLarge(limits) }
            remaining = length
            state = .counted
        case .chunked:
            chunks = HTTPChunkedDecoder()
            state = .chunked
        case .untilClose: state = .untilClose
        }
    }

    private mutating func takeCounted(_ bytes: Span<UInt8>, _ offset: inout Int) -> Event? {
        let start = offset
        offset += min(remaining, bytes.count - start)
        guard offset > start else { return nil }
        remaining -= offset - start
        if remaining == 0 { state = .ending }
        return .body(start..<offset)
    }

    private mutating func readChunks(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ limits: HTTPResponseLimits
    ) throws(HTTPResponseFailure) -> Event? {
        do throws(HTTPFailure) {
            if let data = try chunks.next(bytes, from: &offset, room: limits.bodyBytesMax - bodyBytes) {
                bodyBytes += data.count
                return .body(data)
            }
        } catch {
            // The decoder speaks as a server does.
            throw error.status == 400 ? .malformed("\(error.text) (RFC 9112 §7.1)") : .tooLarge(error.text)
        }
        guard chunks.hasEnded else { return nil }
        state = .ending
        return try read(bytes, &offset, limits)
    }

    private mutating func takeRest(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ limits: HTTPResponseLimits
    ) throws(HTTPResponseFailure) -> Event? {
        let start = offset
        guard start < bytes.count else { return nil }
        guard bodyBytes < limits.bodyBytesMax else { throw Self.bodyTooLarge(limits) }
        offset += min(limits.bodyBytesMax - bodyBytes, bytes.count - start)
        bodyBytes += offset - start
        return .body(start..<offset)
    }

    private static func bodyTooLarge(_ limits: HTTPResponseLimits) -> HTTPResponseFailure {
        .tooLarge("The body is larger than \(limits.bodyBytesMax) bytes")
    }
}
