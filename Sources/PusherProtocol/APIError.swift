/// Why an HTTP API call is refused: the status and the sentence that says what to change (Pusher protocol §6.9, PW-138).
public struct APIError: Error, Equatable, Sendable {
    /// 400, 401 or 413 when thrown in this module.
    public var status: Int
    /// For the developer; goes into the body of the reply.
    public var text: String

    /// A refusal with the status and the sentence given.
    public init(status: Int, text: String) { (self.status, self.text) = (status, text) }

    static func invalid(_ text: String) -> Self { Self(status: 400, text: text) }
}
