internal import Wire

/// What a request's path asks for. Ranges point into the request's bytes and are still percent-encoded.
enum Route: Equatable {
    enum API: Equatable {
        case events, batchEvents, channels, connections
        case channel(Range<Int>)
        case users(channel: Range<Int>)
        case terminate(user: Range<Int>)
    }

    enum Operation: Equatable {
        case root, up, ready, live, usage, acceptTraffic
        case upApp(Range<Int>)
    }

    case webSocket(key: Range<Int>)
    case api(app: Range<Int>, API)
    /// `/users/{id}/terminate_connections`, as the Python library posts it: the key names the app (Pusher protocol §6.8).
    case terminateByKey(user: Range<Int>)
    case operation(Operation)
    /// Nothing here; `PathHint` says what was probably meant. No text in the route itself, so that to copy one counts no reference.
    case unknown

    /// The methods a route answers, as the `Allow` header names them.
    var allowedMethods: StaticString { isPosted ? "POST, OPTIONS" : "GET, HEAD, OPTIONS" }

    /// Whether it answers this method, `OPTIONS` aside.
    func allows(_ method: HTTPMethod) -> Bool { isPosted ? method == .post : method == .get || method == .head }

    private var isPosted: Bool {
        switch self {
        case .api(_, .events), .api(_, .batchEvents), .api(_, .terminate), .terminateByKey: true
        default: false
        }
    }

    /// Whether it is a call of the signed API.
    private var isAPI: Bool {
        switch self {
        case .api, .terminateByKey: true
        case .webSocket, .operation, .unknown: false
        }
    }

    /// - Parameters:
    ///   - path: where the raw path stands in `bytes`.
    ///   - prefix: the configured path prefix without a trailing slash, or empty.
    static func parse(_ path: Range<Int>, in bytes: Span<UInt8>, prefix: [UInt8]) -> Route {
        let whole = PathSegments(of: path, in: bytes)
        if let operation = operation(whole, in: bytes) { return .operation(operation) }
        if !prefix.isEmpty, let start = RequestPath.end(ofPrefix: prefix.span, in: path, bytes) {
            let below = PathSegments(of: start..<path.upperBound, in: bytes)
            if let operation = operation(below, in: bytes) { return .operation(operation) }
            if let route = route(below, in: bytes) { return route }
        }
        if let route = route(whole, in: bytes) {
            // The API answers beside its prefix too: Laravel's installer writes a base path without a final slash, which its HTTP
            // client drops. WebSocket clients have no such habit, and theirs tells apart who came through the front door.
            if prefix.isEmpty || route.isAPI { return route }
        }
        return .unknown
    }

    private static func route(_ segments: PathSegments, in bytes: Span<UInt8>) -> Route? {
        guard segments.count >= 2 else { return nil }
        if names(segments[0], "app", bytes) { return segments.count == 2 ? .webSocket(key: segments[1]) : nil }
        if names(segments[0], "users", bytes), segments.count == 3, names(segments[2], "terminate_connections", bytes) {
            return .terminateByKey(user: segments[1])
        }
        guard names(segments[0], "apps", bytes), segments.count >= 3 else { return nil }
        let app = segments[1]
        switch segments.count {
        case 3 where names(segments[2], "events", bytes): return .api(app: app, .events)
        case 3 where names(segments[2], "batch_events", bytes): return .api(app: app, .batchEvents)
        case 3 where names(segments[2], "channels", bytes): return .api(app: app, .channels)
        case 3 where names(segments[2], "connections", bytes): return .api(app: app, .connections)
        case 4 where names(segments[2], "channels", bytes):
            // `channels//users` asks for the users of a channel without a name, not for a channel named `users`.
            if segments.followsEmpty(3), names(segments[3], "users", bytes) { return nil }
            return .api(app: app, .channel(segments[3]))
        case 5 where names(segments[2], "channels", bytes) && names(segments[4], "users", bytes):
            return .api(app: app, .users(channel: segments[3]))
        case 5 where names(segments[2], "users", bytes) && names(segments[4], "terminate_connections", bytes):
            return .api(app: app, .terminate(user: segments[3]))
        default: return nil
        }
    }

    private static func operation(_ segments: PathSegments, in bytes: Span<UInt8>) -> Operation? {
        guard segments.count > 0 else { return .root }
        let first = segments[0]
        if segments.count == 2, names(first, "up", bytes) { return .upApp(segments[1]) }
        guard segments.count == 1 else { return nil }
        if names(first, "up", bytes) { return .up }
        if names(first, "ready", bytes) { return .ready }
        if names(first, "live", bytes) { return .live }
        if names(first, "usage", bytes) { return .usage }
        if names(first, "accept-traffic", bytes) { return .acceptTraffic }
        return nil
    }

    private static func names(_ range: Range<Int>, _ name: StaticString, _ bytes: Span<UInt8>) -> Bool {
        bytes.equals(range, name)
    }
}

/// The parts of a path between its slashes, without empty ones. A path with more of them than any route has is counted on, not kept.
struct PathSegments {
    static let kept = 6
    private var ranges = InlineArray<6, Range<Int>>(repeating: 0..<0)
    private(set) var count = 0

    init(of path: Range<Int>, in bytes: Span<UInt8>) {
        var offset = path.lowerBound
        while let segment = RequestPath.nextSegment(of: path, at: &offset, in: bytes) {
            if count < Self.kept { ranges[count] = segment }
            count += 1
        }
    }

    subscript(index: Int) -> Range<Int> { ranges[index] }

    /// Whether an empty segment was left out right before this one.
    func followsEmpty(_ index: Int) -> Bool {
        index > 0 && ranges[index].lowerBound - ranges[index - 1].upperBound > 1
    }
}
