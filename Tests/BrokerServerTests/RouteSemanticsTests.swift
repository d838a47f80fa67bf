import Testing
import Wire

@testable import BrokerServer

/// Routes as they were read before segments were kept without an array: cut the path, then look at the list.
@Suite("Routes against an array of segments") struct RouteSemanticsTests {
    struct Naive {
        let bytes: [UInt8]

        /// The parts between slashes that are not empty.
        func segments(of path: Range<Int>) -> [Range<Int>] {
            var (found, start): ([Range<Int>], Int) = ([], path.lowerBound)
            for index in path where bytes[index] == UInt8(ascii: "/") {
                if index > start { found.append(start..<index) }
                start = index + 1
            }
            if start < path.upperBound { found.append(start..<path.upperBound) }
            return found
        }

        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

        func operation(_ segments: [Range<Int>]) -> Route.Operation? {
            let words = segments.map(text)
            if words.isEmpty { return .root }
            if words.count == 2, words[0] == "up" { return .upApp(segments[1]) }
            guard words.count == 1 else { return nil }
            let known: [String: Route.Operation] = [
                "up": .up, "ready": .ready, "live": .live, "usage": .usage, "accept-traffic": .acceptTraffic,
            ]
            return known[words[0]]
        }

        /// Nil: unknown.
        func route(_ segments: [Range<Int>]) -> Route? {
            let words = segments.map(text)
            if words.first == "app" { return words.count == 2 ? .webSocket(key: segments[1]) : nil }
            if words.count == 3, words[0] == "users", words[2] == "terminate_connections" {
                return .terminateByKey(user: segments[1])
            }
            guard words.count >= 3, words[0] == "apps" else { return nil }
            let app = segments[1]
            switch (words.count, words[2]) {
            case (3, "events"): return .api(app: app, .events)
            case (3, "batch_events"): return .api(app: app, .batchEvents)
            case (3, "channels"): return .api(app: app, .channels)
            case (3, "connections"): return .api(app: app, .connections)
            case (4, "channels"):
                let isGap = segments[3].lowerBound > segments[2].upperBound + 1
                return isGap && words[3] == "users" ? nil : .api(app: app, .channel(segments[3]))
            case (5, "channels") where words[4] == "users": return .api(app: app, .users(channel: segments[3]))
            case (5, "users") where words[4] == "terminate_connections":
                return .api(app: app, .terminate(user: segments[3]))
            default: return nil
            }
        }

        /// `prefix` has one segment or none.
        func parse(_ path: Range<Int>, prefix: [UInt8]) -> Route? {
            let found = segments(of: path)
            if let operation = operation(found) { return .operation(operation) }
            guard !prefix.isEmpty else { return route(found) }
            if let first = found.first, text(first) == String(decoding: prefix.dropFirst(), as: UTF8.self) {
                let below = Array(found.dropFirst())
                if let operation = operation(below) { return .operation(operation) }
                if let route = route(below) { return route }
            }
            if case .webSocket = route(found) { return nil }
            return route(found)
        }

        /// The kind of hint a path deserves where no prefix is configured.
        func hint(_ path: Range<Int>) -> String {
            let words = segments(of: path).map(text)
            if words.count >= 2, words[0] == "app", words[1] == "app" { return "leave /app out of wsPath" }
            if words == ["app"] { return "key is missing" }
            let entry = words.dropLast().firstIndex { $0 == "app" || $0 == "apps" }
            return (entry ?? 0) > 0 ? "no path prefix" : "paths are /app/{key}"
        }
    }

    private static let words = [
        "", "app", "apps", "App", "users", "up", "ready", "live", "usage", "accept-traffic", "events", "batch_events",
        "channels", "connections", "terminate_connections", "ws", "key", "a%2Fb", "presence-room",
    ]
    private static let templates = [
        "/app/key", "/apps/1/events", "/apps/1/channels/a/users", "/apps/1/users/u/terminate_connections",
        "/users/u/terminate_connections", "/up/1", "/apps/1/channels//users", "//apps/1/events",
        "/apps/1/channels/a/b/users", "/a/b/c/d/e/f/g/h",
    ]

    @Test(arguments: 0..<100) func everyPathLeadsWhereItLed(seed: UInt64) {
        var random = Random(state: seed &* 0x9E37_79B9_7F4A_7C15 | 1)
        for _ in 0..<100 {
            var parts = Self.templates.randomElement(using: &random)?.split(separator: "/").map(String.init) ?? []
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let word = Self.words.randomElement(using: &random) ?? ""
                let place = Int.random(in: 0...parts.count, using: &random)
                if place < parts.count, Bool.random(using: &random) {
                    parts[place] = word
                } else {
                    parts.insert(word, at: place)
                }
            }
            let prefix = Bool.random(using: &random) ? "" : "/ws"
            let start = Int.random(in: 0...3, using: &random) == 0 ? "" : "/"
            let below = prefix.isEmpty || Bool.random(using: &random) ? "" : prefix
            let path = below + start + parts.joined(separator: "/") + (Bool.random(using: &random) ? "/" : "")
            check(path, prefix: prefix, around: Int.random(in: 0...9, using: &random))
        }
    }

    @Test(arguments: [
        "", "/", "//", "///", "//app/key", "/app//", "/app//key", "/apps//events", "app/key", "/up/", "/up//",
    ])
    func emptySegmentsDoNotCount(path: String) {
        check(path, prefix: "", around: 0)
        check(path, prefix: "", around: 8)
        check("/ws" + path, prefix: "/ws", around: 3)
    }

    private func check(_ path: String, prefix: String, around: Int) {
        let slashes = [UInt8](repeating: UInt8(ascii: "/"), count: around)
        let bytes = slashes + Array(path.utf8) + slashes
        let range = around..<around + path.utf8.count
        let naive = Naive(bytes: bytes)
        let got = Route.parse(range, in: bytes.span, prefix: Array(prefix.utf8))
        switch (got, naive.parse(range, prefix: Array(prefix.utf8))) {
        case (.unknown, nil):
            let hint = PathHint.text(range, in: bytes.span, prefix: Array(prefix.utf8))
            // With a prefix, the hint may be about that.
            if prefix.isEmpty { #expect(hint.contains(naive.hint(range)), "\(path)") }
        case (_, let wanted): #expect(got == wanted, "\(path) below '\(prefix)'")
        }
    }

    @Test func apiCallsThatChangeSomethingArePosted() {
        let posted: [Route] = [
            .api(app: 0..<1, .events), .api(app: 0..<1, .batchEvents), .api(app: 0..<1, .terminate(user: 0..<1)),
            .terminateByKey(user: 0..<1),
        ]
        let read: [Route] = [
            .api(app: 0..<1, .channels), .api(app: 0..<1, .connections), .api(app: 0..<1, .channel(0..<1)),
            .api(app: 0..<1, .users(channel: 0..<1)), .operation(.root), .operation(.up), .operation(.upApp(0..<1)),
            .webSocket(key: 0..<1), .unknown,
        ]
        for route in posted {
            #expect(route.allows(.post) && !route.allows(.get) && !route.allows(.head) && !route.allows(.other))
            #expect("\(route.allowedMethods)" == "POST, OPTIONS")
        }
        for route in read {
            #expect(route.allows(.get) && route.allows(.head) && !route.allows(.post) && !route.allows(.other))
            #expect("\(route.allowedMethods)" == "GET, HEAD, OPTIONS")
        }
    }

    struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state &* 0x2545_F491_4F6C_DD1D
        }
    }
}
