public import PusherProtocol

/// The broker as one loop sees it: commands of that loop's connections in, `effects` out.
///
/// Made and used on one loop: every call is for that loop's thread. What may leave something in `effects` says "Effects"; the owner applies
/// them before the next command. Loops meet only in `SharedBroker`. It has no clock, no socket and no randomness: the same
/// commands give the same effects. The commands are in the `LoopBroker+…` files:
/// a client's messages, membership, publishing, deliveries, questions.
///
/// Large, because it is the list of all commands, a file for each family of them; what they change is owned by the values below.
public final class LoopBroker {
    public let shared: SharedBroker
    public let loop: Int
    /// Every bit but this loop's own.
    private let otherLoops: UInt64
    /// This loop's own of `shared.queues`.
    let queue: UnsafeMutablePointer<DeliveryQueue>
    /// The apps as the commands of this turn see them.
    public private(set) var directory: AppDirectory
    /// What the last commands ask for. The owner carries it out in order, then clears it.
    public var effects: Effects

    /// Whether `effects.notes` holds something.
    public var hasNotes: Bool { !effects.notes.isEmpty }

    /// Bytes of answers that wait in `effects`, and of those that went by the loop's own queue.
    public var answeredBytes: Int { effects.waitingBytes + queuedAnswerBytes }
    var queuedAnswerBytes = 0

    /// Bytes of answers that went by the loop's own queue since the last call.
    public func takeQueuedAnswerBytes() -> Int {
        defer { queuedAnswerBytes = 0 }
        return queuedAnswerBytes
    }

    var time = BrokerTime(milliseconds: 0, unixSeconds: 0)

    /// Connections and channels, and who is in what.
    var memberships = Memberships()
    /// Deliveries taken from the loop's queue.
    var inbox = DeliveryInbox()
    /// Channels whose subscribers here have not been told everything; see `LoopBroker+Owed`.
    var owed = SliceQueue<LocalChannelID>()
    /// How much one slice of some work does.
    var slices = Slices()
    /// What the next ticks have to do.
    var housekeeping = Housekeeping()
    /// Memory for what is posted; what has been given out comes back to it.
    var pool: DeliveryPool
    /// Storage used again by every command.
    var scratch = Scratch()
    /// What the apps have done here.
    var appMeters = AppMeters()
    /// What else is counted.
    public internal(set) var meter = BrokerMeter()

    public init(shared: SharedBroker, loop: Int) {
        precondition(loop >= 0 && loop < shared.loopCount, "a loop has a queue of its own")
        self.shared = shared
        self.loop = loop
        otherLoops = ~(1 << UInt64(loop))
        queue = shared.queues[loop]
        directory = shared.directory
        effects = Effects(headroomBytes: shared.headroomBytes)
        pool = DeliveryPool(headroomBytes: shared.headroomBytes)
    }

    /// Goes over to the next snapshot of the apps: from now on commands see its settings. Between two turns, on the loop's thread.
    /// Connections, channels and what is queued stay as they are.
    public func use(_ next: AppDirectory) {
        precondition(next.apps.count >= directory.apps.count, "numbers of apps only grow")
        directory = next
    }

    deinit { pool.release() }

    /// Tells the broker the time of this turn, before any command of it.
    public func setTime(_ now: BrokerTime) { time = now }

    // MARK: Connections

    /// Takes a place in the app's connection quota.
    /// - Returns: false when the app is full (PW-011).
    public func acquireConnectionQuota(of app: App) -> Bool {
        if app.connections.acquire(limit: app.settings.limits.connectionsMax) { return true }
        meter.hit(.connections)
        return false
    }

    /// Opens a connection that was admitted and holds its place in the quota, and answers `connection_established` (PW-001…PW-005). Effects.
    /// - Parameters:
    ///   - slot: the session's number on this loop: small, for tables are indexed by it, and taken by one session at a time. What
    ///     carries the session, and under which number, is the owner's business.
    ///   - random: the random half of its socket id.
    public func open(slot: UInt32, app: App, random: UInt32) {
        let id = shared.socketIDs.socketID(loop: loop, slot: slot, random: random)
        memberships.open(slot, app: app, socketID: id, hashing: shared.hashing)
        appMeters.row(app.index).pointee.opened &+= 1
        effects.frame(to: slot) {
            ServerFrame.connectionEstablished(
                socketID: id, activityTimeoutSeconds: app.settings.activityTimeoutSeconds, to: &$0)
        }
    }

    /// Ends an open connection, or does nothing: from now on it gets no delivery; the registry is told in slices (`settleDepartures`).
    public func close(slot: UInt32) {
        guard isOpen(slot) else { return }
        let app = memberships[slot].app
        memberships.close(slot)
        directory.apps[app].connections.release()
        appMeters.row(app).pointee.closed &+= 1
    }

    @inline(__always)
    public func isOpen(_ slot: UInt32) -> Bool { memberships.isOpen(slot) }

    public func socketID(of slot: UInt32) -> SocketID { memberships[slot].socketID }

    /// Whether the connection has signed in or joined a channel that needs authorization (Pusher protocol §5.2).
    public func isAuthorized(_ slot: UInt32) -> Bool { memberships[slot].isAuthorized }

    /// Channels, the hidden ones among them, whose events an open connection gets.
    public func subscriptionCount(of slot: UInt32) -> Int { memberships[slot].subscriptions.count }

    /// The app of an open connection.
    @inline(__always)
    public func app(of slot: UInt32) -> App { directory.apps[memberships[slot].app] }

    /// Every bit but this loop's own: the loops that must be woken for what was posted. Wakes the consumers of edges itself.
    public func takeWakes() -> UInt64 {
        if effects.consumers != 0 { wakeConsumers() }
        let others = effects.wakes & otherLoops
        effects.wakes = 0
        return others
    }
}

@available(*, unavailable)
extension LoopBroker: Sendable {}

/// How much one slice of some work does; tests do less.
struct Slices {
    /// Connections that one slice of a termination closes.
    var terminations = 32
    /// Cached events that one slice of a sweep forgets, or shards that it looks at.
    var sweeps = 256
    /// Counts that one slice sends, or shards that owe some and are looked at.
    var counts = 256
    /// Changes that one slice of `payOwed` tells.
    var changes = 64
}
