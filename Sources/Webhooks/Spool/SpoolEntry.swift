public import BrokerCore

/// An event, and who still wants it.
public struct SpoolEntry: Sendable, Equatable {
    public var event: WebhookEvent
    /// Never empty.
    public var endpoints: [WebhookEndpointID]

    public init(event: WebhookEvent, endpoints: [WebhookEndpointID]) {
        (self.event, self.endpoints) = (event, endpoints)
    }
}

/// An event that an endpoint did not take in time.
public struct DeadLetter: Sendable, Equatable {
    public var event: WebhookEvent
    public var endpoint: WebhookEndpointID
    public var unixMilliseconds: Int64
    public var reason: String

    public init(event: WebhookEvent, endpoint: WebhookEndpointID, unixMilliseconds: Int64, reason: String) {
        (self.event, self.endpoint) = (event, endpoint)
        (self.unixMilliseconds, self.reason) = (unixMilliseconds, reason)
    }
}
