public import BrokerCore

/// A request that is ready to be sent: byte for byte the same each time.
public struct OutgoingRequest: Sendable, Equatable {
    /// Where to, and what it may take.
    public var endpoint: WebhookEndpoint
    /// Head and body.
    public var bytes: [UInt8]

    public init(endpoint: WebhookEndpoint, bytes: [UInt8]) { (self.endpoint, self.bytes) = (endpoint, bytes) }
}

/// Who sends requests. On one loop's thread.
public protocol RequestSender: AnyObject {
    /// Sends it once. `done` is called once, on the same thread, never from inside the call; of two requests to one endpoint the second is
    /// given when the first is done.
    func send(_ request: OutgoingRequest, _ done: @escaping (AttemptOutcome) -> Void)
}
