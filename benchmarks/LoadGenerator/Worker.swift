internal import CLinux
internal import Glibc
internal import Reactor
internal import Synchronization

/// One loop of the generator: it owns some of the clients, or the API connections, and does what the conductor tells it.
///
/// Its parts are in the `Worker+…` files: dialing, frames, publishing, client events, memberships.
final class Worker: LoopHandler {
    let loop: EventLoop
    let plan: Plan
    let number: Int
    let team: [WorkerMailbox]
    let mailbox: WorkerMailbox
    let messages: PusherMessages
    /// What a connection's tag says it is.
    static let clientTag = 0
    static let publisherTag = 1
    static let probeTag = 2

    var counters = Counters()
    var latencies = Latencies()
    var interval = Histogram()
    var connections: [Connection] = []
    /// The slots of this worker's clients, by their local index; `UInt32.max` while not connected.
    var clientSlots: [UInt32]
    /// Dialed in this order, for `opened`.
    var trackers: UnsafeMutableBufferPointer<DeliveryTracker>
    /// Where the stamp stood in the last frame, from the frame's start.
    var stampOffset = 0
    var measureFrom = UInt64.max
    var measureTo: UInt64 = 0
    var wakeOnDelivery: [LoopHandle] = []

    var dialing = Dialing()
    var isHangingUp = false
    var publishing: Publishing?
    var clientEvents: ClientEvents?
    var membership: MembershipJob?
    var probes: Probes?
    var pinging: Pinging?
    /// How to talk to a server that is none of Pusher's.
    let language: RawDialect.Language?
    var idleCalls: [UInt32] = []
    var sequences: [UInt32] = []

    private let timer: CInt
    private var timerDue: UInt64 = 0

    init(plan: Plan, number: Int, team: [WorkerMailbox]) throws(IOError) {
        (self.plan, self.number, self.team, mailbox) = (plan, number, team, team[number])
        language = plan.target.raw?.language
        var options = LoopOptions()
        options.inputBytesMax = 64 << 20
        options.backlogBytesMax = 64 << 20
        options.backlogs = BacklogLedger(limitBytes: 1 << 30)
        options.unsentLowBytes = 0
        options.userTimeoutMilliseconds = 0
        loop = try EventLoop(options)
        messages = PusherMessages(target: plan.target)
        messages.setTime(unixSeconds: WallClock.seconds())
        let clients = number < plan.workers ? (plan.clients + plan.workers - 1 - number) / plan.workers : 0
        clientSlots = Array(repeating: .max, count: clients)
        let subscribers = number < plan.workers ? (plan.subscribers + plan.workers - 1 - number) / plan.workers : 0
        trackers = .allocate(capacity: subscribers * plan.channelsPerClient * plan.publishers)
        trackers.initialize(repeating: DeliveryTracker())
        let timer = clinux_timer_create()
        guard timer >= 0 else { throw IOError(call: "timerfd_create", code: -timer) }
        self.timer = timer
        try loop.watch(timer) { _ = clinux_eventfd_drain(timer) }
    }

    deinit {
        clinux_close(timer)
        trackers.deallocate()
    }

