public import BrokerCore
public import Reactor
internal import TLS
internal import Wire

/// What else the loop of a client does. On its thread.
public protocol LoopDuties: AnyObject {
    /// Once per turn, after answers were handed out.
    /// - Returns: whether more is waiting, so that the loop does not sleep.
    func turn() -> Bool
    /// Asked just before the loop sleeps.
    func hasWork() -> Bool
    /// About each 100 ms.
    func tick()
}

/// What a client has done, and holds; plain numbers.
public struct ClientFacts: Sendable, Equatable {
    /// Now: connections in any state, those of them that are kept for the next request, requests that wait for a place.
    public var connections = 0
    public var idleConnections = 0
    public var waitingRequests = 0
    /// Now: lookups whose thread has not come back.
    public var lookupsUnderWay = 0
    /// Connections that were dialled, and requests that went over one that was there.
    public var dialled: UInt64 = 0
    public var reused: UInt64 = 0
    /// Requests that met a kept connection which the server had closed, and were sent once more.
    public var repeated: UInt64 = 0
    /// Requests that had to wait for a place.
    public var waits: UInt64 = 0
    public var lookups: UInt64 = 0
    public var lookupFailures: UInt64 = 0

    public init() {}
}

/// Sends webhooks over HTTP/1.1, on a loop that serves no clients. Everything on that loop's thread.
///
/// ```
/// send ─▶ kept connection ─────────────────────────────────────────▶ exchange ─▶ done, in a later part of the turn
///    └─▶ Lookups ─▶ AddressGuard ─▶ a place in the pool ─▶ dial, TLS ──▲   │
///          ▲                                                │  next address │
///          └──────── the kept connection was dead: once ────┴──────────────┘
/// ```
/// The one deadline of an attempt counts from `send` and is looked at each tick. A kept connection that the server closed is no failure: a request
/// that meets it before any byte of an answer goes once more, over a fresh one.
public final class WebhookClient: LoopHandler, RequestSender {
    let loop: EventLoop
    private weak var duties: (any LoopDuties)?
    var lookups: Lookups
    var pool: ConnectionPool
    let security = ClientSecurity()
    /// Attempts under way; one for each endpoint at most.
    var flights: [WebhookEndpointID: Flight] = [:]
    /// Whose turn it is when a place in the pool gets free.
    var queue: [WebhookEndpointID] = []
    private var landed: [Landed] = []
    var counted = ClientFacts()
    private(set) var isStopping = false

    private struct Landed {
        let done: (AttemptOutcome) -> Void
        let outcome: AttemptOutcome
    }

    /// What the client's contexts and layers share.
    struct ClientSecurity {
        let contexts = TLSClientContexts()
        let room = TLSRoom(nil)
    }

    /// - Parameters:
    ///   - loop: its handler is the client (`loop.run(client)`).
    ///   - duties: not held.
    public init(
        loop: EventLoop, duties: any LoopDuties, resolver: any NameResolver = SystemResolver(),
        limits: ClientLimits = ClientLimits()
    ) {
        (self.loop, self.duties) = (loop, duties)
        lookups = Lookups(resolver, wake: { [handle = loop.handle] in handle.wake() })
        pool = ConnectionPool(limits)
    }

    /// For a loop with a client and nothing else.
    public static var loopOptions: LoopOptions {
        var options = LoopOptions()
        options.receiveBufferBytes = 64 * 1_024
        // A head that is not whole, and a read behind it.
        options.inputBytesMax = 64 * 1_024
        options.backlogs = BacklogLedger(limitBytes: 64 * 1_024 * 1_024)
        // An attempt has one deadline, and it is the client's.
        options.handshakeMilliseconds = 120_000
        options.userTimeoutMilliseconds = 0
        options.eventsPerTurn = 256
        return options
    }

    /// A copy of the counters.
    public var facts: ClientFacts {
        var facts = counted
        (facts.connections, facts.idleConnections) = (pool.connections.count, pool.idleCount)
        facts.waitingRequests = queue.count
        facts.lookupsUnderWay = lookups.underWayCount
        (facts.lookups, facts.lookupFailures) = (lookups.begun, lookups.failed)
        return facts
    }

    // MARK: What is asked of it

    public func send(_ request: OutgoingRequest, _ done: @escaping (AttemptOutcome) -> Void) {
        let endpoint = request.endpoint
        precondition(flights[endpoint.id] == nil, "an endpoint is given its next request when the last one is done")
        let milliseconds = UInt64(max(1, endpoint.timeoutSeconds)) * 1_000
        flights[endpoint.id] = Flight(request, deadline: loop.now.after(nanoseconds: milliseconds * 1_000_000), done)
        begin(endpoint.id)
    }

    /// Ends what is under way to an endpoint, if anything is, and closes the connection that is kept for it.
    public func cancel(_ endpoint: WebhookEndpointID) {
        if let flight = flights[endpoint] {
            if let slot = flight.slot { drop(slot) }
            land(endpoint, .failed(AttemptFailure(.cancelled, "The attempt was called off")))
        }
        if let slot = pool.idleSlot(of: endpoint) { hangUp(slot) }
    }

    /// Closes the connections that are idle, and keeps none from now on. What is under way goes on.
    public func stop() {
        isStopping = true
        for slot in pool.allIdle { hangUp(slot) }
    }

    // MARK: The ends of an attempt

    func land(_ endpoint: WebhookEndpointID, _ outcome: AttemptOutcome) {
        guard let flight = flights.removeValue(forKey: endpoint) else { return }
        queue.removeAll { $0 == endpoint }
        landed.append(Landed(done: flight.done, outcome: outcome))
    }

    func fail(_ endpoint: WebhookEndpointID, _ kind: AttemptFailure.Kind, _ text: String) {
        land(endpoint, .failed(AttemptFailure(kind, text)))
    }

    /// Closes at once; what happens to the connection from now on is nobody's affair.
    func drop(_ slot: UInt32) {
        pool.dismiss(slot)
        loop.abort(slot)
    }

    /// Closes in good order.
    func hangUp(_ slot: UInt32) {
        pool.dismiss(slot)
        loop.finish(slot, lingerNanoseconds: 1_000_000_000)
    }

    // MARK: The loop's turn

    public func turn() -> Bool {
        // Who waits goes before whoever comes now.
        dialWaiting()
        for (name, answer) in lookups.takeAnswers(now: loop.now) { found(name, answer) }
        // What is landed by those who are told now is told in the next turn.
        let now = landed
        landed = []
        for one in now { one.done(one.outcome) }
        let hasMore = duties?.turn() ?? false
        dialWaiting()
        return hasMore || !landed.isEmpty
    }

    public func hasWork() -> Bool { !landed.isEmpty || lookups.hasAnswers || duties?.hasWork() == true }

    public func tick() {
        for (endpoint, flight) in flights {
            if loop.now >= flight.deadline {
                timeOut(endpoint, flight)
            } else if case .connecting(let slot) = flight.stage {
                lookAt(slot, endpoint, flight)
            }
        }
        for slot in pool.stale(now: loop.now) { hangUp(slot) }
        lookups.tick(now: loop.now)
        duties?.tick()
    }
}

@available(*, unavailable) extension WebhookClient: Sendable {}
