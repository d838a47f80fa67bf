import BrokerCore
import TestSupport
import Testing

@testable import Configuration

@Suite("Nothing that an operator wrote vanishes") struct NothingVanishesTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String, file: String
        /// Begins the only problem, after its place.
        let says: String
        init(_ name: String, _ file: String, _ says: String) {
            (testDescription, self.file, self.says) = (name, file, says)
        }
    }

    static let app = "{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"}"
    static func misplaced(_ path: String) -> String {
        "unknown soketi option \"\(path)\", and apps stand in it; soketi has them in appManager.array.apps"
    }

    static let misplacedApps = [
        Row(
            "one level too high", "{\"port\": 6001, \"appManager\": {\"driver\": \"array\", \"apps\": [\(app)]}}",
            misplaced("appManager.apps")),
        Row(
            "of another name", "{\"debug\": true, \"appManager\": {\"array\": {\"app\": [\(app)]}}}",
            misplaced("appManager.array.app")),
        Row(
            "in snake case", "{\"debug\": true, \"app_manager\": {\"array\": {\"apps\": [\(app)]}}}",
            misplaced("app_manager")),
        Row(
            "one app, not a list", "{\"appManager\": {\"array\": {\"apps\": \(app)}}}",
            "appManager.array.apps: must be an array, not an object"),
        Row(
            "by index", "{\"debug\": true, \"appManager.array.apps.0.key\": \"k\"}",
            misplaced("appManager.array.apps.0.key")),
        Row(
            "in a section of another thing", "{\"metrics\": {\"things\": {\"x\": [\(app)]}}}",
            misplaced("metrics.things")),
        Row(
            "a key and its secret without an id",
            "{\"metrics\": {\"things\": {\"x\": [{\"key\": \"k\", \"secret\": \"s\"}]}}}", misplaced("metrics.things")),
        Row(
            "a list instead of the section", "{\"appManager\": {\"array\": [\(app)]}}",
            "appManager.array: must be an object, not an array"),
        Row(
            "a mistyped section", "{\"appManger\": {\"array\": {\"apps\": [\(app)]}}}",
            "unknown key \"appManger\" — did you mean \"appManager\"?"),
        Row(
            "no app at all", "{\"appManager\": {\"array\": {\"apps\": []}}}",
            "apps: names no app; leave it out to have the built-in one"),
        Row("no app at all, natively", "{\"apps\": []}", "apps: names no app; leave it out to have the built-in one"),
        Row("one app, natively", "{\"app\": \(app)}", "unknown key \"app\" — did you mean \"apps\"?"),
    ]

    /// Each with soketi's `debug`, which makes it a file of soketi.
    static let looseCredentials = [
        "\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"",
        "\"app_id\": \"a\", \"app_key\": \"k\", \"app_secret\": \"s\"",
        "\"appId\": \"a\", \"appKey\": \"k\", \"appSecret\": \"s\"",
        "\"DEFAULT_APP_ID\": \"a\", \"DEFAULT_APP_KEY\": \"k\"",
        "\"SOKETI_DEFAULT_APP_SECRET\": \"s\"",
        "\"appManager\": {\"driver\": \"array\", \"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"}",
        "\"appManager\": {\"array\": {\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"}}",
        "\"appManager.array.key\": \"k\", \"appManager.array.secret\": \"s\"",
        "\"tenant\": {\"key\": \"k\"}",
        "\"tenants\": [{\"secret\": \"s\"}]",
    ]

    @Test(
        "an app whose members stand loose in a soketi file never ends in the built-in one", arguments: looseCredentials)
    func looseMembers(_ members: String) throws {
        let file = "{\"debug\": true, \(members)}"
        let result = load(["--host=::1"], file: file)
        guard case .failure(let failure) = result else { Issue.record("started"); return }
        #expect(failure.exitCode == 78)
        let errors = result.lines.filter { !$0.contains("warning") }
        #expect(
            errors.count == 1
                && errors[0].hasSuffix(
                    ": seems to name an app, but nobody reads it — did you mean appManager.array.apps? "
                        + "The built-in app does not take its place"),
            "\(errors)")
        let imported = try #require(output(["config", "import", "--from=soketi", "f"], ["f": file]))
        #expect(imported.exitCode == 78 && imported.standardOutput.isEmpty)
        // Beside an app that is read, they are told and nothing more.
        let named = file.dropLast() + ", \"appManager.array.apps\": [\(Self.app)]}"
        #expect(!load(["--host=::1"], file: String(named)).lines.contains { !$0.contains("warning") })
    }

    @Test("keys of other things than apps do not name one") func otherKeys() throws {
        for members in ["\"ssl\": {\"key\": \"k\"}", "\"database\": {\"redis\": {\"secret\": \"s\"}}", "\"id\": \"x\""]
        {
            #expect(try load(["--host=::1"], file: "{\"debug\": true, \(members)}").get().settings.isDefaultApp)
        }
    }

    static let soketiNamesInOurFile = [
        ("\"metrics\": {}", "unknown key \"metrics\"; only soketi has it, and a file with \"apps\" is not soketi's"),
        ("\"debug\": true", "unknown key \"debug\"; only soketi has it, and a file with \"apps\" is not soketi's"),
        (
            "\"appManager.driver\": \"array\"",
            "unknown key \"appManager.driver\"; only soketi has it, and a file with \"apps\" is not soketi's"
        ),
        (
            "\"cors\": {\"origin\": [\"*\"]}",
            "unknown key \"cors\"; the HTTP API allows every origin by CORS; which pages may connect is \"allowedOrigins\" of each app (--allowed-origins)"
        ),
        (
            "\"cors.origin\": [\"*\"]",
            "unknown key \"cors.origin\"; the HTTP API allows every origin by CORS; which pages may connect is \"allowedOrigins\" of each app (--allowed-origins)"
        ),
        ("\"apps2\": []", "unknown key \"apps2\" — did you mean \"apps\"?"),
    ]

    @Test("soketi's names in a file of ours are told as what they are", arguments: soketiNamesInOurFile)
    func soketiNames(_ member: String, _ says: String) {
        let lines = load(["--host=::1"], file: "{\"apps\": [\(Self.app)], \(member)}").lines
        #expect(lines.count == 1 && lines[0].hasSuffix(": " + says), "\(lines)")
    }

    @Test("soketi's members of an app lead to ours") func soketiMembers() {
        for (theirs, ours) in [
            ("enableClientMessages", "clientEvents"), ("enable_client_messages", "clientEvents"),
            ("max_connections", "limits.connections"),
        ] {
            let app = Self.app.dropLast() + ", \"\(theirs)\": true}"
            let lines = load(["--host=::1"], file: "{\"apps\": [\(app)]}").lines
            #expect(
                lines.count == 1
                    && lines[0].hasSuffix(": unknown key \"\(theirs)\" in apps[0]; here it is \"\(ours)\""), "\(lines)")
        }
    }

    @Test("a file that names an app never starts the built-in one", arguments: misplacedApps) func neverTheBuiltInOne(
        _ row: Row
    ) throws {
        let lines = load(["--host=::1"], file: row.file).lines
        #expect(lines.count == 1 && lines[0].hasSuffix(": " + row.says), "\(lines)")
        let imported = try #require(output(["config", "import", "--from=soketi", "f"], ["f": row.file]))
        #expect(imported.exitCode == 78 && imported.standardOutput.isEmpty)
    }

    static let halves: [([String: String], String)] = [
        (
            ["STARLING_APP_KEY": "k"],
            "env STARLING_APP_KEY: names an app, but STARLING_APP_SECRET is missing; an app needs a key and its secret"
        ),
        (
            ["STARLING_APP_SECRET": "s"],
            "env STARLING_APP_SECRET: names an app, but STARLING_APP_KEY is missing; an app needs a key and its secret"
        ),
        (
            ["STARLING_APP_ID": "i"],
            "env STARLING_APP_ID: names an app, but STARLING_APP_KEY and STARLING_APP_SECRET are missing; an app needs a key and its secret"
        ),
        (
            ["STARLING_APP_ID": "i", "STARLING_APP_KEY": "k"],
            "env STARLING_APP_ID: names an app, but STARLING_APP_SECRET is missing; an app needs a key and its secret"
        ),
        (
            ["STARLING_APP_KEY": "k", "SOKETI_DEFAULT_APP_MAX_CONNS": "5"],
            "env STARLING_APP_KEY: names an app, but STARLING_APP_SECRET is missing; an app needs a key and its secret"
        ),
        (
            ["SOKETI_DEFAULT_APP_KEY": "k"],
            "env SOKETI_DEFAULT_APP_KEY: is set but SOKETI_DEFAULT_APP_SECRET is not; an app needs its id, key and secret"
        ),
        (
            ["SOKETI_DEFAULT_APP_ID": "i", "SOKETI_EVENT_MAX_BATCH_SIZE": "5"],
            "env SOKETI_DEFAULT_APP_ID: is set but SOKETI_DEFAULT_APP_KEY is not; an app needs its id, key and secret"
        ),
        (
            ["REVERB_APP_KEY": "k", "REVERB_APP_SECRET": "s"],
            "env REVERB_APP_KEY: is set but REVERB_APP_ID is not; an app needs its id, key and secret"
        ),
        (
            ["SOCKUDO_DEFAULT_APP_ID": "i"],
            "env SOCKUDO_DEFAULT_APP_ID: is set but SOCKUDO_DEFAULT_APP_KEY is not; an app needs its id, key and secret"
        ),
        (
            ["SOKETI_DEFALT_APP_KEY": "k"],
            "env SOKETI_DEFALT_APP_KEY: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["STARLING_APP_KEE": "k", "SOKETI_DEBUG": "1", "SOKETI_EVENT_MAX_BATCH_SIZE": "5"],
            "env STARLING_APP_KEE: seems to name an app, but nobody reads it — did you mean STARLING_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["SOKETI_APP_KEY": "k"],
            "env SOKETI_APP_KEY: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["SOKETI_APP_ID": "i", "SOKETI_APP_SECRET": "s"],
            "env SOKETI_APP_ID: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_ID? The built-in app does not take its place"
        ),
        (
            ["REVERB_SECRET": "s"],
            "env REVERB_SECRET: seems to name an app, but nobody reads it — did you mean REVERB_APP_SECRET? The built-in app does not take its place"
        ),
        (
            ["STARLING_KEY": "k"],
            "env STARLING_KEY: seems to name an app, but nobody reads it — did you mean STARLING_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["SOCKUDO_APP_KEY": "k"],
            "env SOCKUDO_APP_KEY: seems to name an app, but nobody reads it — did you mean SOCKUDO_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["SOKETI_APP_MANAGER_ARRAY_APPS": "[]"],
            "env SOKETI_APP_MANAGER_ARRAY_APPS: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["DEFAULT_APP_KEY": "k"],
            "env DEFAULT_APP_KEY: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
    ]

    @Test("half an app is an error", arguments: halves) func halfAnApp(_ env: [String: String], _ expected: String) {
        let result = load(["--host=::1"], env: env)
        guard case .failure(let failure) = result else { Issue.record("started"); return }
        #expect(failure.exitCode == 78)
        #expect(result.lines.filter { !$0.contains("warning") } == [expected])
        // The built-in app has not taken its place: nothing is said about that one's credentials.
        let strict = load(["--host=::1", "--production"], env: env)
        #expect(strict.lines.filter { !$0.contains("warning") } == [expected])
    }

    @Test func aKeyWithItsSecretIsEnough() throws {
        for env in [["STARLING_APP_KEY": "k", "STARLING_APP_SECRET": "s"], ["STARLING_APP_KEYS": "k:s"]] {
            let settings = try load(["--production"], env: env).get().settings
            #expect(
                settings.apps.map(\.id) == ["app-id"] && settings.apps.first?.keys == [.init(key: "k", secret: "s")])
            #expect(!settings.isDefaultApp && !settings.usesWellKnownCredentials)
        }
        #expect(
            load(["--app-id", "7"]).lines.first
                == "flag --app-id: names an app, but STARLING_APP_KEY and STARLING_APP_SECRET are missing; an app needs a key and its secret"
        )
        // Another app's name may be mistyped beside one that is whole.
        #expect((try? load(env: ["DEFAULT_APP_KEY": "x", "STARLING_APP_KEYS": "k:s"]).get()) != nil)
    }

    // MARK: Unknown keys

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
        Row(
            "in a section", "{\"metrics\": {\"prefx\": 1}}",
            "warning: unknown soketi option \"metrics.prefx\"; not taken over"),
        Row(
            "deep down", "{\"metrics\": {\"prometheus\": {\"prefx\": 1}}}",
            "warning: unknown soketi option \"metrics.prometheus.prefx\"; not taken over — did you mean \"metrics.prometheus.prefix\"?"
        ),
        Row(
            "dotted", "{\"eventLimits.maxPayloadInKB\": 1}",
            "warning: unknown soketi option \"eventLimits.maxPayloadInKB\"; not taken over — did you mean \"eventLimits.maxPayloadInKb\"?"
        ),
        Row("cors", "{\"cors\": {\"origin\": [\"https://a\"]}}", "warning: cors.origin: " + Unsupported.cors),
        Row("cors, any part", "{\"cors\": {\"credentials\": false}}", "warning: cors.credentials: " + Unsupported.cors),
        Row("dotted cors", "{\"cors.allowedHeaders\": [\"X\"]}", "warning: cors.allowedHeaders: " + Unsupported.cors),
        Row(
            "options of a library", "{\"queue\": {\"redis\": {\"redisOptions\": {\"x\": 1}}}}",
            "warning: queue.redis.redisOptions: has no effect here"),
        Row("an object for a value", "{\"metrics\": {\"port\": {}}}", "metrics.port: cannot be an object"),
        Row("a value for an object", "{\"metrics\": true}", "metrics: must be an object, not a boolean"),
        Row(
            "dotted and nested", "{\"metrics\": {\"port\": 1}, \"metrics.port\": 2}",
            "\"metrics.port\" is given twice; the first is at config.json:1:14"),
        Row(
            "in an app",
            "{\"appManager.array.apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"maxConections\": 1}]}",
            "warning: unknown soketi option \"appManager.array.apps[0].maxConections\"; not taken over — did you mean \"maxConnections\"?"
        ),
        Row(
            "two spellings",
            "{\"appManager.array.apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"maxConnections\": 1, \"max_connections\": 2}]}",
            "appManager.array.apps[0].max_connections says the same as \"maxConnections\" (config.json:1:67); give one of them"
        ),
    ]

    @Test("is told with its place and the nearest name", arguments: unknown) func isTold(_ row: Row) {
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
