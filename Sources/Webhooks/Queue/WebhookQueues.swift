internal import BrokerCore

/// The time of a turn.
struct Moment: Sendable, Equatable {
    /// Monotonic.
    var milliseconds: UInt64
    /// Since 1970.
    var unixMilliseconds: Int64

    /// A wall-clock time as the monotonic clock had it; 0 when it was not running yet.
    func monotonic(of unix: Int64) -> UInt64 {
        let age = max(0, unixMilliseconds - unix)
        return milliseconds - min(milliseconds, UInt64(age))
    }
}

/// The queues of all endpoints, what they may hold together, and the dead letters. Pure: time and randomness are arguments, what others must be told
/// is in `news`.
struct WebhookQueues {
    struct Rules: Sendable, Equatable {
        /// What may wait, of all endpoints together.
        var bytesMax = 64 << 20
        /// How long an event is tried.
        var retryMilliseconds: UInt64 = 300_000
    }

    /// What the spool, the log and the metrics are told.
    enum News {
        /// The endpoint needs nothing up to that number any more.
        case finished(WebhookEndpointID, through: UInt64)
        case buried([DeadLetter])
        /// These are dead letters no more.
        case forgotten(WebhookEndpointID, [WebhookEvent.ID])
        case beganToFail(DeliveryTarget, AttemptOutcome)
        case recovered(DeliveryTarget, failures: Int, waiting: Int)
        case dropped(DeliveryTarget, Int)
        case sent(app: String, Int)
        case lettersDropped(Int)
    }

    /// A request that is due.
    struct Due {
        var endpoint: WebhookEndpointID
        var request: OutgoingRequest
        var attempt: Int
    }

    var rules: Rules
    /// Taken by who passes it on.
    var news: [News] = []
    private(set) var letters: DeadLetters
    private var queues: [WebhookEndpointID: EndpointQueue] = [:]
    private(set) var keptBytes = 0
    private(set) var count = 0
    private var due = DueTimes<WebhookEndpointID>()
    /// To be looked at now.
    private var ready: [WebhookEndpointID] = []
    /// Events up to this number may be sent.
    private var durable = UInt64.max
    /// Endpoints that wait for it to grow.
    private var undurable: Set<WebhookEndpointID> = []

    init(_ rules: Rules = Rules(), letters: DeadLetters = DeadLetters()) {
        (self.rules, self.letters) = (rules, letters)
    }

    // MARK: Who there is

    /// Takes over what is configured now. Whose endpoint is not, is still sent what waits for it, as it was configured last.
    mutating func configure(_ targets: [DeliveryTarget]) {
        let names = Set(targets.map(\.endpoint.id))
        for name in queues.keys where !names.contains(name) {
            if queues[name]?.isEmpty ?? true { queues[name] = nil } else { queues[name]?.remove() }
        }
        for target in targets {
            if queues[target.endpoint.id] == nil {
                queues[target.endpoint.id] = EndpointQueue(target)
            } else {
                _ = change(target.endpoint.id) { $0.retarget(target) }
                look(target.endpoint.id)
            }
        }
    }

    func target(of endpoint: WebhookEndpointID) -> DeliveryTarget? { queues[endpoint]?.target }

    /// The queues of all endpoints that are configured, or for which something waits.
    var all: some Sequence<EndpointQueue> { queues.values }

    func queue(of endpoint: WebhookEndpointID) -> EndpointQueue? { queues[endpoint] }

    /// When the oldest of what waits happened.
    var oldestUnixMilliseconds: Int64? { queues.values.compactMap { $0.oldest?.unixMilliseconds }.min() }

    /// What waits in the order of its numbers, with who wants it; not dead letters that are tried again.
    var entriesInOrder: [SpoolEntry] {
        var entries: [WebhookEvent.ID: SpoolEntry] = [:]
        for (endpoint, queue) in queues {
            for one in queue.allWaiting where !one.isAgain {
                entries[one.event.id, default: SpoolEntry(event: one.event, endpoints: [])].endpoints.append(endpoint)
            }
        }
        return entries.values.sorted { $0.event.id < $1.event.id }
    }

    private mutating func look(_ endpoint: WebhookEndpointID) {
        guard queues[endpoint]?.isListed == false else { return }
        queues[endpoint]?.isListed = true
        ready.append(endpoint)
    }

