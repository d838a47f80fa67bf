/// What has happened and the handler is to hear of in a later part of the turn, or in a later turn.
struct DueCalls {
    /// Killed in this turn; `closed` comes at its end.
    var closing: [(slot: UInt32, why: TransportClose)] = []
    /// Adopted connections whose `opened` (or handshake) is due.
    var adopted: [Adopted] = []
    /// Accepted by another loop for this one; they begin in the turn that takes them.
    var dealt: [Dealt] = []
    /// Resumed connections with buffered input.
    var replays: [EventToken] = []
    /// Connections whose layer may hold more plaintext than was read; no event of the socket tells.
    var rereads: [EventToken] = []
    /// Connections whose peer will send no more; `endOfStream` is due.
    var ended = SlicedQueue<EventToken>()

    struct Adopted {
        var token: EventToken
        var peer: PeerAddress
        var listener: Int
    }

    struct Dealt {
        var descriptor: CInt
        var peer: PeerAddress
        var tag: Int
    }

    /// Whether the next turn must come at once.
    var areWaiting: Bool {
        !closing.isEmpty || !adopted.isEmpty || !replays.isEmpty || !rereads.isEmpty || !ended.isEmpty
    }
}
