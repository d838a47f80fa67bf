internal import Wire

/// The variables of another server, accepted so that its users change only the image (Pusher protocol, Appendix C).
struct ForeignFamily: Sendable {
    enum Conversion: Sendable {
        case none
        /// Kibibytes, fractions allowed, to bytes.
        case kilobytes
        /// Kibibytes of `user_info`, to bytes of the `channel_data` around it, which has the user's id as well.
        case memberKilobytes
        case megabytes
        /// To whole seconds, rounded up.
        case milliseconds
        /// `all`, `members` or `none`, to a boolean.
        case clientEventSenders
    }

    enum Effect: Sendable {
        case server(String, Conversion = .none)
        /// Options of the family's own app.
        case app([String], Conversion = .none)
        /// Limits that the other server has once for all apps.
        case everyApp([String], Conversion = .none)
        /// A size of the process that is there the only bound for something that has a limit of its own here, in every app.
        case size(server: String, apps: [String])
        /// True means log level `debug`.
        case debug
        /// A choice of which we have these; another one is an error, never a silent downgrade.
        case driver(supported: [String], otherwise: String)
        /// An error when it is set, or set to true.
        case refused(String)
        /// A feature of a later release: one warning when it is set, or set to true.
        case later(String)
        /// The family's own app is told of in this form (`SoketiWebhooks`).
        case webhooks
        /// How soketi puts events of all apps together.
        case batching(SoketiBatching.Part)
        /// One warning that says where this is set here.
        case elsewhere(String)
        /// A URL that is an app of its own; read apart from the rest.
        case wholeApp
        /// Says nothing that we need.
        case ignored
    }

    let name: String
    let prefix: String
    let variables: [(name: String, effect: Effect)]
    /// Its users may leave out the id and then have the built-in one.
    var hasDefaultID = false
    /// What its apps do about client events when it is not said.
    let clientEventsByDefault: Bool
    struct AppDefault: Sendable {
        let option: String
        let value: String
        /// What it is there, in words.
        let why: String
        /// The variable that turns a limit on which has no counterpart here, so that ours has to do.
        let unless: String?

        init(_ option: String, _ value: Int, _ why: String = "no limit", unless: String? = nil) {
            (self.option, self.value, self.why, self.unless) = (option, String(value), why, unless)
        }
    }
    /// What an app may do there when nothing is said, where that is more than here. -1 and the largest numbers stand for
    /// limits that the other server does not have.
    var appDefaults: [AppDefault] = []
    /// One request body when nothing is said.
    var requestBodyBytes = 1_048_576

    static let all = [soketi, reverb, pusher, sockudo]

