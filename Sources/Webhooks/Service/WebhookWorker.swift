internal import BrokerCore
internal import Crypto
internal import PusherProtocol
internal import Reactor
internal import Telemetry

/// The webhooks' thread: joins what happens, what is kept of it, the queues and the client. Decides nothing itself.
///
///     edges ─▶ EventSource ─▶ spool, WebhookQueues ─ durable, due ─▶ client ─ outcome ─▶ WebhookQueues ─ news ─▶ spool, log, metrics
final class WebhookWorker: LoopDuties {
    private let loop: EventLoop
    private let door: WebhookDoor
    private var source: EventSource
    var queues: WebhookQueues
    private(set) var attempts = AttemptLog()
    private(set) var meter = WebhookMeter()
    private var spool: SpoolKeeper
    private var log = DeliveryLog()
    /// Attempts under way, and when they began.
    private var underWay: [WebhookEndpointID: UnderWay] = [:]
    /// It does not hold us; nil when all has ended.
    private(set) var client: WebhookClient?
    private var isStopping = false
    /// Apps as they were configured last.
    private(set) var directory: AppDirectory

    /// An attempt that has begun.
    private struct UnderWay {
        var first: WebhookEvent.ID
        var events: Int
        var attempt: Int
        var app: String
        var began: MonotonicTime
        var unixMilliseconds: Int64
    }

    init(
        loop: EventLoop, door: WebhookDoor, source: consuming EventSource, spool: SpoolKeeper, directory: AppDirectory
    ) {
        (self.loop, self.door, self.spool) = (loop, door, spool)
        self.source = source
        (self.directory, queues) = (directory, WebhookQueues())
    }

    /// Before the loop runs.
    /// - Parameter found: what the spool had; nil: there is none, or another process has it.
    func begin(_ client: WebhookClient, _ options: WebhookOptions, found: SpoolContents?) {
        self.client = client
        configure(directory, options)
        if let found { adopt(found) }
        tellDoor()
    }

    var now: Moment {
        Moment(milliseconds: loop.now.nanoseconds / 1_000_000, unixMilliseconds: Int64(WallClock.milliseconds()))
    }

    // MARK: LoopDuties

    func turn() -> Bool {
        for command in door.take() { carryOut(command) }
        if !isStopping { advance() }
        return false
    }

    func hasWork() -> Bool {
        let now = loop.now.nanoseconds / 1_000_000
        return door.hasCommands || source.hasWork(now) || queues.isWaiting(forDurable: spool.durableNumber)
            || queues.nextDue.map { $0 <= now } ?? false
    }

    func tick() {
        let now = now
        if let found = spool.tryAgain(now: now.milliseconds) { adoptLate(found) }
        log.tick(now: now.milliseconds)
    }

    private func advance() {
        let now = now
        var entries: [SpoolEntry] = []
        source.take(now) { event in
            queues.append(event.entry, since: event.sinceMilliseconds, now)
            entries.append(event.entry)
        }
        if !entries.isEmpty { spool.spool?.append(entries) }
        queues.setDurable(spool.durableNumber)
        while !isStopping, let due = queues.popDue(now, Self.request) { send(due, now) }
        passOnNews(now)
        tellDoor()
    }

    private func tellDoor() {
        door.tell(unsent: spool.losable(of: queues.count + source.waitingCount), hasSpool: spool.spool != nil)
    }

    // MARK: Delivery

    private static func request(_ target: DeliveryTarget, _ events: [WebhookEvent]) -> OutgoingRequest {
        Envelope.request(to: target.endpoint, events: events, key: target.key)
    }

    private func send(_ due: WebhookQueues.Due, _ now: Moment) {
        guard let client, let queue = queues.queue(of: due.endpoint), let sent = queue.underWay else { return }
        underWay[due.endpoint] = UnderWay(
            first: sent.first, events: sent.events, attempt: due.attempt, app: queue.target.app, began: loop.now,
            unixMilliseconds: now.unixMilliseconds)
        client.send(due.request) { [weak self] outcome in self?.ended(due.endpoint, outcome) }
    }

