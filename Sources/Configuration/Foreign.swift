/// The variables of another server, accepted so that its users change only the image (Pusher protocol, Appendix C).
struct ForeignFamily: Sendable {
    enum Conversion: Sendable {
        case none
        /// Kibibytes, fractions allowed, to bytes.
        case kilobytes
        case megabytes
        /// To whole seconds, rounded up.
        case milliseconds
        /// `all`, `members` or `none`, to a boolean.
        case clientEventSenders
    }

    enum Effect: Sendable {
        case server(String, Conversion = .none)
        /// An option of the family's own app.
        case app(String, Conversion = .none)
        /// Limits that the other server has once for all apps.
        case everyApp([String], Conversion = .none)
        /// True means log level `debug`.
        case debug
        /// A choice of which we have these; another one is an error, never a silent downgrade.
        case driver(supported: [String], otherwise: String)
        /// An error when it is set, or set to true.
        case refused(String)
        /// A feature of a later release: one warning when it is set, or set to true.
        case later(String)
        case webhooks
        /// A URL that is an app of its own; read apart from the rest.
        case wholeApp
        /// Says nothing that we need.
        case ignored
    }

    let name: String
    let prefix: String
    let variables: [(name: String, effect: Effect)]
    /// Details of things that another variable turns on.
    var ignoredPrefixes: [String] = []
    /// What its users have when they leave out a part of the identity; `nil`: all three parts are needed.
    var identity: AppDraft?
    /// What its apps do about client events when it is not said.
    let clientEventsByDefault: Bool

    static let all = [soketi, reverb, pusher, sockudo]

    static let soketi = ForeignFamily(
        name: "soketi", prefix: "SOKETI_",
        variables: [
            ("SOKETI_HOST", .server("host")),
            ("SOKETI_PORT", .server("port")),
            ("SOKETI_PATH_PREFIX", .server("path-prefix")),
            ("SOKETI_DEBUG", .debug),
            (
                "SOKETI_MODE",
                .driver(supported: ["full", "server"], otherwise: "to run a process that only sends webhooks")
            ),
            ("SOKETI_SHUTDOWN_GRACE_PERIOD", .server("shutdown-grace-seconds", .milliseconds)),
            ("SOKETI_HTTP_ACCEPT_TRAFFIC_MEMORY_THRESHOLD", .server("memory-threshold-percent")),
            ("SOKETI_DEFAULT_APP_ID", .app("app-id")),
            ("SOKETI_DEFAULT_APP_KEY", .app("app-key")),
            ("SOKETI_DEFAULT_APP_SECRET", .app("app-secret")),
            ("SOKETI_DEFAULT_APP_ENABLED", .app("app-enabled")),
            ("SOKETI_DEFAULT_APP_MAX_CONNS", .app("app-connections")),
            ("SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", .app("client-events")),
            ("SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC", .app("backend-events-per-second")),
            ("SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC", .app("client-events-per-second")),
            ("SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC", .app("read-requests-per-second")),
            ("SOKETI_DEFAULT_APP_USER_AUTHENTICATION", .app("authorized-connections")),
            ("SOKETI_DEFAULT_APP_WEBHOOKS", .webhooks),
            ("SOKETI_USER_AUTHENTICATION_TIMEOUT", .everyApp(["authorization-timeout-seconds"], .milliseconds)),
            ("SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH", .everyApp(["channel-name-bytes"])),
            ("SOKETI_CHANNEL_CACHE_TTL", .everyApp(["cache-seconds"])),
            ("SOKETI_EVENT_MAX_CHANNELS_AT_ONCE", .everyApp(["event-channels"])),
            ("SOKETI_EVENT_MAX_NAME_LENGTH", .everyApp(["event-name-characters"])),
            ("SOKETI_EVENT_MAX_SIZE_IN_KB", .everyApp(["event-data-bytes", "client-event-bytes"], .kilobytes)),
            ("SOKETI_EVENT_MAX_BATCH_SIZE", .everyApp(["batch-events"])),
            ("SOKETI_PRESENCE_MAX_MEMBERS", .everyApp(["presence-members"])),
            ("SOKETI_PRESENCE_MAX_MEMBER_SIZE", .everyApp(["presence-member-bytes"], .kilobytes)),
            ("SOKETI_SSL_CERT", .refused(Unsupported.tls)),
            ("SOKETI_SSL_KEY", .refused(Unsupported.tls)),
            ("SOKETI_SSL_PASS", .ignored),
            ("SOKETI_SSL_CA", .ignored),
            ("SOKETI_WEBHOOKS_BATCHING", .later("webhooks come in a later release")),
            ("SOKETI_WEBHOOKS_BATCHING_DURATION", .ignored),
            ("SOKETI_METRICS_ENABLED", .later("the separate metrics port comes in a later release")),
            ("SOKETI_METRICS_DRIVER", .ignored),
            ("SOKETI_METRICS_HOST", .ignored),
            ("SOKETI_METRICS_SERVER_PORT", .ignored),
            ("SOKETI_METRICS_PROMETHEUS_PREFIX", .ignored),
            ("SOKETI_ADAPTER_DRIVER", .driver(supported: ["local"], otherwise: "to start single-node by accident")),
            ("SOKETI_APP_MANAGER_DRIVER", .driver(supported: ["array"], otherwise: "to start without those apps")),
            (
                "SOKETI_CACHE_DRIVER",
                .driver(supported: ["memory"], otherwise: "to keep the cache in memory by accident")
            ),
            ("SOKETI_QUEUE_DRIVER", .driver(supported: ["sync"], otherwise: "to start without that queue")),
            (
                "SOKETI_RATE_LIMITER_DRIVER",
                .driver(supported: ["local"], otherwise: "to limit per process by accident")
            ),
        ],
        ignoredPrefixes: [
            "SOKETI_ADAPTER_REDIS_", "SOKETI_ADAPTER_NATS_", "SOKETI_ADAPTER_CLUSTER_", "SOKETI_APP_MANAGER_",
            "SOKETI_CLUSTER_", "SOKETI_CORS_", "SOKETI_DB_", "SOKETI_QUEUE_", "SOKETI_RATE_LIMITER_", "SOKETI_CACHE_",
            "SOKETI_HTTP_",
        ],
        identity: .builtIn, clientEventsByDefault: false)

