internal import PusherProtocol

/// What the broker keeps of one connection; the loop's array of these is indexed by slot.
struct ConnectionRecord: Vacant {
    // SAFETY: written when it is made, and only read afterwards.
    nonisolated(unsafe) static let vacant = makeVacant()

    /// The app's number; -1 while the slot is free.
    var app = -1
    var socketID = SocketID(high: 0, low: 0)
    var subscriptions = RawList<Subscription>()
    var user: SignedInUser?
    /// Client events: thousandths of an event that may be sent now, and when that was true.
    var clientEventTokens: UInt32 = 0
    var clientEventRefillMilliseconds: UInt32 = 0
    /// Signed in, or joined a channel that needs authorization (PW-122).
    var isAuthorized = false
    /// Its close is among the effects; it is not told twice.
    var isEnding = false

    /// Begins with a client that has said nothing yet.
    mutating func open(app: Int, socketID: SocketID) {
        self.app = app
        self.socketID = socketID
        clientEventTokens = .max
        isAuthorized = false
        isEnding = false
    }

    /// Ends a connection that has left its channels.
    mutating func close() {
        subscriptions.release()
        user = nil
        app = -1
    }

    /// Channels the client subscribed to: its user channel and its watchlist are subscriptions it did not ask for.
    var channelCount: Int { subscriptions.count - (user.map { 1 + $0.watching } ?? 0) }
}

/// A signed-in user on one connection (Pusher protocol §5.1).
final class SignedInUser {
    let id: [UInt8]
    var userInfo: [UInt8]?
    /// How many users this connection watches; each is a subscription with the role `watch`.
    var watching = 0

    init(id: [UInt8], userInfo: [UInt8]?) {
        self.id = id
        self.userInfo = userInfo
    }
}

/// One entry of a connection's own list: a channel, where that channel lists the connection, and who it is there.
struct Subscription {
    let channel: ChannelIndex
    /// Index in the channel's `SubscriberList`.
    var position: UInt32
    /// Presence channels: the number of the member in the roster.
    let member: UInt32
    /// Which of the loop's subscriptions it is: tells it from a later one of the same connection to the same channel.
    let number: UInt32
}
