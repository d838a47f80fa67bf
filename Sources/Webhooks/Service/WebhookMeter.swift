internal import BrokerCore
internal import Telemetry

/// What is counted of deliveries. Plain numbers of one thread.
struct WebhookMeter {
    private var attempts = AttemptCounts()
    private var attemptTime = DurationHistogram()
    private var dropped = DropCounts()
    private var apps: [String: (sent: UInt64, buried: UInt64)] = [:]

    mutating func attempted(_ outcome: AttemptOutcome, nanoseconds: UInt64) {
        attempts.add(outcome)
        attemptTime.add(nanoseconds: nanoseconds)
    }

    mutating func sent(_ count: Int, app: String) { apps[app, default: (0, 0)].sent += UInt64(count) }
    mutating func buried(_ count: Int, app: String) { apps[app, default: (0, 0)].buried += UInt64(count) }
    mutating func droppedFromQueue(_ count: Int) { dropped.queue += UInt64(count) }
    mutating func droppedLetters(_ count: Int) { dropped.letters += UInt64(count) }

    /// With what the others know.
    func facts(_ queues: WebhookQueues, _ spool: SpoolFacts?, _ now: Moment) -> WebhookFacts {
        var facts = WebhookFacts()
        (facts.attempts, facts.attemptTime, facts.dropped) = (attempts, attemptTime, dropped)
        if let spool {
            (facts.spoolBytes, facts.spoolErrors) = (spool.bytes, spool.writeErrors &+ spool.syncErrors)
            facts.dropped.spool = spool.eventsDropped
        }
        facts.oldestMilliseconds = queues.oldestUnixMilliseconds.map { max(0, now.unixMilliseconds - $0) } ?? 0
        var rows: [String: WebhookFacts.App] = [:]
        for queue in queues.all {
            rows[queue.target.app, default: .init(id: queue.target.app)].queued += queue.count
        }
        for letter in queues.letters.all {
            rows[letter.event.app, default: .init(id: letter.event.app)].deadLetters += 1
        }
        for (app, counts) in apps {
            rows[app, default: .init(id: app)].sent = counts.sent
            rows[app]?.buried = counts.buried
        }
        facts.apps = Array(rows.values)
        return facts
    }
}