    private func ended(_ endpoint: WebhookEndpointID, _ outcome: AttemptOutcome) {
        let now = now
        if let attempt = underWay.removeValue(forKey: endpoint) {
            let nanoseconds = loop.now.nanosecondsSince(attempt.began)
            meter.attempted(outcome, nanoseconds: nanoseconds)
            attempts.add(
                AttemptRecord(
                    unixMilliseconds: attempt.unixMilliseconds, app: attempt.app, endpoint: endpoint,
                    first: attempt.first, events: attempt.events, attempt: attempt.attempt,
                    milliseconds: Int(nanoseconds / 1_000_000), outcome: outcome))
        }
        queues.finished(endpoint, outcome, now, jitter: Randomness.uint64())
        passOnNews(now)
    }

    /// What the queues have to say to the spool, the log and the metrics.
    func passOnNews(_ now: Moment) {
        guard !queues.news.isEmpty else { return }
        let news = queues.news
        queues.news = []
        for one in news { passOn(one, now.milliseconds) }
    }

    private func passOn(_ news: WebhookQueues.News, _ now: UInt64) {
        switch news {
        case .finished(let endpoint, let through): spool.spool?.finish(endpoint, through: through)
        case .forgotten(let endpoint, let events): spool.spool?.forget(endpoint, events)
        case .buried(let letters): buried(letters)
        case .sent(let app, let count): meter.sent(count, app: app)
        case .lettersDropped(let count): meter.droppedLetters(count)
        case .dropped(let target, let count):
            meter.droppedFromQueue(count)
            log.dropped(target, count)
        case .beganToFail(let target, let outcome): log.failing(target, outcome, now: now)
        case .recovered(let target, let failures, let waiting):
            log.recovered(target, failures: failures, waiting: waiting, now: now)
        }
    }

    private func buried(_ letters: [DeadLetter]) {
        spool.spool?.bury(letters)
        for letter in letters {
            meter.buried(1, app: letter.event.app)
            log.buried(letter, queues.target(of: letter.endpoint))
        }
    }

    // MARK: The spool

    private func adopt(_ found: SpoolContents) {
        queues.adopt(letters: found.deadLetters)
        queues.adopt(found.waiting, now)
        passOnNews(now)
    }

    /// The spool is ours at last: what is in it goes first, and what waits here is written behind it. Of what is numbered before that, which only a
    /// clock that was set back brings about, the memory stays the only place.
    private func adoptLate(_ found: SpoolContents) {
        source.continueFrom(found.nextNumber)
        let own = queues.entriesInOrder.filter { $0.event.id.number >= found.nextNumber }
        if !own.isEmpty { spool.spool?.append(own) }
        let letters = queues.letters.all
        if !letters.isEmpty { spool.spool?.bury(letters) }
        adopt(found)
    }

    // MARK: What others ask

    private func carryOut(_ command: WebhookCommand) {
        switch command {
        case .configure(let directory, let options): configure(directory, options)
        case .drain: source.end()
        case .stop: stop()
        case .facts(let reply):
            var facts = meter.facts(queues, spool.spool?.facts, now)
            (facts.dropped.edges, facts.suppressed) = (source.lost, source.suppressed)
            facts.connections = client?.facts.connections ?? 0
            reply(facts)
        case .control(let request, let reply): answer(request, reply)
        }
    }

    private func configure(_ directory: AppDirectory, _ options: WebhookOptions) {
        self.directory = directory
        queues.rules = .init(
            bytesMax: options.queueBytesMax, retryMilliseconds: UInt64(max(1, options.retrySeconds)) * 1_000)
        queues.configure(source.configure(directory, returnMilliseconds: options.returnMilliseconds))
    }

    /// The last turn: everything that has happened is taken and, where there is a spool, on the disk when it returns.
    private func stop() {
        source.end()
        isStopping = true
        advance()
        log.tick(now: now.milliseconds, isLast: true)
        spool.close(waiting: queues.count)
        client?.stop()
        client = nil
        loop.stop()
    }
}

@available(*, unavailable) extension WebhookWorker: Sendable {}
