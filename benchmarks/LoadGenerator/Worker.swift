internal import Glibc
internal import Reactor
internal import Synchronization

/// One loop of the generator: it owns some of the clients, or the API connections, and does what the conductor tells it.
///
///     conductor ── commands ─▶ jobs: values that say what is due ─▶ Worker+Jobs: sends it
///     server ───── bytes ────▶ FrameReader, APICalls ─────────────▶ Worker+Arrivals: counts it, goes on
final class Worker: LoopHandler {
    let loop: EventLoop
    let plan: Plan
    /// How to talk to a server that is none of Pusher's.
    let language: RawDialect.Language?
    let messages: PusherMessages
    var team: Team
    var connections: Connections
    var calls = APICalls()
    var reader = FrameReader()
    var jobs = Jobs()
    var tally = Tally()
    var deliveries: Deliveries
    var timer: TurnTimer

    init(plan: Plan, team: Team) throws(IOError) {
        (self.plan, self.team) = (plan, team)
        language = plan.target.raw?.language
        var options = LoopOptions()
        options.inputBytesMax = 64 << 20
        options.backlogBytesMax = 64 << 20
        options.backlogs = BacklogLedger(limitBytes: 1 << 30)
        options.unsentLowBytes = 0
        options.userTimeoutMilliseconds = 0
        // How long a server lets others wait is for the figures to say.
        options.handshakeMilliseconds = 60_000
        let loop = try EventLoop(options)
        self.loop = loop
        timer = try TurnTimer(loop)
        messages = PusherMessages(target: plan.target)
        messages.setTime(unixSeconds: WallClock.seconds())
        connections = Connections(clients: plan.clients(of: team.number), workers: plan.workers)
        deliveries = Deliveries(plan: plan, worker: team.number)
    }

    /// The thread's whole life.
    static func run(plan: Plan, number: Int, team: [WorkerMailbox]) {
        let worker: Worker
        do throws(IOError) { worker = try Worker(plan: plan, team: Team(team, number: number)) } catch {
            team[number].failure.withLock { $0 = "\(error)" }
            return
        }
        team[number].handle.withLock { $0 = worker.loop.handle }
        // The thread that keeps the timetable needs little time but at the right moment; not granted to everybody.
        if number == plan.workers { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -10) }
        worker.loop.run(worker)
    }

    func complain(_ text: String) { team.mailbox.complain(text) }

    /// Sends a client what `add` puts together.
    func send(_ slot: UInt32, _ add: (PusherMessages) -> Void) {
        messages.begin()
        add(messages)
        if !messages.bytes.isEmpty { loop.outbox.send(messages.bytes, to: slot) }
    }

    // MARK: LoopHandler

    func turn() -> Bool {
        for command in team.mailbox.take() { obey(command) }
        let isBusy = doWhatIsDue()
        tally.counters.bytesIn = Int(clamping: loop.statistics.bytesIn)
        tally.counters.bytesOut = Int(clamping: loop.statistics.bytesOut)
        team.tell(tally.counters)
        return isBusy
    }

    func hasWork() -> Bool { team.mailbox.hasCommands }

    func tick() {
        messages.setTime(unixSeconds: WallClock.seconds())
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        tally.counters.processorNanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        if tally.interval.total > 0 {
            team.mailbox.addInterval(tally.interval)
            tally.interval.reset()
        }
    }

    func timerFired(_ slot: UInt32) {}
    func overflowed(_ slot: UInt32, _ why: Overflow) { loop.abort(slot) }

    private func obey(_ command: WorkerCommand) {
        let mailbox = team.mailbox
        switch command {
        case .dial(let rate, let window):
            connections.isHangingUp = false
            jobs.dialing = Dialing(
                clients: connections.clientCount, ratePerSecond: rate, window: window, now: loop.now.nanoseconds)
        case .dialPublishers(let count):
            deliveries.restartSequences()
            for number in 0..<count { _ = dial(.publisher, number: number) }
        case .hangUp:
            connections.isHangingUp = true
            for slot in connections.connectedClients { loop.abort(slot) }
            deliveries.forget()
        case .publish(let timetable):
            jobs.publishing = Publishing(timetable, perEvent: plan.subscriptions(of: 0))
        case .query(let timetable, let path, let info):
            jobs.publishing = Publishing(timetable, query: (path, info), perEvent: plan.subscriptions(of: 0))
        case .sendClientEvents(let timetable):
            if deliveries.sequences.isEmpty { deliveries.restartSequences() }
            jobs.clientEvents = ClientEvents(
                timetable, clients: connections.clientCount, peers: plan.publishers)
        case .changeMembership(let job): jobs.membership = job
        case .probe(let job): jobs.probes = job
        case .ping(let job): jobs.pinging = job
        case .measure(let from, let to, let publishers): (tally.window, team.publishers) = (from..<to, publishers)
        case .tellSequences: mailbox.sequences.withLock { $0 = deliveries.sequences }
        case .verify(let sent):
            let verdict = Verdict(lost: deliveries.lost(sent: sent), latencies: tally.latencies)
            mailbox.verdict.withLock { $0 = verdict }
        case .forget: tally.latencies = Latencies()
        case .stop: loop.stop()
        }
    }
}

@available(*, unavailable) extension Worker: Sendable {}
