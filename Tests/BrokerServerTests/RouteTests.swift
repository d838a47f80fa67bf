import Testing
import Wire

@testable import BrokerServer

@Suite("Routes") struct RouteTests {
    struct Row: CustomTestStringConvertible {
        let path: String
        var prefix = ""
        let expected: String
        var testDescription: String { prefix.isEmpty ? path : "\(path) below \(prefix)" }
    }

    static let rows = [
        Row(path: "/", expected: "root"),
        Row(path: "", expected: "root"),
        Row(path: "/app/key", expected: "webSocket key"),
        Row(path: "/app/key/", expected: "webSocket key"),
        Row(path: "/app/a%2Fb", expected: "webSocket a%2Fb"),
        Row(path: "/app", expected: "unknown"),
        Row(path: "/app/key/more", expected: "unknown"),
        Row(path: "/App/key", expected: "unknown"),
        Row(path: "/apps/1/events", expected: "events of 1"),
        Row(path: "/apps/1/events/", expected: "events of 1"),
        Row(path: "/apps/1/batch_events", expected: "batchEvents of 1"),
        Row(path: "/apps/1/channels", expected: "channels of 1"),
        Row(path: "/apps/1/channels/a", expected: "channel a of 1"),
        Row(path: "/apps/1/channels/a/users", expected: "users of a of 1"),
        Row(path: "/apps/1/connections", expected: "connections of 1"),
        Row(path: "/apps/1/users/u/terminate_connections", expected: "terminate u of 1"),
        Row(path: "/users/u/terminate_connections", expected: "terminate u by key"),
        Row(path: "/apps/1", expected: "unknown"),
        Row(path: "/apps/1/nothing", expected: "unknown"),
        Row(path: "/apps/1/channels/a/b/c", expected: "unknown"),
        Row(path: "/up", expected: "up"),
        Row(path: "/up/1", expected: "up 1"),
        Row(path: "/ready", expected: "ready"),
        Row(path: "/live", expected: "live"),
        Row(path: "/usage", expected: "usage"),
        Row(path: "/accept-traffic", expected: "acceptTraffic"),
        Row(path: "/ws/app/key", prefix: "/ws", expected: "webSocket key"),
        Row(path: "/ws/apps/1/events", prefix: "/ws", expected: "events of 1"),
        Row(path: "/ws/ready", prefix: "/ws", expected: "ready"),
        Row(path: "/ready", prefix: "/ws", expected: "ready"),
        Row(path: "/app/key", prefix: "/ws", expected: "unknown"),
        Row(path: "/wsapp/key", prefix: "/ws", expected: "unknown"),
        // nginx: location /ws { proxy_pass http://broker:6001/; }
        Row(path: "//app/key", expected: "webSocket key"),
        Row(path: "//apps/1/events", expected: "events of 1"),
        Row(path: "/app//key//", expected: "webSocket key"),
        Row(path: "//apps///1//channels//a//users//", expected: "users of a of 1"),
        Row(path: "//", expected: "root"),
        Row(path: "//up//1", expected: "up 1"),
        Row(path: "//ready", prefix: "/ws", expected: "ready"),
        Row(path: "/app//", expected: "unknown"),
        // The users of a channel without a name are not those of a channel named `users`.
        Row(path: "/apps/1/channels//users", expected: "unknown"),
        Row(path: "/apps/1/channels//users/", expected: "unknown"),
        Row(path: "/apps/1/channels/users", expected: "channel users of 1"),
        Row(path: "/apps/1/channels/users/users", expected: "users of users of 1"),
        Row(path: "/apps/1/users//terminate_connections", expected: "unknown"),
        Row(path: "//users/u/terminate_connections", expected: "terminate u by key"),
        Row(path: "//ws//app/key", prefix: "/ws", expected: "webSocket key"),
        Row(path: "/a//b/app/key", prefix: "/a/b", expected: "webSocket key"),
        Row(path: "/a/app/key", prefix: "/a/b", expected: "unknown"),
        // Laravel's HTTP client drops a base path without a final slash.
        Row(path: "/apps/1/events", prefix: "/ws", expected: "events of 1"),
        Row(path: "//apps/1/channels/a", prefix: "/ws", expected: "channel a of 1"),
        Row(path: "/users/u/terminate_connections", prefix: "/ws", expected: "terminate u by key"),
        Row(path: "//app/key", prefix: "/ws", expected: "unknown"),
        Row(path: "/other/apps/1/events", prefix: "/ws", expected: "unknown"),
        Row(path: "/ws/ws/apps/1/events", prefix: "/ws", expected: "unknown"),
        // A prefix that looks like a route.
        Row(path: "/app/app/key", prefix: "/app", expected: "webSocket key"),
        Row(path: "/apps/apps/1/events", prefix: "/apps", expected: "events of 1"),
        Row(path: "/apps/1/events", prefix: "/apps", expected: "events of 1"),
        Row(path: "/apps/1/channels", prefix: "/apps/1", expected: "channels of 1"),
    ]