    /// Changes a queue, and keeps the sums.
    private mutating func change<Result>(
        _ endpoint: WebhookEndpointID, _ body: (inout EndpointQueue) -> Result
    ) -> Result? {
        guard let place = queues.index(forKey: endpoint) else { return nil }
        let (bytes, events) = (queues.values[place].keptBytes, queues.values[place].count)
        let result = body(&queues.values[place])
        keptBytes += queues.values[place].keptBytes - bytes
        count += queues.values[place].count - events
        return result
    }

    // MARK: What comes

    /// Queues an event for each of its endpoints that there is.
    mutating func append(_ entry: SpoolEntry, since: UInt64, _ now: Moment) {
        let one = WaitingEvent(event: entry.event, sinceMilliseconds: since, queuedMilliseconds: now.milliseconds)
        for endpoint in entry.endpoints where change(endpoint, { $0.append(one) }) != nil { look(endpoint) }
        makeRoom()
    }

    /// Takes over what another process, or this one before its restart, has left: in front of all that waits, with its time to be tried anew, because
    /// nobody has tried it meanwhile. What is left of an endpoint that is not configured is dead.
    mutating func adopt(_ entries: [SpoolEntry], _ now: Moment) {
        var ofEndpoint: [WebhookEndpointID: [WaitingEvent]] = [:]
        var homeless: [DeadLetter] = []
        for entry in entries {
            let one = WaitingEvent(
                event: entry.event, sinceMilliseconds: now.milliseconds, queuedMilliseconds: now.milliseconds)
            for endpoint in entry.endpoints {
                if queues[endpoint] != nil {
                    ofEndpoint[endpoint, default: []].append(one)
                } else {
                    homeless.append(
                        DeadLetter(
                            event: entry.event, endpoint: endpoint, unixMilliseconds: now.unixMilliseconds,
                            reason: "the endpoint is not configured any more"))
                }
            }
        }
        for (endpoint, events) in ofEndpoint {
            _ = change(endpoint) { $0.adopt(events) }
            look(endpoint)
        }
        bury(homeless)
        for (endpoint, last) in Dictionary(homeless.map { ($0.endpoint, $0.event.id.number) }, uniquingKeysWith: max) {
            news.append(.finished(endpoint, through: last))
        }
        makeRoom()
    }

    /// What the spool knows as dead.
    mutating func adopt(letters found: [DeadLetter]) { for letter in found { keep(letter) } }

    /// Up to which number events may be sent.
    mutating func setDurable(_ number: UInt64) {
        guard number != durable else { return }
        durable = number
        for endpoint in undurable { look(endpoint) }
        undurable.removeAll(keepingCapacity: true)
    }

    /// Whether something may be sent when everything up to that number is durable, and could not before.
    func isWaiting(forDurable number: UInt64) -> Bool { number != durable && !undurable.isEmpty }

    // MARK: What goes

    /// The next request that is due, in no order of endpoints.
    mutating func popDue(
        _ now: Moment, _ make: (DeliveryTarget, [WebhookEvent]) -> OutgoingRequest
    ) -> Due? {
        while let endpoint = ready.popLast() ?? due.pop(now: now.milliseconds) {
            let allowed = durable
            switch change(
                endpoint,
                { queue in
                    queue.isListed = false
                    if queue.notedMilliseconds <= now.milliseconds { queue.notedMilliseconds = .max }
                    return queue.next(now: now.milliseconds, durable: allowed, make)
                })
            {
            case nil: continue
            case .nothing?: noteUndurable(endpoint)
            case .wait(let until)?: note(endpoint, until)
            case .send(let request, let attempt)?:
                makeRoom()
                return Due(endpoint: endpoint, request: request, attempt: attempt)
            }
        }
        return nil
    }

    /// When something may be due that is not now.
    var nextDue: UInt64? { ready.isEmpty ? due.next : 0 }

    private mutating func noteUndurable(_ endpoint: WebhookEndpointID) {
        guard durable != .max, let queue = queues[endpoint], !queue.isEmpty, !queue.isSending else { return }
        undurable.insert(endpoint)
    }

    private mutating func note(_ endpoint: WebhookEndpointID, _ until: UInt64) {
        guard let noted = queues[endpoint]?.notedMilliseconds, until < noted else { return }
        queues[endpoint]?.notedMilliseconds = until
        due.add(endpoint, at: until)
    }

