/// Requests that one loop has answered, by route and status. Plain numbers of the loop's thread.
struct HTTPCounts: Sendable, Equatable {
    /// A route without what stands in it.
    enum Name: Int, CaseIterable, Sendable {
        case events, batchEvents, channels, channel, users, connections, terminate
        case webSocket, operation, unknown
        /// A request that could not be read, or was not whole in time.
        case unreadable

        init(_ route: Route) {
            switch route {
            case .webSocket: self = .webSocket
            case .api(_, .events): self = .events
            case .api(_, .batchEvents): self = .batchEvents
            case .api(_, .channels): self = .channels
            case .api(_, .connections): self = .connections
            case .api(_, .channel): self = .channel
            case .api(_, .users): self = .users
            case .api(_, .terminate), .terminateByKey: self = .terminate
            case .operation: self = .operation
            case .unknown: self = .unknown
            }
        }

        /// The value of `route=`.
        var text: String {
            switch self {
            case .events: "events"
            case .batchEvents: "batch_events"
            case .channels: "channels"
            case .channel: "channel"
            case .users: "users"
            case .connections: "connections"
            case .terminate: "terminate_connections"
            case .webSocket: "app"
            case .operation: "health"
            case .unknown: "unknown"
            case .unreadable: "unreadable"
            }
        }
    }

    /// Those that are sent; 0 stands for any other.
    static let statuses = [
        200, 101, 204, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 426, 429, 431, 500, 501, 503, 505, 0,
    ]

    private var counts = [UInt64](repeating: 0, count: Name.allCases.count * 22)

    @inline(__always)
    mutating func add(_ name: Name, status: Int) { counts[name.rawValue * 22 + Self.place(status)] &+= 1 }

    @inline(__always)
    private static func place(_ status: Int) -> Int {
        // Of the hot calls it is the first.
        if status == 200 { return 0 }
        return statuses.firstIndex(of: status) ?? 21
    }

    subscript(name: Name, status place: Int) -> UInt64 { counts[name.rawValue * 22 + place] }

    static func += (sum: inout HTTPCounts, other: HTTPCounts) {
        for place in sum.counts.indices { sum.counts[place] &+= other.counts[place] }
    }
}
