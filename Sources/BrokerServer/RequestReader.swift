internal import Reactor
internal import Wire

/// The HTTP side of one connection: bytes in, requests out, one after the other (RFC 9112 §6).
///
///     between ──part of a head──▶ head ──whole head, body not here──▶ event .head ──admitBody──▶ body, chunks ─┐
///        ▲                          │                                     └──passBody──▶ unwanted ──▶ .passed ─┤
///        └────── event .request ◀───┴──────────────────────────────────────────────────── event .request ◀─────┘
///     kept: a whole request is answered later (`keep`), and nothing is read until `takeKept`
///
/// A head and a body of known length stay in the caller's buffer until the request is whole. Loop thread only; no I/O, no clock.
struct RequestReader {
    enum Event {
        /// Nothing more to do with these bytes. Not nil: what is left of them may grow to so many.
        case needMore(inputBytesMax: Int?)
        /// A whole head whose body is not here: `admitBody` or `passBody` is due.
        /// - Parameter left: bytes of the body that are still to come; nil when nobody knows.
        case head(RequestView, left: Int?)
        /// A whole request.
        case request(RequestView)
        /// A whole request that is no longer among the bytes.
        case kept(KeptRequest)
        /// A body that nobody wanted is over.
        case passed
        /// A TLS handshake: some client was told the wrong scheme.
        case tls
        /// A body in chunks that the process has no room for.
        case overBudget
    }

    private enum State {
        case between
        case head
        case body(bytesMin: Int)
        case chunks(KeptRequest)
        case unwanted(left: Int)
        case kept(KeptRequest)
    }

    private var state = State.between

    /// Takes the next step from `offset` on, which moves past what is consumed. Inlined, as what it calls: an event is half a kilobyte, and
    /// each hand it goes through would copy it.
    @inline(__always)
    mutating func next(
        _ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int, _ limits: HTTPLimits
    ) throws(HTTPFailure) -> Event {
        switch state {
        case .between, .head: return try readHead(bytes, from: &offset, limits, stage: .whole)
        case .body(let bytesMin):
            guard bytes.count - offset >= bytesMin else { return .needMore(inputBytesMax: nil) }
            return try readHead(bytes, from: &offset, limits, stage: .admitted)
        case .chunks(let kept):
            let isWhole = try kept.feed(bytes, from: &offset, bodyBytesMax: limits.bodyBytesMax)
            guard kept.takeHeldBytes() else { return .overBudget }
            guard isWhole else { return .needMore(inputBytesMax: nil) }
            state = .between
            return .kept(kept)
        case .unwanted(let left):
            let passed = min(left, bytes.count - offset)
            offset += passed
            state = passed == left ? .between : .unwanted(left: left - passed)
            return passed == left ? .passed : .needMore(inputBytesMax: nil)
        case .kept: return .needMore(inputBytesMax: nil)
        }
    }

    @inline(__always)
    private mutating func readHead(
        _ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int, _ limits: HTTPLimits, stage: RequestView.Stage
    ) throws(HTTPFailure) -> Event {
        let input = UnsafeBufferPointer(rebasing: bytes[offset...])
        if input.first == Self.tlsHandshake { return .tls }
        guard let head = try HTTPRequestParser.parse(input.span, limits: limits) else {
            if HTTPRequestParser.hasBegun(input.span) { state = .head }
            return .needMore(inputBytesMax: limits.headBytesMax + 4)
        }
        guard !head.hasUnknownExpectation else {
            throw HTTPFailure(status: 417, text: "Only Expect: 100-continue is understood")
        }
        let bodyBytes: Int
        switch head.body {
        case .none: bodyBytes = 0
        case .length(let length): bodyBytes = length
        case .chunked: return .head(Self.view(input, head, bodyBytes: 0, stage: .head), left: nil)
        }
        let left = head.headBytes + bodyBytes - input.count
        guard left <= 0 else { return .head(Self.view(input, head, bodyBytes: 0, stage: .head), left: left) }
        state = .between
        offset += head.headBytes + bodyBytes
        return .request(Self.view(input, head, bodyBytes: bodyBytes, stage: stage))
    }

    @inline(__always)
    private static func view(
        _ input: UnsafeBufferPointer<UInt8>, _ head: HTTPRequestHead, bodyBytes: Int, stage: RequestView.Stage
    ) -> RequestView {
        let body = UnsafeBufferPointer(rebasing: input[head.headBytes..<head.headBytes + bodyBytes])
        return RequestView(bytes: input, head: head, body: body, stage: stage)
    }

    /// The first byte of a TLS record with a ClientHello (RFC 8446 §5.1).
    private static let tlsHandshake: UInt8 = 0x16

    /// The body after `.head` is wanted.
    /// - Returns: bytes consumed; nil: all stay, and may grow to `inputBytesMax` of a request that is whole.
    mutating func admitBody(of request: RequestView, budget: ProcessBudget) -> (consumed: Int, inputBytesMax: Int?) {
        switch request.head.body {
        case .none: preconditionFailure("a request without a body is whole with its head")
        case .length(let length):
            state = .body(bytesMin: request.head.headBytes + length)
            return (0, request.head.headBytes + length)
        case .chunked:
            state = .chunks(
                KeptRequest(
                    bytes: Array(request.headBytes), head: request.head, stage: .admitted, budget: budget))
            return (request.head.headBytes, nil)
        }
    }

    /// The body after `.head` is not wanted: so much of it is still to come, behind the bytes that are here.
    mutating func passBody(left: Int) { state = left > 0 ? .unwanted(left: left) : .between }

    /// Keeps a whole request, so that nothing is read before it is answered.
    mutating func keep(_ request: KeptRequest) { state = .kept(request) }

    /// The request that was kept, once.
    mutating func takeKept() -> KeptRequest? {
        guard case .kept(let request) = state else { return nil }
        state = .between
        return request
    }

    /// A whole request waits to be answered.
    var isHolding: Bool { if case .kept = state { true } else { false } }

    /// Whether something of a request is here.
    var awaited: RequestDeadline.Awaited {
        switch state {
        case .between, .kept: .request
        case .head, .body, .chunks: .rest
        case .unwanted: .unwantedBody
        }
    }
}
