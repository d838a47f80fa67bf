internal import BrokerCore
internal import PusherProtocol

/// Where an endpoint's requests go, and whose they are.
struct DeliveryTarget: Sendable {
    var endpoint: WebhookEndpoint
    /// The app's id.
    var app: String
    /// What is signed with: the oldest that is in force, or was when the app was removed.
    var key: AppKey
    /// It is no longer configured.
    var isRemoved = false
}

/// What waits for one endpoint, in its order, and the one request that is under way. Pure: time, in monotonic milliseconds, and randomness are
/// arguments.
///
///     append ─▶ waiting ──batch──▶ request ──▶ sending ──2xx──▶ finished: the next batch
///                  ▲                  ▲           │ failed
///      adopted ────┘ in front         └─ pausing ◀┼ 1, 2, 4 … s
///                                                 └ the time of its oldest is over: dead letters, and the next after a second
///
/// A request is made once and kept: each attempt sends the same bytes, until the endpoint is configured otherwise. No other queue's state is looked at, so that one that hangs changes no
/// other's times.
struct EndpointQueue {
    /// What is to be done for the endpoint now.
    enum Next: Equatable {
        /// Nothing, until something is queued, becomes durable or is finished.
        case nothing
        /// To ask again then.
        case wait(until: UInt64)
        /// To send; the queue waits for `finished`.
        case send(OutgoingRequest, attempt: Int)
    }

    /// What the end of an attempt leads to.
    struct Finished: Equatable {
        /// Nothing up to that number is wanted any more.
        var through: UInt64?
        /// Dead letters that were sent after all.
        var sentAgain: [WebhookEvent.ID] = []
        /// What is tried no more.
        var buried: [WaitingEvent] = []
        /// Events that were taken.
        var sent = 0
        var turn = Turn.none
    }

    /// How the endpoint's standing changed.
    enum Turn: Equatable {
        case none, beganToFail
        case recovered(failures: Int)
    }

    private enum Phase {
        case resting, sending
        case pausing(until: UInt64)
    }

    /// The events of a request, and what they became.
    private struct Batch {
        let events: [WaitingEvent]
        let request: OutgoingRequest
        let bytes: Int
        var attempts = 0
        /// The endpoint was configured otherwise since.
        var isStale = false
        var oldest: UInt64 { events.map(\.sinceMilliseconds).min() ?? 0 }

        init(_ events: [WaitingEvent], _ request: OutgoingRequest) {
            (self.events, self.request) = (events, request)
            bytes = events.reduce(request.bytes.count) { $0 + $1.event.keptBytes }
        }
    }

    private(set) var target: DeliveryTarget
    private var waiting = WaitingEvents()
    private var batch: Batch?
    private var phase = Phase.resting
    private var streak = Streak()
    /// When it is to be looked at, as far as somebody has noted it; `.max`: nobody has.
    var notedMilliseconds = UInt64.max
    /// It is on the list of those that are looked at next.
    var isListed = false

    /// Failures without a success between.
    private struct Streak {
        var failures = 0
        var since: UInt64 = 0
        /// Requests that were given up while nobody answered.
        var buried = 0
    }

    /// What a request may carry; more events go with the next. One alone may be larger.
    static let bodyBytesMax = 1 << 20
    /// After so many requests in a row were given up, and nobody answers, what has waited too long behind them is given up without an attempt of
    /// its own: an endpoint that is gone is not asked for each of a hundred thousand. One that answers may refuse some and take others.
    static let buriedInRowMax = 8

    /// What the names of a request's events may take of its head: servers refuse heads of more than about 8 KiB.
    static let namesBytesMax = 4 << 10

    init(_ target: DeliveryTarget) { self.target = target }

    // MARK: Where it goes

    /// It is configured so from now on. What is tried again is made anew, and at once: it may have failed for what has been changed.
    mutating func retarget(_ other: DeliveryTarget) {
        if other.endpoint != target.endpoint || !other.key.isSame(as: target.key) {
            batch?.isStale = true
            hasten()
        }
        target = other
    }

    /// It is configured no more.
    mutating func remove() { target.isRemoved = true }

    // MARK: What waits

    /// Those of the request under way among them.
    var count: Int { waiting.count + (batch?.events.count ?? 0) }
    var isEmpty: Bool { batch == nil && waiting.isEmpty }
    private(set) var keptBytes = 0
    /// What could be dropped: not what is under way.
    var droppableBytes: Int { waiting.bytes }
    var failures: Int { streak.failures }
    var isSending: Bool { if case .sending = phase { true } else { false } }
    /// When it is tried again; nil: that is not planned.
    var retryAt: UInt64? { if case .pausing(let until) = phase, !isEmpty { until } else { nil } }
    var oldest: WebhookEvent? { batch?.events.first?.event ?? waiting.first?.event }
    /// In the order in which they are sent.
    var allWaiting: [WaitingEvent] { (batch?.events ?? []) + (0..<waiting.count).map { waiting[$0] } }

    mutating func append(_ one: WaitingEvent) {
        waiting.append(one)
        recount()
    }

    /// Puts before all that waits what is older than it.
    mutating func adopt(_ all: [WaitingEvent]) {
        waiting.prepend(all)
        recount()
    }

    /// Takes the oldest that waits out, to make room.
    mutating func dropOldest() -> WaitingEvent? {
        defer { recount() }
        return waiting.popFirst()
    }

    private mutating func recount() { keptBytes = waiting.bytes + (batch?.bytes ?? 0) }

    // MARK: Sending

