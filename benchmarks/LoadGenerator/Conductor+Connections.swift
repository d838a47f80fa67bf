internal import Glibc
internal import Reactor

/// Scenarios about connections themselves.
extension Conductor {
    func connect() throws(Failure) {
        let before = meter?.memoryBytes("Rss")
        let first = snapshot()
        try ramp(publishers: 0)
        let last = snapshot()
        // Threads tell their processor time each 100 ms.
        usleep(150_000)
        var measured = difference(first, last)
        measured.busiest = Double(snapshot().workerNanoseconds.max() ?? 0) / 1e9 / measured.seconds
        measured.latencies = verify().latencies
        let rate = Double(plan.clients) / measured.seconds
        report.add("connects_per_second", rate)
        report.add("greeting_p99", Double(measured.latencies.greeting.value(atPercentile: 99)) / 1e6, "ms")
        if measured.serverSeconds > 0 {
            report.add("connects_per_server_cpu_second", Double(plan.clients) / measured.serverSeconds)
        }
        if let before, let after = meter?.memoryBytes("Rss") {
            report.add("server_rss_bytes_per_connection", Double(after - before) / Double(plan.clients), "B")
        }
        // Held meanwhile, so that one that is lost then is counted.
        sleep(until: MonotonicTime.now().nanoseconds + UInt64(options.durationSeconds * 1e9))
        add(measured, latency: \.connect)
    }

    func idle() throws(Failure) {
        let before = (meter?.memoryBytes("Anonymous"), meter?.memoryBytes("Rss"))
        try ramp(publishers: 0)
        usleep(1_500_000)
        let after = (meter?.memoryBytes("Anonymous"), meter?.memoryBytes("Rss"))
        if let start = before.0, let end = after.0 {
            report.add("anonymous_bytes_per_connection", Double(end - start) / Double(plan.clients), "B")
        }
        if let start = before.1, let end = after.1 {
            report.add("rss_bytes_per_connection", Double(end - start) / Double(plan.clients), "B")
        }
        let latencies = verify().latencies
        if options.pingInterval > 0 {
            let start = MonotonicTime.now().nanoseconds
            let seconds = options.warmupSeconds + options.durationSeconds + 0.05
            let rate = Double(plan.clients) / Double(plan.workers) / options.pingInterval
            for mailbox in team.dropLast() {
                mailbox.send(
                    .ping(
                        Pinging(
                            pacer: Pacer(start: start, ratePerSecond: rate), end: start + UInt64(seconds * 1e9))))
            }
        }
        var measured = measure(.none, rate: 0)
        measured.latencies = latencies
        add(measured, latency: \.connect)
        report.add("pings", counters.pings)
        report.add("pongs", counters.pongs)
        report.add("idle_server_cpu_percent", report.figure("server_cpu_percent") ?? 0, "%")
        sendAll(.hangUp)
        _ = wait(patienceSeconds: 5) { $0.ready == 0 }
        usleep(1_500_000)
        if let start = before.0, let end = meter?.memoryBytes("Anonymous") {
            report.add("anonymous_bytes_kept_afterwards", end - start, "B")
        }
    }

    func storm() throws(Failure) {
        let before = meter?.memoryBytes("Anonymous")
        try ramp(publishers: 0)
        usleep(300_000)
        sendAll(.forget)
        sendAll(.hangUp)
        guard wait(patienceSeconds: 5, { $0.ready == 0 }) else { throw Failure(text: "could not hang up") }
        let first = snapshot()
        sendAll(.dial(ratePerSecond: options.connectRate / Double(plan.workers), window: options.connectWindow))
        try waitReady(plan.clients)
        let last = snapshot()
        usleep(150_000)
        var measured = difference(first, last)
        measured.latencies = verify().latencies
        usleep(1_500_000)
        if let before, let after = meter?.memoryBytes("Anonymous") {
            report.add("anonymous_bytes_per_connection", Double(after - before) / Double(plan.clients), "B")
        }
        report.add("seconds_to_whole", measured.seconds, "s")
        report.add("connects_per_second", Double(plan.clients) / measured.seconds)
        add(measured, latency: \.connect)
    }

    /// Everybody goes at once; the second after it belongs to the probes, and then the memory may settle.
    func leave() throws(Failure) {
        let before = memory()
        try ramp(publishers: 0)
        usleep(1_000_000)
        let peak = memory()
        if !options.meetingPlace.isEmpty {
            meet()
            // The other one warms up, and has measured for a while.
            usleep(UInt32((options.warmupSeconds + options.durationSeconds / 4) * 1e6))
        }
        sendAll(.forget)
        let first = snapshot()
        sendAll(.hangUp)
        let start = MonotonicTime.now().nanoseconds
        publisherMailbox.send(
            .probe(Probes(pacer: Pacer(start: start, ratePerSecond: options.probeRate), end: start + 1_000_000_000)))
        guard wait(patienceSeconds: 5, { $0.ready == 0 }) else { throw Failure(text: "could not hang up") }
        sleep(until: start + 1_000_000_000)
        let wanted = Int(options.probeRate.rounded(.up))
        let isAnswered = wait(patienceSeconds: 2) { $0.probes + $0.failedProbes >= wanted }
        let after = settledMemory()
        var measured = difference(first, snapshot())
        measured.latencies = verify().latencies
        report.add("subscriptions", plan.subscribers * plan.channelsPerClient)
        report.add("probes", counters.probes)
        report.add("failed_probes", counters.failedProbes)
        if !isAnswered || counters.failedProbes > 0 {
            report.invalid.append("of \(wanted) probes \(counters.probes) were greeted\(complaint)")
        }
        if let before, let peak, let after {
            for (name, one) in [("before", before), ("peak", peak), ("after", after)] {
                report.add("rss_bytes_\(name)", one.resident, "B")
                report.add("anonymous_bytes_\(name)", one.anonymous, "B")
            }
            report.add("rss_after_percent", Double(after.resident) / Double(before.resident) * 100, "%")
            report.add("anonymous_after_percent", Double(after.anonymous) / Double(before.anonymous) * 100, "%")
        }
        add(measured, latency: \.connect)
    }

    private struct Memory {
        var resident: Int
        /// Of it what no file backs.
        var anonymous: Int
    }

    private func memory() -> Memory? {
        guard let resident = meter?.memoryBytes("Rss"), let anonymous = meter?.memoryBytes("Anonymous") else {
            return nil
        }
        return Memory(resident: resident, anonymous: anonymous)
    }

    /// The server's memory once its anonymous part has stayed the same for four seconds, or after twenty.
    private func settledMemory() -> Memory? {
        var last = memory()
        var unchanged = 0
        for _ in 0..<100 where unchanged < 20 {
            usleep(200_000)
            let now = memory()
            unchanged = now?.anonymous == last?.anonymous ? unchanged + 1 : 0
            last = now
        }
        return last
    }
}
