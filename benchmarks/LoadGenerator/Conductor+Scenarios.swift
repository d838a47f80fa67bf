internal import Glibc
internal import Reactor

extension Conductor {
    /// Carries out the scenario.
    func run() throws(Failure) {
        report.title = title
        switch options.scenario {
        case .fanout, .pubsub: try published(alsoChurn: false)
        case .mixed: try published(alsoChurn: true)
        case .search: try search()
        case .rest: try rest()
        case .clientEvents:
            try ramp(publishers: 0)
            add(measure(.clientEvents, rate: options.rate), latency: \.delivery)
        case .connect: try connect()
        case .idle: try idle()
        case .presence: try presence()
        case .churn: try churning()
        case .reconnectStorm: try storm()
        case .leave: try leave()
        }
    }

    private var title: String {
        let pace =
            options.isOpenLoop ? "\(Text.short(options.rate))/s (open loop)" : "\(max(1, options.inFlight)) in flight"
        var text = options.label.isEmpty ? "" : "[\(options.label)] "
        text += "scenario \(options.scenario.rawValue)  "
        switch options.scenario {
        case .connect, .idle, .reconnectStorm, .leave:
            text +=
                "\(Text.grouped(plan.clients)) \(options.channelType) clients × \(plan.channelsPerClient) of "
                + "\(Text.grouped(plan.channels)) channels"
        case .presence, .churn: text += "\(Text.grouped(plan.clients)) clients, \(pace)"
        case .rest:
            text += "\(pace), \(options.publisherCount) connections, batch \(options.batch), \(options.payloadBytes) B"
        case .search:
            return text
                + "\(options.subscribers) subs × \(options.payloadBytes) B from \(Text.short(options.startRate))/s, "
                + "× \(Text.short(options.rateFactor)) until \(options.serviceLevels.map(\.text).joined(separator: ",")) breaks  "
                + "server \(options.server)"
        case .clientEvents:
            text += "\(plan.channels) channels × \(options.peers) peers × \(options.payloadBytes) B, \(pace)"
        default:
            text += "\(plan.channels) channels × \(options.subscribers) subs × \(options.payloadBytes) B, \(pace)"
        }
        return text + "  for \(Text.short(options.durationSeconds)) s  server \(options.server)"
    }

    private func published(alsoChurn: Bool) throws(Failure) {
        try ramp(publishers: options.publisherCount)
        add(measure(.api, rate: options.rate, alsoChurn: alsoChurn), latency: \.delivery)
    }

    private func rest() throws(Failure) {
        try ramp(publishers: options.publisherCount)
        let traffic: Traffic =
            switch options.query {
            case "channel": .query(path: "/channels/\(plan.channelName(0))", info: "subscription_count")
            case "channels": .query(path: "/channels", info: "")
            default: .api
            }
        add(measure(traffic, rate: options.rate), latency: \.reply)
    }

    // MARK: Memberships

    private func presence() throws(Failure) {
        try ramp(publishers: 0)
        usleep(300_000)
        let users = plan.clients
        let first = snapshot()
        let job = MembershipJob(
            mode: .join, window: max(1, max(1, options.inFlight) / plan.workers),
            ratePerSecond: options.rate / Double(plan.workers), start: MonotonicTime.now().nanoseconds)
        for mailbox in team.dropLast() { mailbox.send(.changeMembership(job)) }
        // User k hears of users k+1…: each pair once.
        let added = users * (users - 1) / 2
        guard wait(patienceSeconds: 5, { $0.joins >= users }) else {
            throw Failure(text: "only \(counters.joins) of \(users) joined\(complaint)")
        }
        let joinedAt = snapshot()
        _ = wait(patienceSeconds: 2) { $0.memberFrames >= added }
        let last = snapshot()
        var measured = difference(first, last)
        measured.latencies = verify().latencies
        report.add("seconds_to_join", Double(joinedAt.time - first.time) / 1e9, "s")
        report.add("member_added", last.counters.memberFrames)
        report.add("member_added_lost", added - last.counters.memberFrames)
        var leave = job
        leave.mode = .leave
        for mailbox in team.dropLast() { mailbox.send(.changeMembership(leave)) }
        _ = wait(patienceSeconds: 2) { $0.leaves >= users && $0.memberFrames >= 2 * added }
        let left = snapshot()
        report.add("member_removed", left.counters.memberFrames - last.counters.memberFrames)
        if meter != nil { report.add("server_cpu_seconds_leaving", left.serverSeconds - last.serverSeconds, "s") }
        add(measured, latency: \.join)
    }

    private func churning() throws(Failure) {
        try ramp(publishers: 0)
        let begin = MonotonicTime.now().nanoseconds + UInt64((options.warmupSeconds + options.durationSeconds) * 1e9)
        churn(start: 0, end: begin + 50_000_000)
        add(measure(.none, rate: 0), latency: \.join)
    }

    // MARK: Search

    private func search() throws(Failure) {
        try ramp(publishers: options.publisherCount)
        var rate = max(0.1, options.startRate)
        var lostBefore = 0
        var best: Measurement?
        // A step in which we were late says nothing of the server: it is tried again.
        var triesLeft = 3
        while report.steps.count < 200 {
            let measured = measure(.api, rate: rate)
            var step = Report(options: options, commandLine: [])
            step.latency = measured.latencies.delivery
            step.addLatency()
            step.add("lost", measured.lost - lostBefore)
            step.add("duplicated", measured.counters.duplicated)
            step.add("rejected", measured.counters.rejected)
            step.add("connections_lost", measured.counters.lostConnections)
            lostBefore = measured.lost
            let isLate = Double(measured.counters.late) > rate * measured.seconds * 0.01
            let isKept = step.missedLevels.isEmpty && !isLate
            triesLeft -= 1
            if isLate, triesLeft > 0 { continue }
            triesLeft = 3
            report.latency = step.latency
            report.steps.append(
                SearchStep(
                    rate: rate, deliveriesPerSecond: Double(measured.counters.deliveries) / measured.seconds,
                    p50: step.latency.value(atPercentile: 50), p99: step.latency.value(atPercentile: 99),
                    isKept: isKept))
            if isLate {
                report.notes.append(
                    "the generator was late at \(Text.fixed(rate, digits: 1))/s: the search ends by our fault")
            }
            guard isKept else { break }
            best = measured
            rate *= options.rateFactor
        }
        guard let best else { return }
        report.add("best_rate", report.steps.last { $0.isKept }?.rate ?? 0)
        add(best, latency: \.delivery)
    }
}
