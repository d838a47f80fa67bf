public import PusherProtocol

/// Something that happened to a channel or a user, as those who are no subscribers are told it: webhooks, a console, other nodes.
///
/// An edge is posted under the shard's lock, in the step that changes the record, so that every consumer sees the edges of a channel
/// in the order in which they happened, each once: occupied and vacated alternate, so do added and removed for each member, and
/// online and offline for each user. Only edges of different channels may come to two consumers in a different order.
public struct ChannelEdge: Sendable, Equatable {
    /// What a consumer may ask for.
    public enum Kind: UInt8, Sendable, CaseIterable {
        case occupied, vacated, memberAdded, memberRemoved, clientEvent, cacheMiss, subscriptionCount
        case userOnline, userOffline
        /// An event of the HTTP API; many, so only who needs them asks for them.
        case published
        /// For operators, and of no channel: a client that was not let in, and one that was closed because it does not read.
        case connectionRefused, slowConsumer

        /// Whether an edge of this kind changes what is known of a channel or a user. Who missed no other kind knows all of them still.
        var isOfChannel: Bool { rawValue <= Self.published.rawValue }
    }

    /// How somebody left: a webhook about a connection that was lost waits whether it comes back (PROTOCOL.md §7).
    public enum Leave: Sendable, Equatable { case unsubscribed, disconnected }

    /// Where an event entered the cluster: who forwards events to other nodes forwards only those of its own.
    public enum Origin: Sendable, Equatable {
        case local
        case remote(node: UInt32)
    }

    /// An event that was given to the channel.
    public struct Event: Sendable, Equatable {
        /// The frame's text, as the subscribers get it.
        public var json: [UInt8]
        /// Where the event's name and its data stand in it, as JSON string literals.
        public var name: Range<Int>
        public var data: Range<Int>
        /// Client events: the sender. Of the API: who was excluded.
        public var socketID: SocketID?
        /// Client events of presence channels: the sender's user.
        public var userID: [UInt8]?
        public var origin: Origin

        public init(
            json: [UInt8], name: Range<Int>, data: Range<Int>, socketID: SocketID? = nil, userID: [UInt8]? = nil,
            origin: Origin
        ) {
            (self.json, self.name, self.data) = (json, name, data)
            (self.socketID, self.userID, self.origin) = (socketID, userID, origin)
        }
    }

    /// A client that was not let in.
    public struct Refusal: Sendable, Equatable {
        /// Of the protocol, or an HTTP status.
        public var code: Int
        /// One sentence, without a secret.
        public var reason: String
        /// Where it came from, without a port; `unix` for a Unix socket.
        public var address: String

        public init(code: Int, reason: String, address: String) {
            (self.code, self.reason, self.address) = (code, reason, address)
        }
    }

    /// A client that was closed because it does not read what it subscribed to.
    public struct SlowConsumer: Sendable, Equatable {
        public var socketID: SocketID
        public var reason: String
        public var address: String
        /// What waited for it; nil: the kernel gave it up.
        public var backlogBytes: Int?

        public init(socketID: SocketID, reason: String, address: String, backlogBytes: Int?) {
            (self.socketID, self.reason) = (socketID, reason)
            (self.address, self.backlogBytes) = (address, backlogBytes)
        }
    }

    /// What happened.
    public enum Change: Sendable, Equatable {
        /// Connections 0 → 1. Not for user channels, which have `userOnline`.
        case occupied
        /// Connections 1 → 0.
        case vacated(Leave)
        /// Connections of the user 0 → 1; after `occupied`.
        case memberAdded(userID: [UInt8], userInfo: [UInt8]?)
        /// Connections of the user 1 → 0; before `vacated`.
        case memberRemoved(userID: [UInt8], Leave)
        case clientEvent(Event)
        /// A subscriber was told that there is no cached event. Each time; who wants one per miss counts himself.
        case cacheMiss
        /// As often as the subscribers are told it (Pusher protocol §3.9), and only where they are.
        case subscriptionCount(Int)
        /// Signed-in connections of the user 0 → 1.
        case userOnline(userID: [UInt8])
        /// Signed-in connections of the user 1 → 0, always by a disconnect.
        case userOffline(userID: [UInt8])
        case published(Event)
        case connectionRefused(Refusal)
        case slowConsumer(SlowConsumer)
    }

    /// The app's number.
    public var app: Int
    /// The name; `#server-to-user-…` for users; empty for what is of no channel.
    public var channel: [UInt8]
    public var change: Change
    /// Grows along each channel, also over times in which nobody was there; drawn from the app, so it has gaps.
    public var number: UInt64
    /// Monotonic, of the turn in which it happened.
    public var milliseconds: UInt64

    public init(app: Int, channel: [UInt8], change: Change, number: UInt64, milliseconds: UInt64) {
        (self.app, self.channel, self.change) = (app, channel, change)
        (self.number, self.milliseconds) = (number, milliseconds)
    }

    public var kind: Kind {
        switch change {
        case .occupied: .occupied
        case .vacated: .vacated
        case .memberAdded: .memberAdded
        case .memberRemoved: .memberRemoved
        case .clientEvent: .clientEvent
        case .cacheMiss: .cacheMiss
        case .subscriptionCount: .subscriptionCount
        case .userOnline: .userOnline
        case .userOffline: .userOffline
        case .published: .published
        case .connectionRefused: .connectionRefused
        case .slowConsumer: .slowConsumer
        }
    }

    /// What it counts in a consumer's queue. An array that others hold too is counted for each.
    public var queueBytes: Int { EdgeQueue.nodeBytes + textBytes }

    private var textBytes: Int {
        let own =
            switch change {
            case .occupied, .vacated, .cacheMiss, .subscriptionCount: 0
            case .memberAdded(let userID, let userInfo): userID.count + (userInfo?.count ?? 0)
            case .memberRemoved(let userID, _), .userOnline(let userID), .userOffline(let userID): userID.count
            case .clientEvent(let event), .published(let event): event.json.count + (event.userID?.count ?? 0)
            case .connectionRefused(let refusal): refusal.reason.utf8.count + refusal.address.utf8.count
            case .slowConsumer(let slow): slow.reason.utf8.count + slow.address.utf8.count
            }
        return channel.count + own
    }
}
