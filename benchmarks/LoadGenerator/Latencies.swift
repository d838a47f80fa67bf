/// The histograms of one worker.
struct Latencies: Sendable {
    /// Scheduled instant → received.
    var delivery = Histogram()
    /// Actual sending → received.
    var deliveryService = Histogram()
    /// API: scheduled instant → response, and sending → response.
    var reply = Histogram()
    var replyService = Histogram()
    /// Dialing → `connection_established`, and → all subscriptions confirmed.
    var greeting = Histogram()
    var connect = Histogram()
    /// Subscribe → `subscription_succeeded` of membership jobs.
    var join = Histogram()

    mutating func merge(_ other: Latencies) {
        delivery.merge(other.delivery)
        deliveryService.merge(other.deliveryService)
        reply.merge(other.reply)
        replyService.merge(other.replyService)
        greeting.merge(other.greeting)
        connect.merge(other.connect)
        join.merge(other.join)
    }
}