    static let reverb = ForeignFamily(
        name: "Reverb", prefix: "REVERB_",
        variables: [
            ("REVERB_APP_ID", .app(["app-id"])),
            ("REVERB_APP_KEY", .app(["app-key"])),
            ("REVERB_APP_SECRET", .app(["app-secret"])),
            ("REVERB_SERVER_HOST", .server("host")),
            ("REVERB_SERVER_PORT", .server("port")),
            ("REVERB_SERVER_PATH", .server("path-prefix")),
            ("REVERB_HOST", .server("public-host")),
            ("REVERB_PORT", .server("public-port")),
            ("REVERB_SCHEME", .server("public-scheme")),
            ("REVERB_MAX_REQUEST_SIZE", .size(server: "request-body-bytes", apps: ["event-data-bytes"])),
            (
                "REVERB_APP_MAX_MESSAGE_SIZE",
                .size(server: "message-bytes", apps: ["client-event-bytes", "presence-member-bytes"])
            ),
            ("REVERB_APP_MAX_CONNECTIONS", .app(["app-connections"])),
            ("REVERB_APP_ACTIVITY_TIMEOUT", .app(["activity-timeout-seconds"])),
            ("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", .app(["client-events"], .clientEventSenders)),
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
        clientEventsByDefault: true,
        appDefaults: [
            .init("client-events-per-second", -1, unless: "REVERB_APP_RATE_LIMITING_ENABLED"),
            .init("batch-events", 10_000),
            .init("event-channels", 10_000), .init("channel-name-bytes", 1_000),
            .init("event-name-characters", 1_000), .init("presence-members", 1_000_000),
            .init("presence-member-bytes", 10_000, "one message"), .init("user-id-characters", 1_000),
            .init("channels-per-connection", 1_000_000),
        ], requestBodyBytes: 10_000)

    static let pusher = ForeignFamily(
        name: "Pusher", prefix: "PUSHER_",
        variables: [
            ("PUSHER_APP_ID", .app(["app-id"])),
            ("PUSHER_KEY", .app(["app-key"])),
            ("PUSHER_APP_KEY", .app(["app-key"])),
            ("PUSHER_SECRET", .app(["app-secret"])),
            ("PUSHER_APP_SECRET", .app(["app-secret"])),
            // Where back ends look for the broker, which may be another address than the one it binds.
            ("PUSHER_HOST", .ignored), ("PUSHER_PORT", .ignored), ("PUSHER_SCHEME", .ignored),
            ("PUSHER_CLUSTER", .ignored), ("PUSHER_APP_CLUSTER", .ignored),
            ("PUSHER_URL", .wholeApp),
        ],
        clientEventsByDefault: false)

    static let sockudo = ForeignFamily(
        name: "sockudo", prefix: "SOCKUDO_",
        variables: [
            ("SOCKUDO_DEFAULT_APP_ID", .app(["app-id"])),
            ("SOCKUDO_DEFAULT_APP_KEY", .app(["app-key"])),
            ("SOCKUDO_DEFAULT_APP_SECRET", .app(["app-secret"])),
            ("SOCKUDO_DEFAULT_APP_ENABLED", .app(["app-enabled"])),
            ("SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS", .app(["app-connections"])),
            ("SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND", .app(["client-events-per-second"])),
            ("SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS", .app(["allowed-origins"])),
            ("SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", .app(["client-events"])),
            ("SOCKUDO_ENABLE_CLIENT_MESSAGES", .app(["client-events"])),
            // Names of clients' examples; the server itself reads HOST and PORT.
            ("SOCKUDO_HOST", .ignored), ("SOCKUDO_PORT", .ignored),
        ],
        clientEventsByDefault: false,
        appDefaults: [
            .init("event-data-bytes", 102_400, "100 KiB"), .init("client-event-bytes", 65_536, "one message"),
            .init("client-events-per-second", 100, "100"), .init("presence-member-bytes", 3_072, "2 KiB of user_info"),
            .init("user-id-characters", 1_000), .init("channels-per-connection", 1_000_000),
            .init("cache-seconds", 3_600, "an hour"),
        ], requestBodyBytes: 10 << 20)
}

/// What we say about features of others that we lack.
enum Unsupported {
    static let cors =
        "the HTTP API allows every origin by CORS; which pages may connect is \"allowedOrigins\" of each app (--allowed-origins)"
    static let passphrase =
        "a passphrase is read from a file only: write it into one and set --tls-key-passphrase-file; not taken over"
    static let clientCertificates =
        "clients are not asked for certificates, and a chain belongs into the certificate's own file; not taken over"
}

extension ForeignFamily.Conversion {
    /// Text as the option's own parser takes it, or why that cannot be.
    func apply(_ text: String) -> Result<String, ValueError> {
        switch self {
        case .none: return .success(text)
        case .kilobytes: return scaled(text, by: 1_024)
        case .memberKilobytes: return scaled(text, by: 1_024, plus: 1_024)
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
    private func scaled(
        _ text: String, by factor: Int, over divisor: Int = 1, plus: Int = 0
    ) -> Result<String, ValueError> {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : ""
        let isDecimal = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        // So many digits that no product overflows.
        guard isDecimal, parts[0].utf8.count <= 12, fraction.utf8.count <= 6,
            let whole = Int(parts[0]),
            let millionths = Int(fraction + String(repeating: "0", count: 6 - fraction.utf8.count))
        else { return .failure(ValueError(text: "must be a number")) }
        let rest = (millionths * factor + 999_999) / 1_000_000
        return .success(String((whole * factor + rest + divisor - 1) / divisor + plus))
    }
}

/// `http(s)://KEY:SECRET@HOST[:PORT]/apps/APP_ID`, as Heroku add-ons and server libraries know it.
enum PusherURL {
    static func parse(_ text: String) -> (id: String, key: String, secret: String)? {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return nil }
        let rest = text.dropFirst(scheme.count)
        guard let at = rest.lastIndex(of: "@"), let apps = rest[at...].firstPlace(of: "/apps/") else { return nil }
        let credentials = rest[..<at]
        guard let colon = credentials.firstIndex(of: ":") else { return nil }
        let key = credentials[..<colon]
        let secret = credentials[colon...].dropFirst()
        let id = rest[apps.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard !key.isEmpty, !secret.isEmpty, !id.isEmpty else { return nil }
        return (String(id), String(key), String(secret))
    }
}
