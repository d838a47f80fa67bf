internal import PusherProtocol
internal import Wire

/// One event on its way into a channel, encoded once: from the HTTP API, from a client, and later from another node.
///
/// `LoopBroker.deliver` is the one way in. The channel's name goes beside it, because it lies in memory of the caller.
struct Publication: ~Copyable {
    /// Who of all subscribers gets nothing.
    struct Exclusion {
        /// -1 for nobody.
        var loop: Int
        var connection: ConnectionTag
        /// As the publisher named it.
        var socketID: SocketID?

        static var nobody: Exclusion { Exclusion(loop: -1, connection: .none) }
    }

    /// The frame's text: `{"event":…,"channel":…,"data":…}`, and then the sender's `user_id`.
    private(set) var json: [UInt8]
    /// Where the event's data stands in it, as a JSON string literal.
    let dataRange: Range<Int>
    /// Of the channel's name.
    let hash: UInt64
    let kind: ChannelKind
    /// The connection that sends a client event; nil for an event of the HTTP API.
    let sender: SocketID?
    /// The sender's number in the roster of a presence channel; `.max` otherwise.
    let member: UInt32
    let except: Exclusion
    let origin: ChannelEdge.Origin

    /// - Parameter json: as `ServerFrame.event` encodes it: the data is its last member.
    init(
        json: consuming [UInt8], dataBytes: Int, hash: UInt64, kind: ChannelKind, sender: SocketID? = nil,
        member: UInt32 = .max, except: Exclusion, origin: ChannelEdge.Origin = .local
    ) {
        let end = json.count - 1
        self.json = json
        dataRange = end - dataBytes..<end
        self.hash = hash
        self.kind = kind
        self.sender = sender
        self.member = member
        self.except = except
        self.origin = origin
    }

    /// What its edge is called.
    var edgeKind: ChannelEdge.Kind { sender == nil ? .published : .clientEvent }

    /// What the consumers of edges are told of it: a copy, for the storage is used again.
    func edge(userID: [UInt8]?) -> ChannelEdge.Event {
        return ChannelEdge.Event(
            json: ChannelTable.copy(json.span), name: Self.nameRange(in: json.span), data: dataRange,
            socketID: sender ?? except.socketID, userID: userID, origin: origin)
    }

    /// The name is the first member of a frame: `{"event":"…"`.
    private static func nameRange(in json: Span<UInt8>) -> Range<Int> {
        let start = "{\"event\":".utf8.count
        var end = start + 1
        while json[end] != UInt8(ascii: "\"") { end += json[end] == UInt8(ascii: "\\") ? 2 : 1 }
        return start..<end + 1
    }

    /// Whether the channel keeps it for those who come later: client events are never kept (Pusher protocol §3.8).
    var isCached: Bool { kind.isCache && sender == nil }

    /// Names the sender; under the shard's lock, where the roster can be asked (PW-096, PW-097).
    mutating func sign(userID: [UInt8]) { ServerFrame.appendUserID(userID.span, to: &json) }

    /// Gives the storage back.
    consuming func finish() -> [UInt8] { json }
}
