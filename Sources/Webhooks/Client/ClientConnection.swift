internal import BrokerCore
internal import Reactor
internal import TLS
internal import Wire

/// What has to be the same for a connection to be used again.
struct ConnectionOrigin: Equatable {
    let isSecure: Bool
    let host: String
    let port: UInt16
    let allowsPrivate: Bool
    let files: TLSClientFiles

    init(_ endpoint: WebhookEndpoint) {
        (isSecure, host, port) = (endpoint.url.isSecure, endpoint.url.host, endpoint.url.port)
        allowsPrivate = endpoint.allowsPrivate
        files = TLSClientFiles(
            authority: endpoint.authority, certificate: endpoint.clientCertificate, key: endpoint.clientKey)
    }
}

/// A connection to an endpoint.
///
///     dialling ──opened──▶ busy ◀──next request── idle ──too old, asked to go──▶ leaving
///         │                  └──whole answer──────▶┘                                │
///         └──────────────── failed, cancelled, timed out ─────────────▶ leaving ──closed──▶ forgotten
struct ClientConnection {
    enum Phase: Equatable {
        /// Not opened yet: the kernel, or its layer, is still at it.
        case dialling
        /// The request is with the loop, and its answer is awaited.
        case busy
        /// Since when.
        case idle(MonotonicTime)
        /// Finished or aborted; nothing that happens to it counts.
        case leaving
    }

    let endpoint: WebhookEndpointID
    let origin: ConnectionOrigin
    let peer: PeerAddress
    let dialled: MonotonicTime
    /// Holds the reasons when it fails.
    let layer: TLSLayer?
    var phase = Phase.dialling
    var reader = AnswerReader()
    /// Answers that came over it.
    var answers = 0

    init(
        _ endpoint: WebhookEndpointID, _ origin: ConnectionOrigin, _ peer: PeerAddress, _ layer: TLSLayer?,
        now: MonotonicTime
    ) {
        (self.endpoint, self.origin, self.peer, self.layer, dialled) = (endpoint, origin, peer, layer, now)
    }
}

/// What a client may hold.
public struct ClientLimits: Sendable {
    /// Connections of the process.
    public var connectionsMax = 256
    /// How long one without a request is kept.
    public var idleMilliseconds = 30_000
    /// How long one is used before its name is looked up again.
    public var ageMilliseconds = 60_000

    public init() {}
}

/// The connections of a client, by slot: at most one idle one for each endpoint. On one loop's thread.
struct ConnectionPool {
    let limits: ClientLimits
    private(set) var connections: [UInt32: ClientConnection] = [:]
    /// By endpoint.
    private var idle: [WebhookEndpointID: UInt32] = [:]

    init(_ limits: ClientLimits) { self.limits = limits }

    var isFull: Bool { connections.count >= limits.connectionsMax }
    var idleCount: Int { idle.count }
    /// A place will get free.
    var isLeaving: Bool { connections.values.contains { $0.phase == .leaving } }

    subscript(slot: UInt32) -> ClientConnection? { connections[slot] }

    mutating func add(_ slot: UInt32, _ connection: ClientConnection) {
        precondition(connections[slot] == nil, "a slot was given twice")
        connections[slot] = connection
    }

    /// Reads more of the answer that is awaited on it.
    mutating func read(
        _ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, now: Int
    ) -> (consumed: Int, progress: AnswerReader.Progress)? {
        connections[slot]?.reader.read(bytes, now: now)
    }

    mutating func endOfStream(_ slot: UInt32) -> AnswerReader.Progress? { connections[slot]?.reader.endOfStream() }

    /// A request goes out over it.
    mutating func occupy(_ slot: UInt32) {
        guard let endpoint = connections[slot]?.endpoint else { return }
        if idle[endpoint] == slot { idle[endpoint] = nil }
        connections[slot]?.phase = .busy
        connections[slot]?.reader = AnswerReader()
    }

    /// A whole answer came over it, and it stays.
    mutating func keep(_ slot: UInt32, now: MonotonicTime) {
        guard let endpoint = connections[slot]?.endpoint else { return }
        connections[slot]?.answers += 1
        connections[slot]?.phase = .idle(now)
        idle[endpoint] = slot
    }

    /// It is finished or aborted, and keeps its place until it is closed.
    mutating func dismiss(_ slot: UInt32) {
        guard let endpoint = connections[slot]?.endpoint else { return }
        if idle[endpoint] == slot { idle[endpoint] = nil }
        connections[slot]?.phase = .leaving
    }

    /// - Returns: what it was.
    mutating func remove(_ slot: UInt32) -> ClientConnection? {
        guard let connection = connections.removeValue(forKey: slot) else { return nil }
        if idle[connection.endpoint] == slot { idle[connection.endpoint] = nil }
        return connection
    }

    /// The one that is kept for an endpoint.
    func idleSlot(of endpoint: WebhookEndpointID) -> UInt32? { idle[endpoint] }

    /// Whether a kept one may carry a request to where the endpoint is now.
    func mayReuse(_ slot: UInt32, for origin: ConnectionOrigin, now: MonotonicTime) -> Bool {
        guard let connection = connections[slot] else { return false }
        return connection.origin == origin && !isTooOld(connection, now)
    }

    private func isTooOld(_ connection: ClientConnection, _ now: MonotonicTime) -> Bool {
        now.nanosecondsSince(connection.dialled) >= UInt64(limits.ageMilliseconds) * 1_000_000
    }

    /// Those that have been idle too long, or are too old to be used again.
    func stale(now: MonotonicTime) -> [UInt32] {
        idle.values.filter { slot in
            guard let connection = connections[slot], case .idle(let since) = connection.phase else { return false }
            return isTooOld(connection, now)
                || now.nanosecondsSince(since) >= UInt64(limits.idleMilliseconds) * 1_000_000
        }
    }

    var allIdle: [UInt32] { Array(idle.values) }

    /// The one that has been idle longest.
    var idleLongest: UInt32? {
        func since(_ slot: UInt32) -> MonotonicTime {
            if case .idle(let time) = connections[slot]?.phase { time } else { MonotonicTime(nanoseconds: .max) }
        }
        return idle.values.min { since($0) < since($1) }
    }
}