    @Test(arguments: rows) func pathsAreRead(_ row: Row) {
        #expect(Self.describe(row.path, prefix: row.prefix) == row.expected)
    }

    @Test(arguments: [
        ("/app/app/key", "", "leave /app out of wsPath"),
        ("/ws/app/key", "", "no path prefix is configured"),
        ("//app//app/key", "", "leave /app out of wsPath"),
        ("/ws/app/app/key", "/ws", "leave /app out of wsPath"),
        ("/soketi/apps/1/events", "", "start the server with --path-prefix /soketi"),
        ("/a/b/app/key", "", "the path begins with /a/b, and no path prefix"),
        ("/app/key", "/ws", "this server has the path prefix /ws: put it before the path (wsPath"),
        ("/app/key", "/ws", "if a proxy in front takes it away, start the server without --path-prefix"),
        ("/other/app/key", "/ws", "the path begins with /other, and the path prefix of this server is /ws"),
        ("/ws/ws/app/key", "/ws", "the path prefix /ws is there twice"),
        ("/ws/app", "/ws", "key is missing"),
        ("/app/", "", "key is missing"),
        ("/ws/nothing", "/ws", "paths are /ws/app/{key}"),
        ("/nothing", "/ws", "paths are /ws/app/{key}"),
        ("/app/key/more", "", "paths are /app/{key}"),
        ("/apps/1/nothing", "", "paths are /app/{key}"),
        ("/nothing/app", "", "paths are /app/{key}"),
    ]) func aPathThatLeadsNowhereSaysWhatWasMeant(path: String, prefix: String, hint: String) {
        let bytes = Array(path.utf8)
        let route = Route.parse(0..<bytes.count, in: bytes.span, prefix: Array(prefix.utf8))
        #expect(route == .unknown, "\(path) is a route")
        #expect(PathHint.text(0..<bytes.count, in: bytes.span, prefix: Array(prefix.utf8)).contains(hint))
    }

    static func describe(_ path: String, prefix: String) -> String {
        let bytes = Array(path.utf8)
        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        switch Route.parse(0..<bytes.count, in: bytes.span, prefix: Array(prefix.utf8)) {
        case .webSocket(let key): return "webSocket \(text(key))"
        case .terminateByKey(let user): return "terminate \(text(user)) by key"
        case .operation(.upApp(let app)): return "up \(text(app))"
        case .operation(let operation): return "\(operation)"
        case .api(let app, .channel(let name)): return "channel \(text(name)) of \(text(app))"
        case .api(let app, .users(let name)): return "users of \(text(name)) of \(text(app))"
        case .api(let app, .terminate(let user)): return "terminate \(text(user)) of \(text(app))"
        case .api(let app, let call): return "\(call) of \(text(app))"
        case .unknown: return "unknown"
        }
    }
}

@Suite("Allowed origins (PW-016)") struct OriginRuleTests {
    @Test(arguments: [
        ("https://shop.example", [], true),
        ("https://shop.example", ["*"], true),
        ("https://shop.example", ["shop.example"], true),
        ("https://SHOP.example:8443", ["Shop.Example"], true),
        ("https://shop.example:8443", ["https://shop.example:8443"], true),
        ("http://shop.example:8443", ["https://shop.example:8443"], false),
        ("https://eu.shop.example", ["*.shop.example"], true),
        ("https://shop.example", ["*.shop.example"], false),
        ("https://evilshop.example", ["*.shop.example"], false),
        ("https://evil.example/?shop.example", ["shop.example"], false),
        ("https://shop.example.evil", ["shop.example"], false),
        ("null", ["shop.example"], false),
        ("http://[::1]:3000", ["[::1]"], true),
    ]) func onlyWhatTheListNamesIsAllowed(origin: String, entries: [String], isAllowed: Bool) {
        #expect(OriginRule.allows(origin, entries) == isAllowed)
    }
}
