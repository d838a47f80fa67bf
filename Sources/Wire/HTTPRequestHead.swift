/// The request methods the broker knows by name (RFC 9110 §9); they are case-sensitive.
public enum HTTPMethod: UInt8, Sendable { case get, head, post, put, delete, options, patch, other }

/// What a request may be at most.
public struct HTTPLimits: Sendable {
    /// Bytes of the request line and all fields, up to and including the blank line. Over: 431.
    public var headBytesMax: Int
    /// Bytes of the request target. Over: 414.
    public var targetBytesMax: Int
    /// Header fields: as many as fit the head at 64 bytes each, since a proxy may split one `Cookie` into many. Over: 431.
    public var headersMax: Int
    /// Bytes of the body, as far as the head announces them. Over: 413.
    public var bodyBytesMax: Int

    /// The limits of a listener.
    public init(
        headBytesMax: Int = 16_384, targetBytesMax: Int = 2_048, headersMax: Int = 256, bodyBytesMax: Int = 1_048_576
    ) {
        self.headBytesMax = headBytesMax
        self.targetBytesMax = targetBytesMax
        self.headersMax = headersMax
        self.bodyBytesMax = bodyBytesMax
    }
}

/// Why a request is refused. The connection must be closed after the answer: where the next request starts is unknown.
public struct HTTPFailure: Error, Equatable, Sendable {
    /// 400, 413, 414, 431, 501 or 505.
    public var status: Int
    /// One sentence for the sender.
    public var text: String

    /// A refusal with the status and the sentence given.
    public init(status: Int, text: String) { (self.status, self.text) = (status, text) }

    @inline(never)
    static func bad(_ text: String) -> Self { Self(status: 400, text: text) }
}

/// A request head that passed every check; ranges are offsets into the bytes it was read from.
///
/// Large, because it has a range for each header field that somebody asks about: a dictionary would allocate for every request.
public struct HTTPRequestHead: Sendable, Equatable {
    /// How the body is delimited (RFC 9112 §6.3).
    public enum BodyFraming: Equatable, Sendable { case none, length(Int), chunked }

    /// The method, or `.other`.
    public var method: HTTPMethod = .other
    /// The method as sent.
    public var methodRange: Range<Int> = 0..<0
    /// The whole request target, as sent.
    public var target: Range<Int> = 0..<0
    /// The path, still percent-encoded. Empty for an absolute target without one (`http://host?x`): read it as `/`.
    public var path: Range<Int> = 0..<0
    /// What follows the `?`; empty when there is none.
    public var query: Range<Int> = 0..<0
    /// 0 or 1: `HTTP/1.0`, `HTTP/1.1`.
    public var minorVersion = 1
    /// Bytes of the head, blank line included: the body starts here.
    public var headBytes = 0
    /// How the body after the head is delimited; at most `bodyBytesMax` when its length is announced.
    public var body: BodyFraming = .none
    /// Whether the client expects the connection to stay open after the answer.
    public var keepAlive = true
    /// `Expect: 100-continue`, and the client speaks 1.1.
    public var expectsContinue = false
    /// `Expect` with anything else: 417 is due.
    public var hasUnknownExpectation = false
    /// `Upgrade` names `websocket`.
    public var upgradeNamesWebSocket = false
    /// `Connection` names `upgrade`.
    public var connectionNamesUpgrade = false
    /// The authority of an absolute target, else the `Host` field; nil only in HTTP/1.0.
    public var host: Range<Int>?
    /// The `Origin` field; a second one is refused.
    public var origin: Range<Int>?
    /// The `Content-Type` field; a second one is refused.
    public var contentType: Range<Int>?
    /// The `Content-Encoding` field; a second one is refused.
    public var contentEncoding: Range<Int>?
    /// The `Sec-WebSocket-Key` field, unchecked (`WebSocketHandshake.isValidKey`); a second one is refused.
    public var webSocketKey: Range<Int>?
    /// The `Sec-WebSocket-Version` field; a second one is refused.
    public var webSocketVersion: Range<Int>?
    /// The first `Sec-WebSocket-Protocol` field: a comma-separated list.
    public var webSocketProtocol: Range<Int>?
    /// The `X-Idempotency-Key` field; a second one is refused.
    public var idempotencyKey: Range<Int>?
    /// The last `X-Forwarded-For` field: the one the nearest proxy wrote.
    public var forwardedFor: Range<Int>?
    /// Whether a proxy in front says that the client speaks TLS to it; nil: none said anything. Anybody can write these fields.
    public var isForwardedTLS: Bool?

    /// A head that nothing has been read into.
    public init() {}

    /// Both halves of an upgrade are there (RFC 6455 §4.2.1).
    public var upgradesToWebSocket: Bool { upgradeNamesWebSocket && connectionNamesUpgrade }
}
