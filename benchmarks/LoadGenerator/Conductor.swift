internal import Glibc
internal import Reactor
internal import Synchronization

/// Leads the workers through the phases of a run: ramp → warm-up → measure → drain → verify. Main thread.
///
/// Large, because each family of scenarios has a file.
final class Conductor {
    let options: Options
    let plan: Plan
    let team: [WorkerMailbox]
    let meter: ProcessMeter?
    private let threads: [LoopThread]
    var report: Report
    private var progress: Progress
    /// The latencies of this second so far.
    private var second = Histogram()
    /// Where the API connections are.
    var publisherMailbox: WorkerMailbox { team[team.count - 1] }

    struct Failure: Error { var text: String }

    init(_ options: Options, plan: Plan, commandLine: [String], build: String) throws(Failure) {
        (self.options, self.plan) = (options, plan)
        _ = DescriptorLimit.raise()
        meter = options.pid > 0 ? ProcessMeter(pid: options.pid) : nil
        team = (0...plan.workers).map { _ in WorkerMailbox() }
        report = Report(options: options, commandLine: commandLine)
        progress = Progress(isShown: !options.isQuiet && Files.isTerminal)
        threads = try Self.start(plan, team)
        report.environment = MachineInfo.environment(options, commandLine: commandLine, build: build)
        let load =
            report.environment.first { $0.name == "load" }?.value.split(separator: " ").first.flatMap { Double($0) }
            ?? 0
        if load > Double(Processors.count) {
            report.notes.append(
                "the machine had a load of \(load) on \(Processors.count) cores before the run: expect noise")
        }
        if meter != nil, meter?.processorSeconds == nil { throw Failure(text: "there is no process \(options.pid)") }
    }

    private nonisolated static func start(_ plan: Plan, _ team: [WorkerMailbox]) throws(Failure) -> [LoopThread] {
        var threads: [LoopThread] = []
        for number in team.indices {
            do throws(IOError) {
                threads.append(
                    try LoopThread.start(name: "bench-\(number)") {
                        Worker.run(plan: plan, number: number, team: team)
                    })
            } catch { throw Failure(text: "\(error)") }
        }
        for mailbox in team {
            while mailbox.handle.withLock({ $0 }) == nil {
                if let failure = mailbox.failure.withLock({ $0 }) { throw Failure(text: failure) }
                usleep(200)
            }
        }
        return threads
    }

    func clearProgress() { progress.clear() }

    func stop() {
        for mailbox in team { mailbox.send(.stop) }
        for thread in threads { thread.join() }
    }

    func sendAll(_ command: WorkerCommand) { for mailbox in team { mailbox.send(command) } }

    // MARK: State

    var counters: Counters { team.reduce(Counters()) { $0 + $1.counters } }

    /// A moment's figures; two of them make a measurement.
    struct Snapshot {
        var time: UInt64
        var counters: Counters
        var workerNanoseconds: [UInt64]
        var serverSeconds: Double
        var serverThreads: [Int: Double]
        var ownSeconds: Double
    }

    func snapshot() -> Snapshot {
        Snapshot(
            time: MonotonicTime.now().nanoseconds, counters: counters,
            workerNanoseconds: team.map { $0.counters.processorNanoseconds },
            serverSeconds: meter?.processorSeconds ?? 0, serverThreads: meter?.threadSeconds ?? [:],
            ownSeconds: ProcessMeter.own)
    }

    // MARK: Waiting

    /// Waits until a condition holds; gives up when nothing has changed for so long, or after two minutes.
    func wait(patienceSeconds: Double, _ condition: (Counters) -> Bool) -> Bool {
        var last = counters
        let start = MonotonicTime.now().nanoseconds
        var lastChange = start
        while true {
            let now = counters
            if condition(now) { return true }
            let time = MonotonicTime.now().nanoseconds
            var comparable = now
            comparable.processorNanoseconds = last.processorNanoseconds
            if comparable != last { (last, lastChange) = (comparable, time) }
            if Double(time - lastChange) > patienceSeconds * 1e9 || time - start > 120_000_000_000 { return false }
            progress.show(self, now)
            usleep(500)
        }
    }