    /// What to do now.
    /// - Parameters:
    ///   - durable: events up to this number may be sent.
    ///   - make: makes the request of a batch; asked once for each.
    mutating func next(
        now: UInt64, durable: UInt64, _ make: (DeliveryTarget, [WebhookEvent]) -> OutgoingRequest
    ) -> Next {
        switch phase {
        case .sending: return .nothing
        case .pausing(let until) where now < until: return isEmpty ? .nothing : .wait(until: until)
        case .pausing, .resting: phase = .resting
        }
        if batch == nil {
            switch batchDue(now: now, durable: durable) {
            case .later(nil): return .nothing
            case .later(let until?): return .wait(until: until)
            case .now(let count): begin(count, make)
            }
        }
        guard var sent = batch else { preconditionFailure("a batch was begun") }
        if sent.isStale {
            let attempts = sent.attempts
            sent = Batch(sent.events, make(target, sent.events.map(\.event)))
            sent.attempts = attempts
        }
        sent.attempts += 1
        (batch, phase) = (sent, .sending)
        recount()
        return .send(sent.request, attempt: sent.attempts)
    }

    private enum BatchDue {
        case now(Int)
        case later(UInt64?)
    }

    /// How many events go together, or when to ask again.
    private func batchDue(now: UInt64, durable: UInt64) -> BatchDue {
        let endpoint = target.endpoint
        let isAlone = endpoint.batchMilliseconds <= 0
        let countMax = isAlone ? 1 : max(1, endpoint.batchEventsMax)
        var (count, bytes, names) = (0, 0, 0)
        while count < min(countMax, waiting.count) {
            let one = waiting[count]
            guard one.isAgain || one.event.id.number <= durable else { break }
            bytes += one.event.json.count + 1
            names += one.event.id.description.utf8.count + 2
            if count > 0, bytes > Self.bodyBytesMax || names > Self.namesBytesMax { return .now(count) }
            count += 1
        }
        guard count > 0 else { return .later(nil) }
        let due = waiting[0].queuedMilliseconds + UInt64(max(0, endpoint.batchMilliseconds))
        return isAlone || count == countMax || now >= due ? .now(count) : .later(due)
    }

    private mutating func begin(_ count: Int, _ make: (DeliveryTarget, [WebhookEvent]) -> OutgoingRequest) {
        let events = (0..<count).compactMap { _ in waiting.popFirst() }
        batch = Batch(events, make(target, events.map(\.event)))
        recount()
    }

    /// The next attempt is made at once.
    mutating func hasten() {
        if case .pausing = phase { phase = .resting }
    }

    // MARK: How it ended

    /// The request under way: its first event, how many, and which attempt it is.
    var underWay: (first: WebhookEvent.ID, events: Int, attempt: Int)? {
        guard isSending, let batch, let first = batch.events.first else { return nil }
        return (first.event.id, batch.events.count, batch.attempts)
    }

    /// An attempt has ended.
    /// - Parameters:
    ///   - retryMilliseconds: how long an event is tried.
    ///   - jitter: random.
    mutating func finished(
        _ outcome: AttemptOutcome, now: UInt64, retryMilliseconds: UInt64, jitter: UInt64
    ) -> Finished {
        guard let done = batch, isSending else { preconditionFailure("an attempt ends that was not begun") }
        defer { recount() }
        if outcome.isSuccess { return succeeded(done) }
        if case .failed(let failure) = outcome, failure.kind == .cancelled {
            phase = .pausing(
                until: now + RetryTimes.delayMilliseconds(failures: 1, retryAfterSeconds: nil, jitter: jitter))
            return Finished()
        }
        var result = Finished()
        if streak.failures == 0 { (result.turn, streak.since) = (.beganToFail, now) }
        streak.failures += 1
        var after: Int?
        if case .answered(_, let seconds) = outcome { after = seconds }
        let deadline = done.oldest + retryMilliseconds
        guard now >= deadline else {
            let delay = RetryTimes.delayMilliseconds(failures: done.attempts, retryAfterSeconds: after, jitter: jitter)
            // The last attempt is made when the time is over, and not long before.
            phase = .pausing(until: max(min(now + delay, deadline), now + RetryTimes.askedMilliseconds(after)))
            return result
        }
        bury(done, isAnswered: outcome.isAnswered, now: now, retryMilliseconds, into: &result)
        phase = .pausing(
            until: now + RetryTimes.delayMilliseconds(failures: 1, retryAfterSeconds: after, jitter: jitter))
        return result
    }

    private mutating func succeeded(_ done: Batch) -> Finished {
        var result = Finished()
        result.sent = done.events.count
        if streak.failures > 0 { result.turn = .recovered(failures: streak.failures) }
        (batch, phase, streak) = (nil, .resting, Streak())
        close(done.events, into: &result)
        result.sentAgain = done.events.filter(\.isAgain).map(\.event.id)
        return result
    }

    private mutating func bury(
        _ done: Batch, isAnswered: Bool, now: UInt64, _ retryMilliseconds: UInt64, into result: inout Finished
    ) {
        result.buried = done.events
        batch = nil
        streak.buried = isAnswered ? 0 : streak.buried + 1
        if streak.buried >= Self.buriedInRowMax, now >= streak.since + retryMilliseconds {
            while let next = waiting.first, now >= next.sinceMilliseconds + retryMilliseconds {
                if let taken = waiting.popFirst() { result.buried.append(taken) }
            }
        }
        close(result.buried, into: &result)
    }

    /// Up to which number all is done: not past what was adopted in front, which is older.
    private func close(_ done: [WaitingEvent], into result: inout Finished) {
        guard let last = done.compactMap(\.orderNumber).max() else { return }
        guard let next = waiting.firstInOrder?.event.id.number, next <= last else { return result.through = last }
        if next > 0 { result.through = next - 1 }
    }
}
