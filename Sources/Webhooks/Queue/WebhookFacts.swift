public import Telemetry

/// What the metrics say of webhooks: counts since the start, and how it is now.
public struct WebhookFacts: Sendable {
    /// Of one app that has, or had, webhooks.
    public struct App: Sendable, Equatable {
        public var id: String
        /// Events that wait, one for each endpoint that has not taken it.
        public var queued = 0
        /// Dead letters that are kept.
        public var deadLetters = 0
        /// Events that were taken by an endpoint, and those that became dead letters.
        public var (sent, buried): (UInt64, UInt64) = (0, 0)

        public init(id: String) { self.id = id }

        public static func += (sum: inout App, other: App) {
            sum.queued += other.queued
            sum.deadLetters += other.deadLetters
            sum.sent &+= other.sent
            sum.buried &+= other.buried
        }
    }

    /// In no order.
    public var apps: [App] = []
    /// Age of the oldest event that waits; 0: none does.
    public var oldestMilliseconds: Int64 = 0
    public var attempts = AttemptCounts()
    /// From the request's first step to the end of its answer, whatever that was.
    public var attemptTime = DurationHistogram()
    /// Events lost to a bound, by its cause.
    public var dropped = DropCounts()
    /// Members and channels that were back in time, so that nothing was told.
    public var suppressed: UInt64 = 0
    public var spoolBytes = 0
    /// Writes that failed.
    public var spoolErrors: UInt64 = 0
    /// The client's, open now.
    public var connections = 0

    public init() {}
}

/// Events that are gone because something was full.
public struct DropCounts: Sendable, Equatable {
    /// Too much waited in memory (`webhooks.queueBytes`); too many dead letters; too much on the disk (`webhooks.spoolBytes`); what happened came faster
    /// than it could be told.
    public var (queue, letters, spool, edges): (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    public init() {}

    /// For a metric's label.
    public var all: [(cause: String, count: UInt64)] {
        [("queue", queue), ("dead_letters", letters), ("spool", spool), ("edges", edges)]
    }
}

/// Attempts by how they ended.
public struct AttemptCounts: Sendable, Equatable {
    private var counts = [UInt64](repeating: 0, count: Self.results.count)

    public init() {}

    /// Classes of statuses, and then why there was no answer: all that a label may be.
    public static let results = ["2xx", "3xx", "4xx", "5xx"] + AttemptFailure.Kind.allCases.map(\.rawValue)

    public mutating func add(_ outcome: AttemptOutcome) {
        switch outcome {
        case .answered(let status, _): counts[min(max(status / 100, 2), 5) - 2] += 1
        case .failed(let failure):
            let kinds = AttemptFailure.Kind.allCases
            counts[4 + (kinds.firstIndex(of: failure.kind) ?? kinds.count - 1)] += 1
        }
    }

    /// In the order of `results`.
    public var all: [(result: String, count: UInt64)] { Array(zip(Self.results, counts)).map { ($0.0, $0.1) } }
}
