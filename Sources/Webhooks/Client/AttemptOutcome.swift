/// How one attempt to deliver ended.
public enum AttemptOutcome: Sendable, Equatable {
    /// A whole answer came, and was thrown away but for this. `retryAfterSeconds`: its `Retry-After`, 0...3600.
    case answered(status: Int, retryAfterSeconds: Int?)
    case failed(AttemptFailure)

    /// A whole answer came.
    var isAnswered: Bool { if case .answered = self { true } else { false } }

    /// 2xx (Pusher protocol §7.4); a redirect is none (PW-178).
    public var isSuccess: Bool {
        if case .answered(let status, _) = self { status / 100 == 2 } else { false }
    }

    /// For people.
    public var sentence: String {
        switch self {
        case .failed(let failure): failure.text
        case .answered(let status, _) where status / 100 == 3:
            "The server redirects (\(status)), and webhooks follow nobody: configure the URL that it points to"
        case .answered(let status, let seconds?) where !isSuccess:
            "The server answered \(status) and asks for \(seconds) s of patience"
        case .answered(let status, _): "The server answered \(status)"
        }
    }
}

/// Why no answer came.
public struct AttemptFailure: Error, Sendable, Equatable {
    /// For metrics and tables.
    public enum Kind: String, Sendable, CaseIterable {
        /// The name has no address, or its server does not answer.
        case name
        /// The address is none that webhooks may be sent to.
        case address
        case connect, tls, timeout
        /// The connection ended before the answer was whole.
        case closed
        /// What came is no answer, or one that is too large.
        case answer
        /// It was called off: the endpoint is gone, or the process ends.
        case cancelled
    }

    public var kind: Kind
    /// One sentence that says what to change; no secret, no byte of an answer.
    public var text: String

    public init(_ kind: Kind, _ text: String) { (self.kind, self.text) = (kind, text) }
}