    /// The thread's whole life.
    static func run(plan: Plan, number: Int, team: [WorkerMailbox]) {
        let worker: Worker
        do throws(IOError) { worker = try Worker(plan: plan, number: number, team: team) } catch {
            team[number].failure.withLock { $0 = "\(error)" }
            return
        }
        team[number].handle.withLock { $0 = worker.loop.handle }
        // The thread that keeps the timetable needs little time but at the right moment; not granted to everybody.
        if number == plan.workers { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -10) }
        worker.loop.run(worker)
    }

    /// The global number of a local client.
    func clientNumber(_ local: Int) -> Int { local * plan.workers + number }
    func localIndex(_ client: Int) -> Int { client / plan.workers }

    /// Makes the loop turn at a time, if it is not to turn earlier.
    func wake(at time: UInt64) {
        guard timerDue <= loop.now.nanoseconds || time < timerDue else { return }
        timerDue = time
        _ = clinux_timer_set(timer, max(1, time))
    }

    // MARK: LoopHandler

    func turn() -> Bool {
        for command in mailbox.take() { obey(command) }
        let hasMore = dial()
        publishDue()
        clientEventsDue()
        probesDue()
        pingsDue()
        let isBusy = changeMemberships()
        let before = mailbox.counters
        counters.bytesIn = Int(clamping: loop.statistics.bytesIn)
        counters.bytesOut = Int(clamping: loop.statistics.bytesOut)
        mailbox.counters = counters
        if counters.deliveries != before.deliveries { for handle in wakeOnDelivery { handle.wake() } }
        return hasMore || isBusy
    }

    func hasWork() -> Bool { mailbox.hasCommands }

    func tick() {
        messages.setTime(unixSeconds: WallClock.seconds())
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        counters.processorNanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        if interval.total > 0 {
            mailbox.addInterval(interval)
            interval.reset()
        }
    }

    func timerFired(_ slot: UInt32) {}
    func overflowed(_ slot: UInt32, _ why: Overflow) { loop.abort(slot) }

    private func obey(_ command: WorkerCommand) {
        switch command {
        case .dial(let rate, let window): beginDialing(rate: rate, window: window)
        case .dialPublishers(let count): dialPublishers(count)
        case .hangUp: hangUp()
        case .publish(let timetable): publishing = Publishing(timetable, query: nil)
        case .query(let timetable, let path, let info): publishing = Publishing(timetable, query: (path, info))
        case .sendClientEvents(let timetable): clientEvents = ClientEvents(timetable)
        case .changeMembership(let job): membership = job
        case .probe(let job): probes = job
        case .ping(let job): pinging = job
        case .measure(let from, let to, let wake): (measureFrom, measureTo, wakeOnDelivery) = (from, to, wake)
        case .tellSequences: mailbox.sequences.withLock { $0 = sequences }
        case .verify(let sent): verify(sent)
        case .forget: latencies = Latencies()
        case .stop: loop.stop()
        }
    }

    /// Deliveries that events sent so far must still cause, over all workers.
    func outstanding() -> Int {
        var sum = counters.expected - counters.excused - counters.deliveries
        for other in team where other !== mailbox {
            let counters = other.counters
            sum += counters.expected - counters.excused - counters.deliveries
        }
        return sum
    }

    private func verify(_ sent: [UInt32]) {
        var verdict = Verdict(latencies: latencies)
        let perClient = plan.channelsPerClient * plan.publishers
        if perClient > 0, sent.count == plan.channels * plan.publishers {
            for local in 0..<trackers.count / perClient {
                let client = clientNumber(local)
                for index in 0..<plan.channelsPerClient {
                    let channel = plan.channel(of: client, index)
                    for publisher in 0..<plan.publishers where !isOwn(client, channel, publisher) {
                        let tracker = trackers[local * perClient + index * plan.publishers + publisher]
                        verdict.lost += tracker.lost(sent: sent[channel * plan.publishers + publisher])
                    }
                }
            }
        }
        mailbox.verdict.withLock { $0 = verdict }
    }

    /// Whether a peer's own client events, which do not come back, are asked about.
    private func isOwn(_ client: Int, _ channel: Int, _ publisher: Int) -> Bool {
        clientEvents != nil && client / plan.channels == publisher
    }
}

@available(*, unavailable) extension Worker: Sendable {}

/// What a worker knows of one connection.
struct Connection {
    enum Phase: UInt8 { case free, upgrading, greeting, subscribing, ready, idleCall, busyCall }
    var phase = Phase.free
    /// Waiting for `subscription_succeeded` of a membership job.
    var isJoining = false
    var isPublisher = false
    var isProbe = false
    /// The client's or API connection's number.
    var number: Int32 = -1
    var confirmed: Int32 = 0
    /// The member's channel.
    var joined: Int32 = -1
    /// When it was dialed, then when its call or join was due; and when that was sent.
    var since: UInt64 = 0
    var sent: UInt64 = 0
    /// Events of the call, and the deliveries they will cause.
    var events: Int32 = 0
    var expected: Int32 = 0
    var socketID: [UInt8] = []
    /// What an API connection is answered.
    var reply = APIReply()
}