    static let reverb = ForeignFamily(
        name: "Reverb", prefix: "REVERB_",
        variables: [
            ("REVERB_APP_ID", .app("app-id")),
            ("REVERB_APP_KEY", .app("app-key")),
            ("REVERB_APP_SECRET", .app("app-secret")),
            ("REVERB_SERVER_HOST", .server("host")),
            ("REVERB_SERVER_PORT", .server("port")),
            ("REVERB_SERVER_PATH", .server("path-prefix")),
            ("REVERB_HOST", .server("public-host")),
            ("REVERB_PORT", .server("public-port")),
            ("REVERB_SCHEME", .server("public-scheme")),
            ("REVERB_MAX_REQUEST_SIZE", .server("request-body-bytes")),
            ("REVERB_APP_MAX_MESSAGE_SIZE", .server("message-bytes")),
            ("REVERB_APP_MAX_CONNECTIONS", .app("app-connections")),
            ("REVERB_APP_ACTIVITY_TIMEOUT", .app("activity-timeout-seconds")),
            ("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", .app("client-events", .clientEventSenders)),
            ("REVERB_APP_PING_INTERVAL", .ignored),
            (
                "REVERB_APP_RATE_LIMITING_ENABLED",
                .later("messages are not limited as a whole, only client events (--client-events-per-second)")
            ),
            ("REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS", .ignored),
            ("REVERB_APP_RATE_LIMIT_DECAY_SECONDS", .ignored),
            ("REVERB_APP_RATE_LIMIT_TERMINATE", .ignored),
            (
                "REVERB_SCALING_ENABLED",
                .refused("not supported here (one node only); refusing to start single-node by accident")
            ),
            ("REVERB_SCALING_CHANNEL", .ignored),
            ("REVERB_SERVER", .ignored),
            ("REVERB_PULSE_INGEST_INTERVAL", .ignored),
            ("REVERB_TELESCOPE_INGEST_INTERVAL", .ignored),
        ],
        clientEventsByDefault: true)

