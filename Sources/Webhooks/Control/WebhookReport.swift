public import BrokerCore

/// How an endpoint is, for people.
public struct EndpointReport: Sendable, Equatable {
    public var id: WebhookEndpointID
    public var app: String
    /// Without its query.
    public var url: String
    /// Events that wait, those of the request under way among them.
    public var waiting = 0
    /// Of the oldest that waits.
    public var oldestMilliseconds: Int64 = 0
    public var deadLetters = 0
    /// Failures in a row.
    public var failures = 0
    /// Until the next attempt; nil: none is planned.
    public var retryMilliseconds: Int64?
    /// It is no longer configured: what waits is still sent.
    public var isRemoved = false

    public init(id: WebhookEndpointID, app: String, url: String) { (self.id, self.app, self.url) = (id, app, url) }
}

/// One attempt, for people.
public struct AttemptRecord: Sendable, Equatable {
    public var unixMilliseconds: Int64
    public var app: String
    public var endpoint: WebhookEndpointID
    public var first: WebhookEvent.ID
    public var events: Int
    /// The 1st, 2nd … of this request.
    public var attempt: Int
    public var milliseconds: Int
    public var outcome: AttemptOutcome

    public init(
        unixMilliseconds: Int64, app: String, endpoint: WebhookEndpointID, first: WebhookEvent.ID, events: Int,
        attempt: Int, milliseconds: Int, outcome: AttemptOutcome
    ) {
        (self.unixMilliseconds, self.app, self.endpoint, self.first) = (unixMilliseconds, app, endpoint, first)
        (self.events, self.attempt, self.milliseconds, self.outcome) = (events, attempt, milliseconds, outcome)
    }
}
