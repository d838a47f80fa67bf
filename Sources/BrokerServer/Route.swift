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
    /// Nothing here; the text says what was probably meant.
    case unknown(hint: String)

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

    /// - Parameters:
    ///   - path: where the raw path stands in `bytes`.
    ///   - prefix: the configured path prefix without a trailing slash, or empty.
    static func parse(_ path: Range<Int>, in bytes: Span<UInt8>, prefix: [UInt8]) -> Route {
        var segments = segments(of: path, in: bytes)
        if let operation = operation(segments, in: bytes) { return .operation(operation) }
        if !prefix.isEmpty {
            guard begins(path, in: bytes, with: prefix) else {
                return .unknown(
                    hint:
                        "this server has the path prefix \(String(decoding: prefix, as: UTF8.self)): put it before the path "
                        + "(wsPath in pusher-js, path in the server libraries)")
            }
            segments = self.segments(of: (path.lowerBound + prefix.count)..<path.upperBound, in: bytes)
            if let operation = operation(segments, in: bytes) { return .operation(operation) }
        }
        return route(segments, in: bytes) ?? .unknown(hint: hint(segments, in: bytes))
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
        case 4 where names(segments[2], "channels", bytes): return .api(app: app, .channel(segments[3]))
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

    private static func hint(_ segments: PathSegments, in bytes: Span<UInt8>) -> String {
        let words = (0..<min(segments.count, PathSegments.kept)).map { text(segments[$0], bytes) }
        if words.count >= 2, words[0] == "app", words[1] == "app" {
            return "the client puts /app/{key} after wsPath by itself: leave /app out of wsPath"
        }
        if words.dropFirst().contains("app") || words.dropFirst().contains("apps") {
            return
                "no path prefix is configured here: start the server with --path-prefix, or drop wsPath in the client"
        }
        return "paths are /app/{key} for WebSocket clients and /apps/{app_id}/… for the HTTP API"
    }

    private static func segments(of path: Range<Int>, in bytes: Span<UInt8>) -> PathSegments {
        var found = PathSegments()
        var start = path.lowerBound
        while true {
            let end = bytes.firstOffset(of: UInt8(ascii: "/"), in: start..<path.upperBound)
            // An empty segment counts only between two slashes.
            if end > start || (end > path.lowerBound && end < path.upperBound) { found.append(start..<end) }
            guard end < path.upperBound else { return found }
            start = end + 1
        }
    }

    private static func begins(_ path: Range<Int>, in bytes: Span<UInt8>, with prefix: [UInt8]) -> Bool {
        guard path.count >= prefix.count else { return false }
        for i in prefix.indices where bytes[path.lowerBound + i] != prefix[i] { return false }
        return path.count == prefix.count || bytes[path.lowerBound + prefix.count] == UInt8(ascii: "/")
    }

    private static func names(_ range: Range<Int>, _ name: StaticString, _ bytes: Span<UInt8>) -> Bool {
        bytes.equals(range, name)
    }

    private static func text(_ range: Range<Int>, _ bytes: Span<UInt8>) -> String {
        bytes.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}

/// The parts of a path between its slashes. A path with more of them than any route has is counted on, not kept.
struct PathSegments {
    static let kept = 6
    private var ranges = InlineArray<6, Range<Int>>(repeating: 0..<0)
    private(set) var count = 0

    subscript(index: Int) -> Range<Int> { ranges[index] }

    mutating func append(_ range: Range<Int>) {
        if count < Self.kept { ranges[count] = range }
        count += 1
    }
}
