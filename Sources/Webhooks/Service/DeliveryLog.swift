internal import BrokerCore
internal import Telemetry
internal import Wire

/// What the log says of deliveries: when an endpoint begins to fail and when it takes again, and each second what was given up. Never a query or
/// a header's value, which may be secrets. Time is an argument.
struct DeliveryLog {
    /// What is to be said of an endpoint.
    private struct Losses {
        var fields: [LogField]
        var buried = 0
        var dropped = 0
        var reason = ""
    }

    private enum Kind: Int, CaseIterable { case failing, recovered }

    private static let linesPerSecond = 10
    private var limiter = LineLimiter(kinds: Kind.allCases.count, linesPerSecond: Self.linesPerSecond)
    private var losses: [WebhookEndpointID: Losses] = [:]
    private var saidMilliseconds: UInt64 = 0

    private static func fields(_ target: DeliveryTarget) -> [LogField] {
        [("app", target.app), ("url", target.endpoint.url.shown)]
    }

    mutating func failing(_ target: DeliveryTarget, _ outcome: AttemptOutcome, now: UInt64) {
        write(.failing, .warning, "a webhook endpoint fails", Self.fields(target) + [("reason", outcome.sentence)], now)
    }

    mutating func recovered(_ target: DeliveryTarget, failures: Int, waiting: Int, now: UInt64) {
        write(
            .recovered, .info, "a webhook endpoint takes events again",
            Self.fields(target) + [("failures", failures), ("events", waiting)], now)
    }

    private mutating func write(
        _ kind: Kind, _ level: LogLevel, _ message: StaticString, _ fields: [LogField], _ now: UInt64
    ) {
        guard let suppressed = limiter.admit(kind.rawValue, now: now) else { return }
        Log.write(level, message, suppressed > 0 ? fields + [("suppressed", suppressed)] : fields)
    }

    /// - Parameter target: nil: the endpoint is not known any more.
    mutating func buried(_ letter: DeadLetter, _ target: DeliveryTarget?) {
        var fields: [LogField] = [("app", letter.event.app), ("endpoint", letter.endpoint)]
        if let target { fields = Self.fields(target) }
        losses[letter.endpoint, default: Losses(fields: fields)].buried += 1
        losses[letter.endpoint]?.reason = letter.reason
    }

    mutating func dropped(_ target: DeliveryTarget, _ count: Int) {
        losses[target.endpoint.id, default: Losses(fields: Self.fields(target))].dropped += count
    }

    /// Each second a line for each of some endpoints that lost something; the others are next.
    mutating func tick(now: UInt64, isLast: Bool = false) {
        guard !losses.isEmpty, isLast || now >= saidMilliseconds + 1_000 else { return }
        saidMilliseconds = now
        for (name, loss) in isLast ? losses.prefix(.max) : losses.prefix(Self.linesPerSecond) {
            losses[name] = nil
            if loss.buried > 0 {
                Log.write(
                    .warning, "webhook events are dead letters",
                    loss.fields + [("events", loss.buried), ("reason", loss.reason)])
            }
            if loss.dropped > 0 {
                Log.write(
                    .warning, "webhook events dropped",
                    loss.fields + [
                        ("events", loss.dropped),
                        ("reason", "more than webhooks.queueBytes waited, and these were the oldest"),
                    ])
            }
        }
    }
}
