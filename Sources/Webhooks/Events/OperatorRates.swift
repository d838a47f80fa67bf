internal import PusherProtocol

/// Lets some events for operators through each second: whoever reaches the port can cause them, and should not drive the events of
/// channels out of the queues. What is left out is counted in the next one.
struct OperatorRates {
    private struct Key: Hashable {
        var app: Int
        var kind: WebhookKind
    }

    private struct Second {
        var number: UInt64
        var count = 0
        var leftOut = 0
    }

    /// Of one kind and app.
    static let perSecondMax = 10

    /// At most two for each app.
    private var seconds: [Key: Second] = [:]

    /// - Returns: how many were left out since the last one; nil: this one is, too.
    mutating func admit(_ kind: WebhookKind, app: Int, milliseconds: UInt64) -> Int? {
        let (key, number) = (Key(app: app, kind: kind), milliseconds / 1_000)
        var second = seconds[key] ?? Second(number: number)
        if number > second.number { (second.number, second.count) = (number, 0) }
        defer { seconds[key] = second }
        guard second.count < Self.perSecondMax else {
            second.leftOut += 1
            return nil
        }
        second.count += 1
        defer { second.leftOut = 0 }
        return second.leftOut
    }
}
