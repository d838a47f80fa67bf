/// What a worker counts and measures.
struct Tally {
    var counters = Counters()
    var latencies = Latencies()
    /// Of the last moments, for the progress line and the plot over time.
    var interval = Histogram()
    /// When what was due counts for the result.
    var window: Range<UInt64>?

    /// Whether something that was due then counts.
    private func isMeasured(_ scheduled: UInt64) -> Bool { window?.contains(scheduled) == true }

    /// A client has all that it wants.
    mutating func ready(since: UInt64, _ now: UInt64) {
        counters.ready += 1
        latencies.connect.record(now - since)
    }

    /// One event of the run has come. Hot: two histograms.
    mutating func delivered(_ stamp: Stamp, _ now: UInt64) {
        counters.deliveries += 1
        let latency = now &- stamp.scheduled
        interval.record(latency)
        guard isMeasured(stamp.scheduled) else { return }
        latencies.delivery.record(latency)
        latencies.deliveryService.record(latency &- min(latency, UInt64(stamp.delay)))
    }

    mutating func arrived(_ arrival: DeliveryTracker.Arrival) {
        switch arrival {
        case .inOrder, .afterGap: break
        case .reordered: counters.reordered += 1
        case .duplicate: counters.duplicated += 1
        }
    }

    mutating func sent(_ send: Send) {
        switch send.lateness {
        case .none: break
        case .late: counters.late += 1
        case .queued: counters.queued += 1
        }
    }

    mutating func called(_ call: APICall) {
        counters.published += call.events
        counters.calls += 1
        counters.expected += call.expected
    }

    /// `isOnly`: there are no deliveries, so that the replies are what the plot shows.
    mutating func replied(_ call: APICall, isOnly: Bool, _ now: UInt64) {
        counters.calls -= 1
        counters.replies += 1
        counters.accepted += call.events
        if isOnly { interval.record(now - call.scheduled) }
        guard isMeasured(call.scheduled) else { return }
        latencies.reply.record(now - call.scheduled)
        latencies.replyService.record(now - call.sent)
    }

    mutating func failed(_ call: APICall) {
        counters.calls -= 1
        counters.rejected += call.events
        counters.excused += call.expected
    }

    /// `isOnly`: there are no deliveries.
    mutating func joined(since: UInt64, isOnly: Bool, _ now: UInt64) {
        counters.joins += 1
        if window == nil || isMeasured(since) { latencies.join.record(now - since) }
        if isOnly { interval.record(now - since) }
    }
}
