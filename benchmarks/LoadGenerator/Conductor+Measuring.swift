internal import Reactor
internal import Synchronization

/// What was measured between two moments.
struct Measurement: Sendable {
    var seconds: Double
    var counters: Counters
    var serverSeconds: Double
    /// What the busiest of its threads ran.
    var serverBusiest = 0.0
    var ownSeconds: Double
    /// The share of a processor that the busiest worker took.
    var busiest: Double
    var latencies = Latencies()
    /// Over the whole run so far, not only the window.
    var lost = 0
}

extension Conductor {
    /// How the events of a window come about.
    enum Traffic { case api, query(path: String, info: String), clientEvents, none }

    /// Warm-up, measurement, drain and verification at one rate.
    func measure(_ traffic: Traffic, rate: Double, alsoChurn: Bool = false) -> Measurement {
        meet()
        let begin = MonotonicTime.now().nanoseconds + 50_000_000
        let from = begin + UInt64(options.warmupSeconds * 1e9)
        let to = from + UInt64(max(0.1, options.durationSeconds) * 1e9)
        let handles = team.compactMap { $0.handle.withLock { $0 } }
        sendAll(.forget)
        // Only a closed loop waits for deliveries.
        sendAll(.measure(from: from, to: to, wake: rate > 0 ? [] : handles))
        _ = takeInterval()
        report.heat = HeatMap()
        start(traffic, rate: rate, at: begin, measureFrom: from, end: to)
        if alsoChurn { churn(start: begin, end: to) }
        sleep(until: from, startedAt: begin, keepsTimeline: true)
        let first = snapshot()
        sleep(until: to, startedAt: begin, keepsTimeline: true)
        let last = snapshot()
        drain()
        var result = difference(first, last)
        let verdict = verify()
        result.latencies = verdict.latencies
        result.lost = verdict.lost
        return result
    }

    /// Waits for the second run, if there is to be one.
    func meet() {
        guard !options.meetingPlace.isEmpty else { return }
        if !MeetingPlace(directory: options.meetingPlace).wait(seconds: 60) {
            report.invalid.append("no second run came to \(options.meetingPlace)")
        }
    }

    func difference(_ first: Snapshot, _ last: Snapshot) -> Measurement {
        let seconds = Double(last.time - first.time) / 1e9
        let busiest = zip(last.workerNanoseconds, first.workerNanoseconds).map { $0 &- $1 }.max() ?? 0
        let server = last.serverThreads.map { $0.value - (first.serverThreads[$0.key] ?? 0) }.max() ?? 0
        return Measurement(
            seconds: seconds, counters: last.counters - first.counters,
            serverSeconds: last.serverSeconds - first.serverSeconds, serverBusiest: server,
            ownSeconds: last.ownSeconds - first.ownSeconds,
            busiest: Double(busiest) / 1e9 / max(0.001, seconds))
    }

    private func start(_ traffic: Traffic, rate: Double, at start: UInt64, measureFrom: UInt64, end: UInt64) {
        var timetable = Timetable(
            ratePerSecond: rate, inFlight: max(1, options.inFlight), batch: options.batch, start: start,
            measureFrom: measureFrom, end: end)
        switch traffic {
        case .none: break
        case .api: publisherMailbox.send(.publish(timetable))
        case .query(let path, let info): publisherMailbox.send(.query(timetable, path: path, info: info))
        case .clientEvents:
            timetable.ratePerSecond = rate / Double(plan.workers)
            timetable.batch = 1
            for mailbox in team.dropLast() { mailbox.send(.sendClientEvents(timetable)) }
        }
    }

    func churn(start: UInt64, end: UInt64) {
        let window = max(1, (options.inFlight > 0 ? options.inFlight : 16) / plan.workers)
        for mailbox in team.dropLast() {
            mailbox.send(.changeMembership(MembershipJob(mode: .churn, window: window, start: start, end: end)))
        }
    }

    // MARK: Figures

