import BrokerCore
import Testing

@testable import Configuration

@Suite("Variables of other servers") struct ForeignTests {
    struct Row: CustomTestStringConvertible {
        let variable: String, value: String
        /// Option and its printed value, a server option's or one of the only app.
        var effects: [(String, String)] = []
        /// The problem, when there is one.
        var says: String?
        var testDescription: String { "\(variable)=\(value)" }
        init(_ variable: String, _ value: String, _ effects: (String, String)..., says: String? = nil) {
            (self.variable, self.value, self.effects, self.says) = (variable, value, effects, says)
        }
    }

    static let webhook = "[{\"url\": \"http://x\"}]"
    static let single = "not supported here (local); refusing to start single-node by accident"
    static let rows = [
        Row("SOKETI_HOST", "::1", ("host", "\"::1\"")),
        Row("SOKETI_PORT", "7000", ("port", "7000")),
        Row("SOKETI_PATH_PREFIX", "/ws", ("path-prefix", "\"/ws\"")),
        Row("SOKETI_DEBUG", "1", ("log-level", "\"debug\"")),
        Row("SOKETI_DEBUG", "maybe", says: "env SOKETI_DEBUG=maybe: must be 1, 0, true, false, yes, no, on or off"),
        Row("SOKETI_MODE", "server"), Row("SOKETI_MODE", "full"),
        Row(
            "SOKETI_MODE", "worker",
            says:
                "env SOKETI_MODE=worker: not supported here (full, server); refusing to run a process that only sends webhooks"
        ),
        Row("SOKETI_SHUTDOWN_GRACE_PERIOD", "3001", ("shutdown-grace-seconds", "4")),
        Row("SOKETI_HTTP_ACCEPT_TRAFFIC_MEMORY_THRESHOLD", "70", ("memory-threshold-percent", "70")),
        Row("SOKETI_DEFAULT_APP_ENABLED", "true", ("app-enabled", "true")),
        Row("SOKETI_DEFAULT_APP_MAX_CONNS", "5", ("app-connections", "5")),
        Row("SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", "false", ("client-events", "false")),
        Row("SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC", "5", ("backend-events-per-second", "5")),
        Row("SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC", "-1", ("client-events-per-second", "-1")),
        Row("SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC", "5", ("read-requests-per-second", "5")),
        Row("SOKETI_DEFAULT_APP_USER_AUTHENTICATION", "true", ("authorized-connections", "true")),
        Row(
            "SOKETI_DEFAULT_APP_WEBHOOKS", webhook,
            ("webhooks", "[\n  {\n    \"url\": \"http://x/\",\n    \"allowPrivate\": true\n  }\n]")),
        Row("SOKETI_DEFAULT_APP_WEBHOOKS", "[]"),
        Row(
            "SOKETI_DEFAULT_APP_WEBHOOKS", "{",
            says: "env SOKETI_DEFAULT_APP_WEBHOOKS: must be a JSON array of webhooks"),
        Row("SOKETI_USER_AUTHENTICATION_TIMEOUT", "60000", ("authorization-timeout-seconds", "60")),
        Row("SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH", "100", ("channel-name-bytes", "100")),
        Row("SOKETI_CHANNEL_CACHE_TTL", "3600", ("cache-seconds", "3600")),
        Row("SOKETI_EVENT_MAX_CHANNELS_AT_ONCE", "5", ("event-channels", "5")),
        Row("SOKETI_EVENT_MAX_NAME_LENGTH", "5", ("event-name-characters", "5")),
        Row("SOKETI_EVENT_MAX_SIZE_IN_KB", "50", ("event-data-bytes", "51200"), ("client-event-bytes", "51200")),
        Row("SOKETI_EVENT_MAX_SIZE_IN_KB", "0.5", ("event-data-bytes", "512")),
        Row("SOKETI_EVENT_MAX_SIZE_IN_KB", "-1", says: "env SOKETI_EVENT_MAX_SIZE_IN_KB=-1: must be a number"),
        Row(
            "SOKETI_EVENT_MAX_SIZE_IN_KB", "999999999999.999999",
            says:
                "env SOKETI_EVENT_MAX_SIZE_IN_KB=999999999999.999999: must be a whole number from 1 to 67108864, not 1024000000000000"
        ),
        Row("SOKETI_EVENT_MAX_BATCH_SIZE", "5", ("batch-events", "5")),
        Row("SOKETI_PRESENCE_MAX_MEMBERS", "5", ("presence-members", "5")),
        Row("SOKETI_PRESENCE_MAX_MEMBER_SIZE", "3", ("presence-member-bytes", "4096")),
        Row(
            "SOKETI_SSL_CERT", "/c.pem",
            says: "env SOKETI_SSL_CERT: tls.key is missing; a certificate and its key are given together"),
        Row(
            "SOKETI_SSL_KEY", "/k.pem",
            says: "env SOKETI_SSL_KEY: tls.certificate is missing; a certificate and its key are given together"),
        Row("SOKETI_SSL_PASS", "x", says: "env SOKETI_SSL_PASS: warning: " + Unsupported.passphrase),
        Row("SOKETI_SSL_CA", "x", says: "env SOKETI_SSL_CA: warning: " + Unsupported.clientCertificates),
        Row("SOKETI_WEBHOOKS_BATCHING", "true"), Row("SOKETI_WEBHOOKS_BATCHING", "false"),
        Row(
            "SOKETI_WEBHOOKS_BATCHING", "maybe",
            says: "env SOKETI_WEBHOOKS_BATCHING=maybe: must be 1, 0, true, false, yes, no, on or off"),
        Row("SOKETI_WEBHOOKS_BATCHING_DURATION", "50"),
        Row(
            "SOKETI_WEBHOOKS_BATCHING_DURATION", "1e3",
            says:
                "env SOKETI_WEBHOOKS_BATCHING_DURATION=1e3: must be a whole number of milliseconds from 0 to 60000"),
        Row("SOKETI_METRICS_ENABLED", "0", ("metrics-enabled", "false")),
        Row("SOKETI_METRICS_ENABLED", "true", ("metrics-enabled", "true")),
        Row("SOKETI_METRICS_DRIVER", "prometheus"), Row("SOKETI_METRICS_HOST", "::1", ("metrics-host", "\"::1\"")),
        Row("SOKETI_METRICS_SERVER_PORT", "9602", ("metrics-port", "9602")),
        Row("SOKETI_METRICS_PROMETHEUS_PREFIX", "chat_", ("metrics-prefix", "\"chat_\"")),
        Row(
            "SOKETI_METRICS_PROMETHEUS_PREFIX", "9",
            says:
                "env SOKETI_METRICS_PROMETHEUS_PREFIX: metrics.prefix: must be at most 64 of A-Z a-z 0-9 _, and not begin with a digit, not \"9\""
        ),
        Row("SOKETI_ADAPTER_DRIVER", "local"),
        Row("SOKETI_ADAPTER_DRIVER", "cluster", says: "env SOKETI_ADAPTER_DRIVER=cluster: " + single),
        Row("SOKETI_ADAPTER_DRIVER", "redis", says: "env SOKETI_ADAPTER_DRIVER=redis: " + single),
        Row("SOKETI_ADAPTER_DRIVER", "nats", says: "env SOKETI_ADAPTER_DRIVER=nats: " + single),
        Row(
            "SOKETI_APP_MANAGER_DRIVER", "mysql",
            says:
                "env SOKETI_APP_MANAGER_DRIVER=mysql: not supported here (array); refusing to start without those apps"),
        Row(
            "SOKETI_CACHE_DRIVER", "redis",
            says:
                "env SOKETI_CACHE_DRIVER=redis: not supported here (memory); refusing to keep the cache in memory by accident"
        ),
        Row(
            "SOKETI_QUEUE_DRIVER", "sqs",
            says: "env SOKETI_QUEUE_DRIVER=sqs: not supported here (sync); refusing to start without that queue"),
        Row(
            "SOKETI_RATE_LIMITER_DRIVER", "redis",
            says:
                "env SOKETI_RATE_LIMITER_DRIVER=redis: not supported here (local); refusing to limit per process by accident"
        ),
        Row("SOKETI_CORS_ORIGIN", "*", says: "env SOKETI_CORS_ORIGIN: warning: " + Unsupported.cors),
        Row("SOKETI_CORS_ORIGINS", "*", says: "env SOKETI_CORS_ORIGINS: warning: " + Unsupported.cors),
        Row("SOKETI_CORS_ALLOWED_ORIGINS", "*", says: "env SOKETI_CORS_ALLOWED_ORIGINS: warning: " + Unsupported.cors),
        Row("SOKETI_CORS_CREDENTIALS", "false", says: "env SOKETI_CORS_CREDENTIALS: warning: " + Unsupported.cors),
        Row("SOKETI_CORS_METHODS", "GET", says: "env SOKETI_CORS_METHODS: warning: " + Unsupported.cors),
        Row("SOKETI_CORS_ALLOWED_HEADERS", "X", says: "env SOKETI_CORS_ALLOWED_HEADERS: warning: " + Unsupported.cors),
        Row(
            "SOKETI_DB_REDIS_HOSTT", "redis",
            says: "env SOKETI_DB_REDIS_HOSTT: warning: unknown variable; ignored — did you mean SOKETI_DB_REDIS_HOST?"),
        Row("SOKETI_DB_REDIS_HOST", "redis"), Row("SOKETI_CLUSTER_PORT", "11002"),
        Row("SOKETI_SERVICE_HOST", "10.0.0.1"), Row("SOKETI_PORT_6001_TCP_ADDR", "10.0.0.1"),
        Row(
            "SOKETI_DEFALT_APP_ID", "x",
            says: "env SOKETI_DEFALT_APP_ID: warning: unknown variable; ignored — did you mean SOKETI_DEFAULT_APP_ID?"),
        Row("REVERB_SERVER_HOST", "::1", ("host", "\"::1\"")),
        Row("REVERB_SERVER_PORT", "7000", ("port", "7000")),
        Row("REVERB_SERVER_PATH", "ws", ("path-prefix", "\"/ws\"")),
        Row("REVERB_HOST", "ws.example.com", ("public-host", "\"ws.example.com\""), ("port", "8080")),
        Row(
            "REVERB_PORT", "443", ("public-port", "443"), ("port", "8080"),
            says:
                "env REVERB_PORT=443: warning: clients are told port 443, but the broker listens on 8080 (default for REVERB_* variables); a proxy has to lead from one to the other, or set STARLING_PORT=443"
        ),
        Row("REVERB_SCHEME", "https", ("public-scheme", "\"https\"")),
        Row("REVERB_MAX_REQUEST_SIZE", "20000", ("request-body-bytes", "20000"), ("event-data-bytes", "20000")),
        Row(
            "REVERB_APP_MAX_MESSAGE_SIZE", "20000", ("message-bytes", "20000"), ("client-event-bytes", "20000"),
            ("presence-member-bytes", "20000")),
        Row("REVERB_APP_MAX_CONNECTIONS", "5", ("app-connections", "5")),
        Row("REVERB_APP_ACTIVITY_TIMEOUT", "30", ("activity-timeout-seconds", "30")),
        Row("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "members", ("client-events", "true")),
        Row("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "none", ("client-events", "false")),
        Row(
            "REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "me",
            says: "env REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM=me: must be all, members or none"),
        Row("REVERB_APP_PING_INTERVAL", "60"), Row("REVERB_APP_RATE_LIMITING_ENABLED", "false"),
        Row(
            "REVERB_APP_RATE_LIMITING_ENABLED", "true",
            says:
                "env REVERB_APP_RATE_LIMITING_ENABLED: warning: messages are not limited as a whole, only client events (--client-events-per-second); ignored"
        ),
        Row("REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS", "60"), Row("REVERB_APP_RATE_LIMIT_DECAY_SECONDS", "60"),
        Row("REVERB_APP_RATE_LIMIT_TERMINATE", "false"), Row("REVERB_SCALING_ENABLED", "false"),
        Row(
            "REVERB_SCALING_ENABLED", "true",
            says:
                "env REVERB_SCALING_ENABLED: not supported here (one node only); refusing to start single-node by accident"
        ),
        Row("REVERB_SCALING_CHANNEL", "reverb"), Row("REVERB_SERVER", "reverb"),
        Row("REVERB_PULSE_INGEST_INTERVAL", "15"), Row("REVERB_TELESCOPE_INGEST_INTERVAL", "15"),
        Row("PUSHER_HOST", "soketi"), Row("PUSHER_PORT", "6001"), Row("PUSHER_SCHEME", "http"),
        Row("PUSHER_CLUSTER", "mt1"), Row("PUSHER_APP_CLUSTER", "mt1"),
        Row(
            "PUSHER_APP_KEY", "k",
            says: "env PUSHER_APP_KEY: is set but PUSHER_APP_ID is not; an app needs its id, key and secret"),
        Row("PUSHER_URL", "nonsense", says: "env PUSHER_URL: must look like http://KEY:SECRET@HOST:PORT/apps/ID"),
        Row("SOCKUDO_DEFAULT_APP_ENABLED", "true", ("app-enabled", "true")),
        Row("SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS", "5", ("app-connections", "5")),
        Row("SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND", "5", ("client-events-per-second", "5")),
        Row(
            "SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS", "https://a.example, b",
            ("allowed-origins", "[\"https://a.example\", \"b\"]")),
        Row("SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", "false", ("client-events", "false")),
        Row("SOCKUDO_ENABLE_CLIENT_MESSAGES", "false", ("client-events", "false")),
        Row("SOCKUDO_HOST", "x"), Row("SOCKUDO_PORT", "6001"),
    ]

    @Test("each has its effect", arguments: rows) func effect(_ row: Row) throws {
        let result = load(env: [
            row.variable: row.value, "STARLING_HOST": row.effects.contains { $0.0 == "host" } ? "" : "::1",
        ])
        let lines = result.lines.filter { !$0.contains("uses the well-known") && !$0.contains("is never reached") }
        #expect(lines.first == row.says)
        guard case .success(let configuration) = result else { return }
        let app = try #require(configuration.settings.apps.first)
        let draft = AppDraft(app: app, webhooks: app.webhooks.map(WebhookDraft.init))
        for (name, expected) in row.effects {
            let value =
                Loader.serverByName[name]?.field.read(configuration.settings)
                ?? Loader.appByName[name]?.field.read(draft)
            #expect(value?.json().printed() == expected, "\(name)")
            #expect(configuration.settings.isDefaultApp)
        }
    }

    @Test func everyVariableOfEveryTableHasARow() {
        let identity: Set = ["app-id", "app-key", "app-secret"]
        let tested = Set(Self.rows.map(\.variable))
        for (name, effect) in ForeignFamily.all.flatMap(\.variables) where !tested.contains(name) {
            // Identities are tested as whole apps below.
            switch effect {
            case .app(let options, _): #expect(identity.isSuperset(of: options), "\(name)")
            case .ignored: #expect(load(["--host=::1"], env: [name: "x"]).lines == [], "\(name)")
            default: Issue.record("\(name)")
            }
        }
    }

    struct Apps: CustomTestStringConvertible {
        let testDescription: String, env: [String: String], expected: [String]
    }
    static let apps = [
        Apps(
            testDescription: "soketi",
            env: ["SOKETI_DEFAULT_APP_ID": "i", "SOKETI_DEFAULT_APP_KEY": "k", "SOKETI_DEFAULT_APP_SECRET": "s"],
            expected: ["i k s false"]),
        Apps(
            testDescription: "soketi without an id",
            env: ["SOKETI_DEFAULT_APP_KEY": "k", "SOKETI_DEFAULT_APP_SECRET": "s"], expected: ["app-id k s false"]),
        Apps(
            testDescription: "soketi through Sail, empty",
            env: ["SOKETI_DEFAULT_APP_ID": "", "SOKETI_DEFAULT_APP_KEY": "", "SOKETI_DEFAULT_APP_SECRET": ""],
            expected: ["app-id app-key app-secret true"]),
        Apps(
            testDescription: "Reverb", env: ["REVERB_APP_ID": "1", "REVERB_APP_KEY": "k", "REVERB_APP_SECRET": "s"],
            expected: ["1 k s true"]),
        Apps(
            testDescription: "Pusher", env: ["PUSHER_APP_ID": "1", "PUSHER_APP_KEY": "k", "PUSHER_APP_SECRET": "s"],
            expected: ["1 k s false"]),
        Apps(
            testDescription: "Pusher, short names",
            env: ["PUSHER_APP_ID": "1", "PUSHER_KEY": "k", "PUSHER_SECRET": "s"], expected: ["1 k s false"]),
        Apps(testDescription: "URL", env: ["PUSHER_URL": "https://k:s@h:1/apps/9"], expected: ["9 k s false"]),
        Apps(
            testDescription: "sockudo",
            env: ["SOCKUDO_DEFAULT_APP_ID": "1", "SOCKUDO_DEFAULT_APP_KEY": "k", "SOCKUDO_DEFAULT_APP_SECRET": "s"],
            expected: ["1 k s false"]),
        Apps(
            testDescription: "two families, two apps",
            env: [
                "PUSHER_URL": "http://k:s@h/apps/9", "REVERB_APP_ID": "1", "REVERB_APP_KEY": "l",
                "REVERB_APP_SECRET": "t",
            ], expected: ["1 l t true", "9 k s false"]),
        Apps(
            testDescription: "two families, one app",
            env: [
                "PUSHER_URL": "http://k:s@h/apps/9", "SOKETI_DEFAULT_APP_ID": "9", "SOKETI_DEFAULT_APP_KEY": "k",
                "SOKETI_DEFAULT_APP_SECRET": "s", "SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES": "1",
            ], expected: ["9 k s true"]),
        Apps(
            testDescription: "native over foreign",
            env: ["PUSHER_URL": "http://k:s@h/apps/9", "STARLING_APP_KEY": "n"], expected: ["9 n s false"]),
    ]

    @Test("each family names an app", arguments: apps) func namesAnApp(_ row: Apps) throws {
        let apps = try load(env: row.env).get().settings.apps
        #expect(
            apps.map { "\($0.id) \($0.keys[0].key) \($0.keys[0].secret) \($0.clientEventsEnabled)" } == row.expected)
    }

    @Test func familiesThatDisagreeAboutAnAppAreTold() {
        let result = load(env: [
            "PUSHER_URL": "http://k:s@h/apps/9", "REVERB_APP_ID": "9", "REVERB_APP_KEY": "l", "REVERB_APP_SECRET": "t",
        ])
        #expect(
            result.lines == [
                "env PUSHER_URL: the PUSHER_URL app.id: id \"9\" is already taken by the Reverb app (env REVERB_APP_ID)"
            ])
    }
}
