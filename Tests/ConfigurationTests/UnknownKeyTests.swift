import BrokerCore
import TestSupport
import Testing

@testable import Configuration

@Suite("A key that nobody knows is told, at any depth") struct UnknownKeyTests {
    /// A file as people have it, with every section.
    static let whole = """
        {"debug": false, "port": 6001, "host": "::1", "mode": "full", "pathPrefix": "", "shutdownGracePeriod": 3000,
         "adapter": {"driver": "local", "redis": {"requestsTimeout": 5000, "prefix": "", "clusterMode": false},
           "cluster": {"requestsTimeout": 5000}, "nats": {"servers": ["a"], "user": "u", "pass": "p"}},
         "appManager": {"driver": "array", "cache": {"enabled": true, "ttl": -1}, "array": {"apps": [
             {"id": "a", "key": "k", "secret": "s", "webhooks": []}, {"AppId": "b", "AppKey": "l", "AppSecret": "t"}]},
           "dynamodb": {"table": "apps"}, "mysql": {"table": "apps", "version": "8.0"}},
         "cache": {"driver": "memory", "redis": {"clusterMode": false}},
         "channelLimits": {"maxNameLength": 200, "cacheTtl": 3600}, "cluster": {"port": 11002, "prefix": ""},
         "database": {"mysql": {"host": "h", "port": 3306}, "redis": {"host": "h", "sentinels": null}},
         "databasePooling": {"enabled": false}, "eventLimits": {"maxChannelsAtOnce": 100, "maxNameLength": 200},
         "httpApi": {"requestLimitInMb": 100, "acceptTraffic": {"memoryThreshold": 85}}, "instance": {"process_id": 1},
         "metrics": {"enabled": false, "driver": "prometheus", "prometheus": {"prefix": "soketi_"}, "port": 9601},
         "presence": {"maxMembersPerChannel": 100}, "queue": {"driver": "sync", "redis": {"concurrency": 1}},
         "rateLimiter": {"driver": "local"}, "ssl": {"certPath": "", "keyPath": "", "passphrase": ""},
         "userAuthenticationTimeout": 30000, "webhooks": {"batching": {"enabled": false, "duration": 50}}}
        """

    @Test func allThatSoketiKnowsIsKnown() throws {
        let configuration = try load(file: Self.whole).get()
        #expect(configuration.warnings.map(\.description) == [])
        #expect(configuration.settings.apps.map(\.id) == ["a", "b"])
    }