    /// An attempt has ended.
    /// - Parameter jitter: random.
    mutating func finished(_ endpoint: WebhookEndpointID, _ outcome: AttemptOutcome, _ now: Moment, jitter: UInt64) {
        let retry = rules.retryMilliseconds
        let ended = change(endpoint) {
            $0.finished(outcome, now: now.milliseconds, retryMilliseconds: retry, jitter: jitter)
        }
        guard let ended, let queue = queues[endpoint] else { return }
        switch ended.turn {
        case .none: break
        case .beganToFail: news.append(.beganToFail(queue.target, outcome))
        case .recovered(let failures):
            news.append(.recovered(queue.target, failures: failures, waiting: queue.count + ended.sent))
        }
        if ended.sent > 0 { news.append(.sent(app: queue.target.app, ended.sent)) }
        let reason = outcome.sentence
        bury(
            ended.buried.map {
                DeadLetter(
                    event: $0.event, endpoint: endpoint, unixMilliseconds: now.unixMilliseconds, reason: reason)
            })
        if let through = ended.through { news.append(.finished(endpoint, through: through)) }
        if !ended.sentAgain.isEmpty { news.append(.forgotten(endpoint, ended.sentAgain)) }
        if queue.isEmpty && queue.target.isRemoved { queues[endpoint] = nil } else { look(endpoint) }
    }

    /// The largest queue gives up its oldest until there is room for a 64th more, so that the largest is not sought for each event.
    private mutating func makeRoom() {
        guard keptBytes > rules.bytesMax else { return }
        let goal = rules.bytesMax - rules.bytesMax / 64
        while keptBytes > goal {
            let sizes = queues.map { (name: $0.key, bytes: $0.value.droppableBytes) }.sorted { $0.bytes > $1.bytes }
            guard let largest = sizes.first, largest.bytes > 0 else { return }
            drop(from: largest.name, until: sizes.count > 1 ? sizes[1].bytes : 0, goal: goal)
        }
    }

    private mutating func drop(from endpoint: WebhookEndpointID, until bytes: Int, goal: Int) {
        guard let target = queues[endpoint]?.target else { return }
        var (dropped, again): (Int, [WebhookEvent.ID]) = (0, [])
        repeat {
            guard let one = change(endpoint, { $0.dropOldest() }) ?? nil else { break }
            dropped += 1
            if one.isAgain { again.append(one.event.id) }
        } while keptBytes > goal && queues[endpoint]?.droppableBytes ?? 0 >= max(bytes, 1)
        news.append(.dropped(target, dropped))
        if !again.isEmpty { news.append(.forgotten(endpoint, again)) }
    }

    // MARK: Dead letters

    private mutating func bury(_ dead: [DeadLetter]) {
        guard !dead.isEmpty else { return }
        news.append(.buried(dead))
        for letter in dead { keep(letter) }
    }

    private mutating func keep(_ letter: DeadLetter) {
        let forgotten = letters.add(letter)
        guard !forgotten.isEmpty else { return }
        news.append(.lettersDropped(forgotten.count))
        for one in forgotten { news.append(.forgotten(one.endpoint, [one.event.id])) }
    }

    /// Sends dead letters again, oldest first: each at the end of its endpoint's queue, with its time to be tried anew.
    /// - Returns: how many; those of endpoints that are not configured stay.
    mutating func retry(_ now: Moment, where isWanted: (DeadLetter) -> Bool) -> Int {
        var taken = 0
        for letter in letters.all where isWanted(letter) {
            guard queues[letter.endpoint]?.target.isRemoved == false,
                letters.remove(.init(endpoint: letter.endpoint, event: letter.event.id)) != nil
            else { continue }
            let one = WaitingEvent(
                event: letter.event, sinceMilliseconds: now.milliseconds, queuedMilliseconds: now.milliseconds,
                isAgain: true)
            _ = change(letter.endpoint) { $0.append(one) }
            look(letter.endpoint)
            taken += 1
        }
        makeRoom()
        return taken
    }

    /// What waits for its next attempt is tried at once.
    /// - Returns: endpoints for which something does.
    mutating func hasten(where isWanted: (DeliveryTarget) -> Bool) -> Int {
        var hastened = 0
        for (endpoint, queue) in queues where queue.retryAt != nil && isWanted(queue.target) {
            _ = change(endpoint) { $0.hasten() }
            look(endpoint)
            hastened += 1
        }
        return hastened
    }

    /// Throws dead letters away.
    mutating func purge(where isWanted: (DeadLetter) -> Bool) -> Int {
        var purged: [WebhookEndpointID: [WebhookEvent.ID]] = [:]
        for letter in letters.all where isWanted(letter) {
            _ = letters.remove(.init(endpoint: letter.endpoint, event: letter.event.id))
            purged[letter.endpoint, default: []].append(letter.event.id)
        }
        for (endpoint, events) in purged { news.append(.forgotten(endpoint, events)) }
        return purged.values.reduce(0) { $0 + $1.count }
    }
}
