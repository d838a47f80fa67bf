/// What a response may be at most.
public struct HTTPResponseLimits: Sendable {
    /// Bytes of the status line and all fields, up to and including the blank line.
    public var headBytesMax: Int
    /// Header fields of one head.
    public var fieldsMax: Int
    /// Interim responses (1xx) before one response.
    public var interimMax: Int
    /// Bytes of the body, as far as they are announced or come.
    public var bodyBytesMax: Int

    /// The limits of a client.
    public init(
        headBytesMax: Int = 16_384, fieldsMax: Int = 256, interimMax: Int = 16, bodyBytesMax: Int = 1_048_576
    ) {
        self.headBytesMax = headBytesMax
        self.fieldsMax = fieldsMax
        self.interimMax = interimMax
        self.bodyBytesMax = bodyBytesMax
    }
}

/// Why a response cannot be read. The connection must be closed: where the next response starts is unknown.
public struct HTTPResponseFailure: Error, Equatable, Sendable {
    /// Whose fault it is: the server's, the limits', or the connection's.
    public enum Kind: Sendable { case malformed, tooLarge, incomplete }
    /// What kind of failure it is.
    public var kind: Kind
    /// One sentence with the clause that it rests on; holds no byte of the response.
    public var text: String

    static func malformed(_ text: String) -> Self { Self(kind: .malformed, text: text) }
    static func tooLarge(_ text: String) -> Self { Self(kind: .tooLarge, text: text) }
}

/// A response head that passed every check.
public struct HTTPResponseHead: Sendable, Equatable {
    /// How the body is delimited (RFC 9112 §6.3).
    public enum BodyFraming: Equatable, Sendable { case none, length(Int), chunked, untilClose }

    /// 100…999, where a class that is unknown means 5xx (RFC 9110 §15).
    public var status = 0
    /// 0 or 1: `HTTP/1.0`, `HTTP/1.1`; a higher one is read as 1 (RFC 9110 §2.5).
    public var minorVersion = 1
    /// How the body after the head is delimited.
    public var body = BodyFraming.none
    /// Whether another request may be sent on the connection after this response.
    public var keepAlive = true
    /// Where the head stands in the bytes it was read from, blank line included.
    public var range = 0..<0

    /// 1xx but 101: the response proper is still to come (RFC 9110 §15.2).
    var isInterim: Bool { status < 200 && status != 101 }
    /// Whether the request was received, understood and accepted (RFC 9110 §15.3).
    public var isSuccess: Bool { status / 100 == 2 }
}