    /// Sleeps to a monotonic time, with progress and timeline.
    func sleep(until time: UInt64, startedAt start: UInt64 = 0, keepsTimeline: Bool = false) {
        let passed = MonotonicTime.now().nanosecondsSince(MonotonicTime(nanoseconds: start))
        var nextSecond = start + (passed / 1_000_000_000 + 1) * 1_000_000_000
        var nextColumn = start + (passed / HeatMap.columnNanoseconds + 1) * HeatMap.columnNanoseconds
        while true {
            let now = MonotonicTime.now().nanoseconds
            if keepsTimeline, now >= nextColumn {
                let histogram = takeInterval()
                report.heat.add(histogram, second: Double(nextColumn - start) / 1e9)
                second.merge(histogram)
                nextColumn += HeatMap.columnNanoseconds
            }
            if keepsTimeline, now >= nextSecond {
                let histogram = second
                second.reset()
                report.timeline.append(
                    TimelinePoint(
                        second: Double(nextSecond - start) / 1e9, count: histogram.total,
                        p50: histogram.value(atPercentile: 50), p99: histogram.value(atPercentile: 99),
                        maximum: histogram.maximum))
                progress.latest = histogram
                nextSecond += 1_000_000_000
            }
            if now >= time { return }
            progress.show(self, counters)
            let step = min(time - now, 100_000_000)
            var pause = timespec(tv_sec: 0, tv_nsec: Int(step))
            nanosleep(&pause, nil)
        }
    }

    func takeInterval() -> Histogram {
        var all = Histogram()
        for mailbox in team { all.merge(mailbox.takeInterval()) }
        return all
    }

    // MARK: Phases

    /// Connects everybody.
    func ramp(publishers: Int) throws(Failure) {
        sendAll(.dial(ratePerSecond: options.connectRate / Double(plan.workers), window: options.connectWindow))
        try waitReady(plan.clients)
        guard publishers > 0 else { return }
        publisherMailbox.send(.dialPublishers(count: publishers))
        try waitReady(plan.clients + publishers)
    }

    func waitReady(_ count: Int) throws(Failure) {
        let isReady = wait(patienceSeconds: 10) {
            $0.failedDials > Dialing.failuresMax || $0.ready + $0.failedDials >= count
        }
        let now = counters
        guard isReady, now.ready >= count else {
            throw Failure(
                text: "only \(now.ready) of \(count) connections are ready (\(now.failedDials) failed)\(complaint)")
        }
    }

    var complaint: String {
        team.compactMap { $0.complaint.withLock { $0 } }.first.map { "; first complaint: \($0)" } ?? ""
    }

    /// Waits until every delivery that is due has come, or none has for two seconds.
    func drain() {
        _ = wait(patienceSeconds: 2) { $0.calls == 0 && $0.expected - $0.excused <= $0.deliveries }
    }

    /// What all workers found, compared with all that was sent.
    func verify() -> Verdict {
        var sent: [UInt32] = []
        for mailbox in team {
            mailbox.sequences.withLock { $0 = nil }
            mailbox.send(.tellSequences)
        }
        for mailbox in team {
            let part = Self.await(mailbox.sequences)
            if sent.isEmpty { sent = part }
            for index in part.indices where index < sent.count { sent[index] = max(sent[index], part[index]) }
        }
        for mailbox in team {
            mailbox.verdict.withLock { $0 = nil }
            mailbox.send(.verify(sent: sent))
        }
        var all = Verdict()
        for mailbox in team {
            let verdict = Self.await(mailbox.verdict)
            all.lost += verdict.lost
            all.latencies.merge(verdict.latencies)
        }
        return all
    }

    /// Waits for an answer; a worker's turn is short.
    private static func await<Answer: Sendable>(_ box: borrowing Mutex<Answer?>) -> Answer {
        while true {
            if let answer = box.withLock({ $0 }) { return answer }
            usleep(500)
        }
    }
}
