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

    /// The methods a route answers, `OPTIONS` aside.
    var allowedMethods: (StaticString, Set<HTTPMethod>) {
        switch self {
        case .api(_, .events), .api(_, .batchEvents), .api(_, .terminate), .terminateByKey:
            ("POST, OPTIONS", [.post])
        default: ("GET, HEAD, OPTIONS", [.get, .head])
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

    private static func route(_ segments: [Range<Int>], in bytes: Span<UInt8>) -> Route? {
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

    private static func operation(_ segments: [Range<Int>], in bytes: Span<UInt8>) -> Operation? {
        guard let first = segments.first else { return .root }
        if segments.count == 2, names(first, "up", bytes) { return .upApp(segments[1]) }
        guard segments.count == 1 else { return nil }
        if names(first, "up", bytes) { return .up }
        if names(first, "ready", bytes) { return .ready }
        if names(first, "live", bytes) { return .live }
        if names(first, "usage", bytes) { return .usage }
        if names(first, "accept-traffic", bytes) { return .acceptTraffic }
        return nil
    }

    private static func hint(_ segments: [Range<Int>], in bytes: Span<UInt8>) -> String {
        let words = segments.map { text($0, bytes) }
        if words.count >= 2, words[0] == "app", words[1] == "app" {
            return "the client puts /app/{key} after wsPath by itself: leave /app out of wsPath"
        }
        if words.dropFirst().contains("app") || words.dropFirst().contains("apps") {
            return
                "no path prefix is configured here: start the server with --path-prefix, or drop wsPath in the client"
        }
        return "paths are /app/{key} for WebSocket clients and /apps/{app_id}/… for the HTTP API"
    }

    private static func segments(of path: Range<Int>, in bytes: Span<UInt8>) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var start = path.lowerBound
        for i in path where bytes[i] == UInt8(ascii: "/") {
            if i > start { found.append(start..<i) } else if i > path.lowerBound { found.append(start..<start) }
            start = i + 1
        }
        if start < path.upperBound { found.append(start..<path.upperBound) }
        return found
    }

    private static func begins(_ path: Range<Int>, in bytes: Span<UInt8>, with prefix: [UInt8]) -> Bool {
        guard path.count >= prefix.count else { return false }
        for i in prefix.indices where bytes[path.lowerBound + i] != prefix[i] { return false }
        return path.count == prefix.count || bytes[path.lowerBound + prefix.count] == UInt8(ascii: "/")
    }

    private static func names(_ range: Range<Int>, _ name: StaticString, _ bytes: Span<UInt8>) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        for i in 0..<range.count where bytes[range.lowerBound + i] != name.utf8Start[i] { return false }
        return true
    }

    private static func text(_ range: Range<Int>, _ bytes: Span<UInt8>) -> String {
        bytes.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}