    /// The usual figures of a window.
    func add(_ measured: Measurement, latency: KeyPath<Latencies, Histogram>) {
        let total = counters
        report.latency = measured.latencies[keyPath: latency]
        if latency == \Latencies.delivery { report.service = measured.latencies.deliveryService }
        if latency == \Latencies.reply { report.service = measured.latencies.replyService }
        report.addLatency()
        report.add("connections", total.ready)
        report.add("seconds", measured.seconds, "s")
        let count = measured.counters
        if total.published > 0 {
            report.add("published", total.published)
            report.add("accepted", total.accepted)
            report.add("rejected", total.rejected)
            report.add("publishes_per_second", Double(count.accepted) / measured.seconds)
        }
        if total.expected > 0 {
            report.add("expected", total.expected - total.excused)
            report.add("deliveries", total.deliveries)
            report.add("deliveries_per_second", Double(count.deliveries) / measured.seconds)
            report.add("lost", max(0, measured.lost - total.excused))
            report.add("duplicated", total.duplicated)
            report.add("reordered", total.reordered)
        }
        if total.joins > 0 {
            report.add("joins", total.joins)
            report.add("joins_per_second", Double(count.joins) / measured.seconds)
            report.add("leaves", total.leaves)
        }
        if total.memberFrames > 0 { report.add("member_frames", total.memberFrames) }
        report.add("received_mb_per_second", Double(count.bytesIn) / 1e6 / measured.seconds, "MB/s")
        report.add("errors", total.errorFrames)
        report.add("connections_lost", total.lostConnections)
        report.add("late", total.late)
        report.add("queued", total.queued)
        addCosts(measured)
        judge(measured, total)
    }

    func addCosts(_ measured: Measurement) {
        let count = measured.counters
        report.add("generator_cpu_seconds", measured.ownSeconds, "s")
        report.add("generator_busiest_thread_percent", measured.busiest * 100, "%")
        guard let meter else { return }
        report.add("server_cpu_seconds", measured.serverSeconds, "s")
        report.add("server_cpu_percent", measured.serverSeconds / measured.seconds * 100, "%")
        report.add("server_busiest_thread_seconds", measured.serverBusiest, "s")
        if count.deliveries > 0, measured.serverBusiest > 0 {
            // What the server could deliver if each of its threads had a core to itself.
            report.add("deliveries_per_busiest_thread_second", Double(count.deliveries) / measured.serverBusiest)
        }
        func per(_ name: String, _ number: Int, of unit: Double) {
            if number > 0 { report.add(name, measured.serverSeconds / Double(number) * unit, "s") }
        }
        per("server_cpu_per_million_deliveries", count.deliveries, of: 1e6)
        if count.accepted > 0, plan.clients == 0 { per("server_cpu_per_10000_events", count.accepted, of: 1e4) }
        per("server_cpu_per_10000_calls", count.replies, of: 1e4)
        if options.scenario == .clientEvents { per("server_cpu_per_10000_client_events", count.accepted, of: 1e4) }
        per("server_cpu_per_10000_joins", count.joins, of: 1e4)
        if options.scenario == .presence, count.bytesIn > 0 {
            report.add("server_cpu_ns_per_byte", measured.serverSeconds / Double(count.bytesIn) * 1e9, "ns")
            report.add("bytes_per_join", Double(count.bytesIn) / Double(max(1, count.joins)), "B")
        }
        if let rss = meter.memoryBytes("Rss") { report.add("server_rss_bytes", rss, "B") }
    }

    /// Whether the figures are the server's and not ours.
    private func judge(_ measured: Measurement, _ total: Counters) {
        if options.isOpenLoop, options.scenario != .search, total.published > 0 {
            let calls = max(1, total.published / max(1, options.batch))
            if Double(total.late) > Double(calls) * 0.01 {
                report.invalid.append("\(total.late) of \(calls) sends were late by our own fault")
            }
        }
        // In a closed loop a busy generator bounds the throughput, while the cost of each event stays the server's own.
        let serverShare = measured.serverSeconds / measured.seconds
        if measured.busiest > 0.9, meter == nil || serverShare < measured.busiest - 0.05 {
            report.invalid.append(
                "a generator thread was busy \(Text.fixed(measured.busiest * 100, digits: 0)) %: throughput and latency are ours, "
                    + "only the costs per event are the server's; give --threads")
        } else if measured.busiest > 0.8 {
            report.notes.append("a generator thread was busy \(Text.fixed(measured.busiest * 100, digits: 0)) %")
        }
        let share = (measured.ownSeconds + measured.serverSeconds) / measured.seconds
        if share > 0.9 * Double(Processors.count) {
            report.notes.append(
                "server and generator together took \(Text.fixed(share, digits: 2)) of \(Processors.count) cores")
        }
        if total.published > 0, total.accepted == 0 {
            report.invalid.append("none of \(total.published) events was accepted")
        }
        if total.deliveries > total.expected {
            report.invalid.append(
                "\(total.deliveries - total.expected) deliveries more than expected: somebody gets what is not for him")
        }
        if let complaint = team.compactMap({ $0.complaint.withLock { $0 } }).first {
            report.notes.append("first complaint: \(complaint)")
        }
    }
}