    @Test("a random key at any depth is told", arguments: 0..<300) func aRandomKeyIsTold(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let source = SourceText(path: "f", bytes: Array(Self.whole.utf8))
        var node = try #require(FileReader.read(source).node)
        let letters = Array("abcdefghijklmnopqrstuvwxyzABC_.0")
        let key =
            "q"
            + String(
                (0..<Int.random(in: 1...12, using: &random)).map { _ in letters.randomElement(using: &random) ?? "a" })
        var target = Int.random(in: 0..<Self.objects(in: node), using: &random)
        let values: [Node.Content] = [
            .number("1"), .string("x", isInterpolated: false), .boolean(true), .null, .object([]), .array([]),
        ]
        let member = Node.Member(
            key: key, keyOffset: 1, value: Node(content: values.randomElement(using: &random) ?? .null, offset: 1))
        Self.insert(member, &target, into: &node)
        let printed = Self.json(node).printed()
        let result = load(file: printed)
        #expect(
            result.lines.contains { $0.contains("unknown") && $0.contains(key) },
            "seed \(seed), key \(key): \(result.lines)")
    }

    private static func objects(in node: Node) -> Int {
        switch node.content {
        case .object(let members): 1 + members.reduce(0) { $0 + objects(in: $1.value) }
        case .array(let elements): elements.reduce(0) { $0 + objects(in: $1) }
        default: 0
        }
    }

    private static func insert(_ member: Node.Member, _ target: inout Int, into node: inout Node) {
        switch node.content {
        case .object(var members):
            for index in members.indices { insert(member, &target, into: &members[index].value) }
            if target == 0 { members.append(member) }
            target -= 1
            node.content = .object(members)
        case .array(var elements):
            for index in elements.indices { insert(member, &target, into: &elements[index]) }
            node.content = .array(elements)
        default: break
        }
    }

    private static func json(_ node: Node) -> JSONText {
        switch node.content {
        case .object(let members): .object(members.map { ($0.key, json($0.value)) })
        case .array(let elements): .array(elements.map(json))
        case .string(let text, _): .string(text)
        case .number(let text): .literal(text)
        case .boolean(let isTrue): .literal(isTrue ? "true" : "false")
        case .null, .broken: .literal("null")
        }
    }

    static let unknown = [
        NothingVanishesTests.Row(
            "in a section", "{\"metrics\": {\"prefx\": 1}}",
            "unknown key \"prefx\" in metrics — did you mean \"prefix\"?"),
        NothingVanishesTests.Row(
            "in a section that we do not have", "{\"database\": {\"prefx\": 1}}",
            "warning: unknown soketi option \"database.prefx\"; not taken over"),
        NothingVanishesTests.Row(
            "deep down", "{\"metrics\": {\"prometheus\": {\"prefx\": 1}}}",
            "warning: unknown soketi option \"metrics.prometheus.prefx\"; not taken over — did you mean \"metrics.prometheus.prefix\"?"
        ),
        NothingVanishesTests.Row(
            "dotted", "{\"eventLimits.maxPayloadInKB\": 1}",
            "warning: unknown soketi option \"eventLimits.maxPayloadInKB\"; not taken over — did you mean \"eventLimits.maxPayloadInKb\"?"
        ),
        NothingVanishesTests.Row(
            "cors", "{\"cors\": {\"origin\": [\"https://a\"]}}", "warning: cors.origin: " + Unsupported.cors),
        NothingVanishesTests.Row(
            "cors, any part", "{\"cors\": {\"credentials\": false}}", "warning: cors.credentials: " + Unsupported.cors),
        NothingVanishesTests.Row(
            "dotted cors", "{\"cors.allowedHeaders\": [\"X\"]}", "warning: cors.allowedHeaders: " + Unsupported.cors),
        NothingVanishesTests.Row(
            "options of a library", "{\"queue\": {\"redis\": {\"redisOptions\": {\"x\": 1}}}}",
            "warning: queue.redis.redisOptions: has no effect here"),
        NothingVanishesTests.Row(
            "an object for a value", "{\"debug\": true, \"metrics\": {\"port\": {}}}",
            "metrics.port: cannot be an object"),
        NothingVanishesTests.Row(
            "a value for an object", "{\"metrics\": true}", "metrics: must be an object, not a boolean"),
        NothingVanishesTests.Row(
            "dotted and nested", "{\"metrics\": {\"port\": 1}, \"metrics.port\": 2}",
            "\"metrics.port\" is given twice; the first is at config.json:1:14"),
        NothingVanishesTests.Row(
            "in an app",
            "{\"appManager.array.apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"maxConections\": 1}]}",
            "warning: unknown soketi option \"appManager.array.apps[0].maxConections\"; not taken over — did you mean \"maxConnections\"?"
        ),
        NothingVanishesTests.Row(
            "two spellings",
            "{\"appManager.array.apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"maxConnections\": 1, \"max_connections\": 2}]}",
            "appManager.array.apps[0].max_connections says the same as \"maxConnections\" (config.json:1:67); give one of them"
        ),
    ]

    @Test("is told with its place and the nearest name", arguments: unknown) func isTold(
        _ row: NothingVanishesTests.Row
    ) {
        let lines = load(["--host=::1"], file: row.file).lines
        #expect(
            lines.count == 1 && lines[0].hasPrefix("config.json:1:") && lines[0].hasSuffix(": " + row.says), "\(lines)")
    }

    static let spellings = [
        [
            "id", "key", "secret", "maxConnections", "enableClientMessages", "enabled", "maxBackendEventsPerSecond",
            "maxClientEventsPerSecond", "maxReadRequestsPerSecond", "maxPresenceMembersPerChannel",
            "maxPresenceMemberSizeInKb", "maxChannelNameLength", "maxEventChannelsAtOnce", "maxEventNameLength",
            "maxEventPayloadInKb", "maxEventBatchSize", "enableUserAuthentication",
        ],
        [
            "AppId", "AppKey", "AppSecret", "MaxConnections", "EnableClientMessages", "Enabled",
            "MaxBackendEventsPerSecond", "MaxClientEventsPerSecond", "MaxReadRequestsPerSecond",
            "MaxPresenceMembersPerChannel", "MaxPresenceMemberSizeInKb", "MaxChannelNameLength",
            "MaxEventChannelsAtOnce", "MaxEventNameLength", "MaxEventPayloadInKb", "MaxEventBatchSize",
            "EnableUserAuthentication",
        ],
        [
            "id", "key", "secret", "max_connections", "enable_client_messages", "enabled", "max_backend_events_per_sec",
            "max_client_events_per_sec", "max_read_req_per_sec", "max_presence_members_per_channel",
            "max_presence_member_size_in_kb", "max_channel_name_length", "max_event_channels_at_once",
            "max_event_name_length", "max_event_payload_in_kb", "max_event_batch_size", "enable_user_authentication",
        ],
    ]

    @Test func threeSpellingsSayTheSame() throws {
        let values = [
            "7", "\"k\"", "\"s\"", "11", "true", "true", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21",
            "true",
        ]
        let apps = try Self.spellings.map { names in
            let members = zip(names, values).map { "\"\($0)\": \($1)" }.joined(separator: ", ")
            let configuration = try load(
                file: "{\"host\": \"::1\", \"appManager\": {\"array\": {\"apps\": [{\(members)}]}}}"
            ).get()
            #expect(configuration.warnings.map(\.description) == [])
            return try #require(configuration.settings.apps.first)
        }
        #expect(apps[0] == apps[1] && apps[1] == apps[2])
        let limits = apps[0].limits
        #expect(
            apps[0].id == "7" && apps[0].keys == [.init(key: "k", secret: "s")] && apps[0].authorizedConnectionsRequired
        )
        #expect(
            [
                limits.connectionsMax, limits.backendEventsPerSecondMax, limits.clientEventsPerSecondMax,
                limits.readRequestsPerSecondMax,
            ] == [11, 12, 13, 14])
        #expect(
            [
                limits.presenceMembersMax, limits.presenceMemberBytesMax, limits.channelNameBytesMax,
                limits.eventChannelsMax,
            ] == [15, 17 * 1_024, 17, 18])
        #expect(
            [
                limits.eventNameCharactersMax, limits.eventDataBytesMax, limits.clientEventBytesMax,
                limits.batchEventsMax,
            ] == [19, 20_480, 20_480, 21])
    }
}
