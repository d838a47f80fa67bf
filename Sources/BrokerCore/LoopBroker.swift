internal import Crypto
public import PusherProtocol

/// The broker as one loop sees it: commands of that loop's connections in, `effects` out.
///
/// Made and used on one loop; loops meet only in `SharedBroker`. It has no clock, no socket and no randomness: the same
/// commands give the same effects. The commands are in the `LoopBroker+…` files:
/// a client's messages, membership, publishing, deliveries, questions.
public final class LoopBroker {
    public let shared: SharedBroker
    public let loop: Int
    /// What the last commands ask for. The owner carries it out in order, then clears it.
    public var effects = Effects()

    /// Whether `effects.notes` holds something.
    public var hasNotes: Bool { !effects.notes.isEmpty }

    /// Bytes of answers that wait in `effects`, and of those that went by the loop's own queue.
    public var answeredBytes: Int { effects.bytes.count + queuedAnswerBytes }
    var queuedAnswerBytes = 0

    /// Bytes of answers that went by the loop's own queue since the last call.
    public func takeQueuedAnswerBytes() -> Int {
        defer { queuedAnswerBytes = 0 }
        return queuedAnswerBytes
    }

    var tables = ChannelTables()
    var connections = PagedList<ConnectionRecord>()
    let workspace = HMACWorkspace()
    var time = BrokerTime(milliseconds: 0, unixSeconds: 0)

    /// Registry memberships of closed connections, given back a bounded number at a time.
    var departures = SliceQueue<Departure>()

    // Deliveries taken and not yet carried out; see `LoopBroker+Deliveries`.
    var chain: UnsafeMutablePointer<DeliveryNode>?
    var current: UnsafeMutablePointer<DeliveryNode>?
    var pool = DeliveryPool()
    var drainNumber: UInt64 = 0
    var unsettled: [UnsettledJoin] = []
    /// Above so many it is looked whether some of their channels are gone.
    var unsettledMax = LoopBroker.unsettledMin
    /// Draws a number for each subscription, which tells it from a later one of the same connection to the same channel.
    var subscriptionsMade: UInt32 = 0
    var filter = RecipientFilter()
    var leftOut: [UInt32] = []
    /// For which deliveries `filter` still holds the recipients.
    var filtered: FilteredRecipients?
    /// The delivery in `current` is a termination that closes more connections in the next slice.
    var isUnfinished = false
    /// Channels whose subscribers here have not been told everything; see `LoopBroker+Owed`.
    var owed = SliceQueue<LocalChannelID>()
    /// Connections that one slice of a termination closes, and changes that one slice of `payOwed` tells.
    var terminationsPerSlice = 128
    var changesPerSlice = 64
    let single = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    // Storage used again by every command.
    var json: [UInt8] = []
    var decoded: [UInt8] = []
    var literal: [UInt8] = []
    /// What the next ticks have to do.
    var housekeeping = Housekeeping()

    public init(shared: SharedBroker, loop: Int) {
        precondition(loop >= 0 && loop < shared.loopCount, "a loop has a queue of its own")
        self.shared = shared
        self.loop = loop
    }

    deinit {
        for slot in connections.indices { connections[slot].subscriptions.release() }
        while let node = chain {
            chain = node.pointee.next
            pool.give(node)
        }
        if let current { pool.give(current) }
        pool.release()
        filter.release()
        single.deallocate()
    }

    /// Tells the broker the time of this turn, before any command of it.
    public func setTime(_ now: BrokerTime) { time = now }

    // MARK: Connections

    /// Takes a place in the app's connection quota.
    /// - Returns: false when the app is full (PW-011).
    public func acquireConnectionQuota(of app: App) -> Bool {
        app.connections.acquire(limit: app.settings.limits.connectionsMax)
    }

    /// Opens a connection that was admitted and holds its place in the quota, and queues `connection_established` (PW-001…PW-005).
    /// - Parameter random: the random half of its socket id.
    public func open(slot: UInt32, app: App, random: UInt32) {
        precondition(!isOpen(slot), "a slot is opened once and closed once")
        connections.take(Int(slot))
        tables.prepare(app.index, hashing: shared.hashing)
        let id = shared.socketIDs.socketID(loop: loop, slot: slot, random: random)
        connections[Int(slot)].app = app.index
        connections[Int(slot)].socketID = id
        connections[Int(slot)].clientEventTokens = .max
        connections[Int(slot)].isAuthorized = false
        connections[Int(slot)].isEnding = false
        effects.frame(to: slot) {
            ServerFrame.connectionEstablished(
                socketID: id, activityTimeoutSeconds: app.settings.activityTimeoutSeconds, to: &$0)
        }
    }

    /// Ends a connection: from now on it gets no delivery; the registry is told in slices (`settleDepartures`).
    public func close(slot: UInt32) {
        guard isOpen(slot) else { return }
        let app = connections[Int(slot)].app
        while connections[Int(slot)].subscriptions.count > 0 {
            let last = connections[Int(slot)].subscriptions.count - 1
            let left = detach(slot: slot, entry: last)
            departures.append(Departure(app: app, channel: left.channel, member: left.member))
        }
        connections[Int(slot)].subscriptions.release()
        connections[Int(slot)].user = nil
        connections[Int(slot)].app = -1
        connections.free(Int(slot))
        shared.apps[app].connections.release()
    }

    @inline(__always)
    public func isOpen(_ slot: UInt32) -> Bool { connections[Int(slot)].app >= 0 }

    public func socketID(of slot: UInt32) -> SocketID { connections[Int(slot)].socketID }

    /// Whether the connection has signed in or joined a channel that needs authorization (Pusher protocol §5.2).
    public func isAuthorized(_ slot: UInt32) -> Bool { connections[Int(slot)].isAuthorized }

    /// Channels, the hidden ones among them, whose events an open connection gets.
    public func subscriptionCount(of slot: UInt32) -> Int { connections[Int(slot)].subscriptions.count }

    /// The app of an open connection.
    @inline(__always)
    public func app(of slot: UInt32) -> App { shared.apps[connections[Int(slot)].app] }

    /// Every bit but this loop's own: the loops that must be woken for what was posted. Wakes the consumers of edges itself.
    public func takeWakes() -> UInt64 {
        if effects.consumers != 0 { wakeConsumers() }
        let others = effects.wakes & ~(1 << UInt64(loop))
        effects.wakes = 0
        return others
    }
}

@available(*, unavailable)
extension LoopBroker: Sendable {}

/// A membership the registry still counts although its connection is gone.
struct Departure {
    var app: Int
    var channel: UInt32
    var member: UInt32
}

/// The last answer of `LoopBroker.filter`: good until somebody joins or leaves.
struct FilteredRecipients: Equatable {
    var channel: LocalChannelID
    /// The index of the first pending join that was too late.
    var firstLate: Int
}

/// A channel whose joins must still be compared with deliveries that were posted before them.
struct UnsettledJoin {
    var channel: LocalChannelID
    /// `drainNumber` when the join was made: everything posted before it has been carried out after the take that follows.
    var drainNumber: UInt64
}