    static let pusher = ForeignFamily(
        name: "Pusher", prefix: "PUSHER_",
        variables: [
            ("PUSHER_APP_ID", .app("app-id")),
            ("PUSHER_KEY", .app("app-key")),
            ("PUSHER_APP_KEY", .app("app-key")),
            ("PUSHER_SECRET", .app("app-secret")),
            ("PUSHER_APP_SECRET", .app("app-secret")),
            // Where back ends look for the broker, which may be another address than the one it binds.
            ("PUSHER_HOST", .ignored), ("PUSHER_PORT", .ignored), ("PUSHER_SCHEME", .ignored),
            ("PUSHER_CLUSTER", .ignored), ("PUSHER_APP_CLUSTER", .ignored),
            ("PUSHER_URL", .wholeApp),
        ],
        clientEventsByDefault: false)

    static let sockudo = ForeignFamily(
        name: "sockudo", prefix: "SOCKUDO_",
        variables: [
            ("SOCKUDO_DEFAULT_APP_ID", .app("app-id")),
            ("SOCKUDO_DEFAULT_APP_KEY", .app("app-key")),
            ("SOCKUDO_DEFAULT_APP_SECRET", .app("app-secret")),
            ("SOCKUDO_DEFAULT_APP_ENABLED", .app("app-enabled")),
            ("SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS", .app("app-connections")),
            ("SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND", .app("client-events-per-second")),
            ("SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS", .app("allowed-origins")),
            ("SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", .app("client-events")),
            ("SOCKUDO_ENABLE_CLIENT_MESSAGES", .app("client-events")),
            // Names of clients' examples; the server itself reads HOST and PORT.
            ("SOCKUDO_HOST", .ignored), ("SOCKUDO_PORT", .ignored),
        ],
        clientEventsByDefault: false)
}

/// What we say about features of others that we lack.
enum Unsupported {
    static let tls = "TLS is not supported here; put a TLS proxy in front, set --trust-proxy, and unset this"
}

extension ForeignFamily.Conversion {
    /// Text as the option's own parser takes it, or why that cannot be.
    func apply(_ text: String) -> Result<String, ValueError> {
        switch self {
        case .none: return .success(text)
        case .kilobytes: return scaled(text, by: 1_024)
        case .megabytes: return scaled(text, by: 1_048_576)
        case .milliseconds: return scaled(text, by: 1, over: 1_000)
        case .clientEventSenders:
            switch text.lowercased() {
            case "all", "members": return .success("true")
            case "none": return .success("false")
            default: return .failure(ValueError(text: "must be all, members or none"))
            }
        }
    }

    /// A decimal number times a factor, rounded up. Integers only: Double's rounding would need libm.
    private func scaled(_ text: String, by factor: Int, over divisor: Int = 1) -> Result<String, ValueError> {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : ""
        let isDecimal = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        // So many digits that no product overflows.
        guard isDecimal, parts[0].utf8.count <= 12, fraction.utf8.count <= 6,
            let whole = Int(parts[0]),
            let millionths = Int(fraction + String(repeating: "0", count: 6 - fraction.utf8.count))
        else { return .failure(ValueError(text: "must be a number")) }
        let rest = (millionths * factor + 999_999) / 1_000_000
        return .success(String((whole * factor + rest + divisor - 1) / divisor))
    }
}

/// `http(s)://KEY:SECRET@HOST[:PORT]/apps/APP_ID`, as Heroku add-ons and server libraries know it.
enum PusherURL {
    static func parse(_ text: String) -> (id: String, key: String, secret: String)? {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return nil }
        let rest = text.dropFirst(scheme.count)
        guard let at = rest.lastIndex(of: "@"), let apps = rest[at...].firstRange(of: "/apps/") else { return nil }
        let credentials = rest[..<at]
        guard let colon = credentials.firstIndex(of: ":") else { return nil }
        let key = credentials[..<colon]
        let secret = credentials[colon...].dropFirst()
        let id = rest[apps.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard !key.isEmpty, !secret.isEmpty, !id.isEmpty else { return nil }
        return (String(id), String(key), String(secret))
    }
}
