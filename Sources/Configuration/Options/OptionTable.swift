import BrokerCore

/// Under which heading an option is listed.
enum OptionGroup: String, Sendable, CaseIterable {
    case listener = "Listener"
    case tls = "TLS"
    case metrics = "Metrics"
    case process = "Process"
    case limits = "Limits of the process"
    case publicAddress = "Public address (printed snippets only)"
    case identity = "App: identity"
    case features = "App: features"
    case appLimits = "App: limits"

    var isOfApp: Bool { [.identity, .features, .appLimits].contains(self) }

    /// The groups that some option is in, with their options in the order of the table.
    static func sorted<Settings>(_ options: [Option<Settings>]) -> [(group: OptionGroup, options: [Option<Settings>])] {
        allCases.compactMap { group in
            let members = options.filter { $0.group == group }
            return members.isEmpty ? nil : (group, members)
        }
    }
}

/// One row of the table from which flags, variables, the file's keys, `--help`, `config show` and the reference page
/// come.
struct Option<Settings: Sendable>: Sendable {
    /// Kebab-case: `path-prefix` is the flag `--path-prefix` and the variable `STARLING_PATH_PREFIX`.
    let name: String
    /// The member in the file; `limits.x` stands one level down.
    let key: String
    let field: Field<Settings>
    let group: OptionGroup
    var unit = ""
    var shortFlag: Character?
    /// A running server goes over to another value (`ServerSettings.reloading`); all options of apps do.
    var isReloadable = false
    let help: String

    /// What the key stands under: `tls` for `tls.port`, `nil` at the top. `member` is its name there.
    var section: String? { key.contains(".") ? String(key.prefix { $0 != "." }) : nil }
    var member: String { section.map { String(key.dropFirst($0.count + 1)) } ?? key }
    var flag: String { "--" + name }
    var variable: String { "STARLING_" + name.screaming }
    /// Names a file that holds the value, for secrets.
    var fileVariable: String { variable + "_FILE" }
}

extension String {
    /// `path-prefix` → `PATH_PREFIX`.
    var screaming: String { String(map { $0 == "-" ? "_" : Character($0.uppercased()) }) }
}

extension Option where Settings == ServerSettings {
    /// The options of the whole process, in the order of the reference page.
    static let server: [Option] =
        [
            .init(
                name: "host", key: "host", field: .texts(\.hosts, of: .host), group: .listener,
                help:
                    "Addresses to listen on, also several; auto: 127.0.0.1 and ::1 while the built-in app is in use outside a "
                    + "container, otherwise :: (IPv6 and IPv4). unix:/PATH, or unix:/PATH?mode=0660 (so unless said), is a Unix "
                    + "socket, for a proxy on this machine; trustProxy counts its peers as loopback"),
            .init(
                name: "port", key: "port", field: .integer(\.port, 0...65_535), group: .listener, shortFlag: "p",
                help: "TCP port; 0 picks a free one"),
            .init(
                name: "path-prefix", key: "pathPrefix", field: .text(\.pathPrefix), group: .listener,
                isReloadable: true, help: "Stands before /app/… and /apps/… (pusher-js: wsPath)"),
            .init(
                name: "trust-proxy", key: "trustProxy", field: .networks(\.trustedProxies), group: .listener,
                isReloadable: true,
                help:
                    "Believe what a proxy in front says of its client: X-Forwarded-Proto, Forwarded, X-Forwarded-Ssl, "
                    + "X-Forwarded-Scheme; for the log also X-Forwarded-For. A list, such as =10.0.0.0/8,loopback "
                    + "(or private, linklocal), believes the proxies of those networks only, also behind one another"
            ),
            .init(
                name: "proxy-protocol", key: "proxyProtocol", field: .boolean(\.wantsProxyHeader), group: .listener,
                help:
                    "Every connection from the networks of trustProxy must begin with a PROXY header, version 1 or 2 "
                    + "(HAProxy: send-proxy-v2, nginx: proxy_protocol on); the address it tells is the client's. "
                    + "What others send is never taken for one. The metrics' listener wants none"),
        ] + tls + metrics + process

    private static let tls: [Option] = [
        .init(
            name: "tls-certificate", key: "tls.certificate", field: .text(\.tls.standard.certificate), group: .tls,
            isReloadable: true, help: "File with the certificate and its chain, in PEM; turns TLS on"),
        .init(
            name: "tls-key", key: "tls.key", field: .text(\.tls.standard.key), group: .tls, isReloadable: true,
            help: "File with its private key, in PEM"),
        .init(
            name: "tls-key-passphrase-file", key: "tls.keyPassphraseFile",
            field: .text(\.tls.standard.keyPassphraseFile), group: .tls, isReloadable: true,
            help: "File whose first line decrypts the key"),
        .init(
            name: "tls-certificates", key: "tls.certificates", field: .certificates(\.tls.further), group: .tls,
            isReloadable: true,
            help: "Further pairs, chosen by the host that a client asks for (as text: certificate:key,…)"),
        .init(
            name: "tls-port", key: "tls.port", field: .integer(\.tls.portNumber, -1...65_535), group: .tls,
            help: "Port that has TLS alone; -1: the other port serves both, 0 picks a free one"),
        .init(
            name: "tls-only", key: "tls.only", field: .boolean(\.tls.isOnly), group: .tls,
            help: "Answer plain HTTP with a sentence and nothing else"),
    ]

    private static let metrics: [Option] = [
        .init(
            name: "metrics-enabled", key: "metrics.enabled", field: .boolean(\.metrics.isEnabled), group: .metrics,
            help: "Serve /metrics for Prometheus on a listener of its own; also /usage, /ready, /live and /up"),
        .init(
            name: "metrics-host", key: "metrics.host", field: .text(\.metrics.host), group: .metrics,
            help: "Its address; another than this machine's own wants a token or a firewall"),
        .init(
            name: "metrics-port", key: "metrics.port", field: .integer(\.metrics.port, 0...65_535), group: .metrics,
            help:
                "Its port; 0 picks a free one. When nothing is said and the port is taken, a warning is all that happens"
        ),
        .init(
            name: "metrics-token", key: "metrics.token", field: .secret(\.metrics.token), group: .metrics,
            isReloadable: true,
            help:
                "Whoever asks for /metrics or /usage there must send Authorization: Bearer with it; empty: nobody must"),
        .init(
            name: "metrics-prefix", key: "metrics.prefix", field: .text(\.metrics.prefix), group: .metrics,
            isReloadable: true, help: "Stands before the names of the metrics that are soketi's"),
        .init(
            name: "metrics-apps", key: "metrics.apps", field: .integer(\.metrics.appsMax, 0...10_000), group: .metrics,
            isReloadable: true,
            help: "Apps that have metrics of their own, the first in the file; the rest is summed up as \"other apps\""),
    ]

    private static let process: [Option] = [
        .init(
            name: "loops", key: "loops", field: .integer(\.loops, 0...64), group: .process, unit: "threads",
            help: "Event loop threads; 0: one per core"),
        .init(
            name: "production", key: "production", field: .boolean(\.isProduction), group: .process,
            isReloadable: true,
            help: "Refuse the well-known credentials; tell callers less in refusals (the log says all)"),
        .init(
            name: "log-level", key: "logLevel", field: .words(\.logLevel), group: .process,
            isReloadable: true, help: "How much to log"),
        .init(
            name: "log-format", key: "logFormat", field: .words(\.logFormat), group: .process, isReloadable: true,
            help: "A line is logfmt, or one JSON object with the same fields"),
        .init(
            name: "refusal-lines-per-second", key: "refusalLinesPerSecond",
            field: .integer(\.refusalLinesPerSecond, 0...1_000), group: .process, unit: "lines",
            help:
                "Refusals of one kind that are logged in a second, the same one once; the rest is counted (suppressed=)"
        ),
        .init(
            name: "core-files", key: "coreFiles", field: .boolean(\.allowsCoreFiles), group: .process,
            help: "Let a crash leave a core file (ulimit -c), with all secrets in it; otherwise the limit becomes 0"),
        .init(
            name: "ready-file", key: "readyFile", field: .text(\.readyFile), group: .process,
            help: "File that gets one JSON line when the broker listens"),
        .init(
            name: "takeover", key: "takeover", field: .boolean(\.takeover.isWanted), group: .process,
            help:
                "Take over the listeners of the process that serves now, which then sends its clients away and ends; when there is "
                + "none, start as ever"),
        .init(
            name: "takeover-socket", key: "takeoverSocket", field: .text(\.takeover.socket), group: .process,
            help:
                "Unix socket where this process hands its listeners to the next one of the same user; auto: by the port, in "
                + "$RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR or /tmp/starling-UID, and none with port 0; none: nowhere"),
        .init(
            name: "shutdown-grace-seconds", key: "shutdownGraceSeconds",
            field: .integer(\.shutdownGraceSeconds, 0...3_600), group: .process, unit: "seconds",
            isReloadable: true,
            help: "Time over which connections are closed at the end, and those of an app that was removed or disabled"),
        .init(
            name: "drain-delay-seconds", key: "drainDelaySeconds",
            field: .integer(\.drainDelaySeconds, 0...3_600), group: .process, unit: "seconds",
            isReloadable: true,
            help: "How long /ready fails, and nothing else, before clients are sent away and the listeners close"),
        .init(
            name: "pong-timeout-seconds", key: "pongTimeoutSeconds",
            field: .integer(\.pongTimeoutSeconds, 1...300), group: .limits, unit: "seconds",
            isReloadable: true, help: "A silent client is pinged, and closed with 4201 when it stays silent so long"),
        .init(
            name: "memory-threshold-percent", key: "memoryThresholdPercent",
            field: .integer(\.memoryThresholdPercent, 1...100), group: .process, unit: "percent",
            isReloadable: true, help: "/accept-traffic answers 500 above this share of the memory limit"),
        .init(
            name: "memory-limit", key: "memory.limit", field: .memory(\.memoryLimit), group: .limits,
            isReloadable: true,
            help:
                "Bytes of memory, or a share of what the control group or machine has; above it the largest backlogs are closed, "
                + "new clients (4100) and API calls (503) refused; off: never"),
        .init(
            name: "connections", key: "connections", field: .limit(\.connectionsMax, 1...10_000_000), group: .limits,
            help: "WebSocket connections of all apps together"),
        .init(
            name: "connections-per-address", key: "connectionsPerAddress",
            field: .limit(\.connectionsPerAddressMax, 1...10_000_000), group: .limits, isReloadable: true,
            help:
                "Open connections of one address (of IPv6: of a /64); above it 4100 or 429. Of a trusted proxy its WebSocket "
                + "clients are counted, each by its own address; connections of signed API calls are not"),
        .init(
            name: "connections-per-address-per-second", key: "connectionsPerAddressPerSecond",
            field: .limit(\.connectionsPerAddressPerSecondMax, 1...1_000_000), group: .limits, isReloadable: true,
            help: "Its new connections in a second, counted in the same way; above it 4100 or 429"),
        .init(
            name: "api-reserve", key: "apiReserve", field: .integer(\.apiReserve, 0...65_536), group: .limits,
            unit: "descriptors", help: "Descriptors kept free for the HTTP API"),
        .init(
            name: "backlog-bytes", key: "backlogBytes", field: .integer(\.backlogBytesMax, 4_096...1_073_741_824),
            group: .limits, unit: "bytes",
            help:
                "Unsent bytes one connection may have before it is closed (4100); never less than two of the largest requests send it"
        ),
        .init(
            name: "backlog-total-bytes", key: "backlogTotalBytes",
            field: .integer(\.backlogTotalBytesMax, 1_048_576...1_099_511_627_776), group: .limits, unit: "bytes",
            help: "Memory for the unsent bytes of all connections together; above it the largest are closed (4100)"),
        .init(
            name: "message-bytes", key: "messageBytes", field: .integer(\.messageBytesMax, 512...134_217_728),
            group: .limits, unit: "bytes", help: "One inbound WebSocket message"),
        .init(
            name: "request-body-bytes", key: "requestBodyBytes",
            field: .integer(\.requestBodyBytesMax, 512...134_217_728), group: .limits, unit: "bytes",
            help: "Body of one HTTP request"),
        .init(
            name: "input-total-bytes", key: "inputTotalBytes",
            field: .integer(\.inputTotalBytesMax, 1_048_576...1_099_511_627_776), group: .limits, unit: "bytes",
            help: "Requests and messages of all connections that are not whole yet; above it 503 or 4100"),
        .init(
            name: "request-head-bytes", key: "requestHeadBytes",
            field: .integer(\.requestHeadBytesMax, 1_024...65_536), group: .limits, unit: "bytes",
            help: "Request line and headers of one HTTP request"),
        .init(
            name: "keep-alive-seconds", key: "keepAliveSeconds",
            field: .integer(\.keepAliveSeconds, 1...86_400), group: .limits, unit: "seconds",
            isReloadable: true,
            help: "A connection without a request is closed; longer than a proxy or client keeps it idle"),
        .init(
            name: "public-host", key: "publicHost", field: .text(\.publicAddress.host), group: .publicAddress,
            isReloadable: true, help: "Host under which clients reach the broker"),
        .init(
            name: "public-port", key: "publicPort", field: .integer(\.publicAddress.port, 0...65_535),
            group: .publicAddress, isReloadable: true, help: "Its port; 0: the port that was bound"),
        .init(
            name: "public-scheme", key: "publicScheme", field: .words(\.publicAddress.scheme), group: .publicAddress,
            isReloadable: true, help: "Its scheme"),
    ]
}

extension Option where Settings == AppDraft {
    /// The options of one app: members of `apps[]`, and flags and variables of the single app.
    static let app: [Option] =
        [
            .init(
                name: "app-id", key: "id", field: .text(\.app.id), group: .identity,
                help: "Id in HTTP paths, /apps/{id}/…"),
            .init(
                name: "app-aliases", key: "aliases", field: .list(\.app.aliases, of: .identifier), group: .identity,
                help: "Other ids of the same app; some libraries accept only digits"),
            .init(
                name: "app-key", key: "key", field: .text(\.key), group: .identity,
                help: "Public key, /app/{key}"),
            .init(
                name: "app-secret", key: "secret", field: .secret(\.secret), group: .identity,
                help: "Secret that signs requests and subscriptions"),
            .init(
                name: "app-keys", key: "keys", field: .keys(\.moreKeys), group: .identity,
                help: "Further pairs of key and secret, for rotation (as text: key:secret,…)"),
            .init(
                name: "app-enabled", key: "enabled", field: .boolean(\.app.isEnabled), group: .identity,
                help: "A disabled app refuses everything"),
            .init(
                name: "client-events", key: "clientEvents", field: .boolean(\.app.clientEventsEnabled),
                group: .features,
                help: "Clients may send client-… events; on for the built-in app and for apps of Reverb"),
            .init(
                name: "subscription-count", key: "subscriptionCount", field: .boolean(\.app.subscriptionCountEnabled),
                group: .features, help: "Send subscription_count events"),
            .init(
                name: "watchlist", key: "watchlist", field: .boolean(\.app.watchlistEnabled), group: .features,
                help: "Tell signed-in users who of their watchlist is online"),
            .init(
                name: "require-tls", key: "requireTLS", field: .boolean(\.app.requiresTLS), group: .features,
                help: "Refuse plaintext connections (4000)"),
            .init(
                name: "strict-protocol", key: "strictProtocol", field: .boolean(\.app.isProtocolStrict),
                group: .features,
                help: "Refuse connections without ?protocol= (4008)"),
            .init(
                name: "allowed-origins", key: "allowedOrigins", field: .list(\.app.allowedOrigins, of: .origin),
                group: .features,
                help: "Pages that may connect: https://HOST[:PORT], HOST or *.HOST; empty or *: all"),
            .init(
                name: "authorized-connections", key: "authorizedConnections",
                field: .boolean(\.app.authorizedConnectionsRequired), group: .features,
                help: "Close connections that neither sign in nor join a private channel"),
            .init(
                name: "authorization-timeout-seconds", key: "authorizationTimeoutSeconds",
                field: .integer(\.app.authorizationTimeoutSeconds, 1...3_600), group: .features, unit: "seconds",
                help: "How long they may take"),
            .init(
                name: "subscription-errors", key: "subscriptionErrors", field: .words(\.app.subscriptionErrors),
                group: .features, help: "How a refused subscription is reported"),
            .init(
                name: "quota-code", key: "quotaCode", field: .numbers(\.app.quotaCode, [4004, 4100]), group: .features,
                help: "Close code over quota: 4004 clients give up, 4100 they come back"),
            .init(
                name: "activity-timeout-seconds", key: "activityTimeoutSeconds",
                field: .integer(\.app.activityTimeoutSeconds, 1...300), group: .features, unit: "seconds",
                help:
                    "Silence after which a connection is pinged, also told to clients; sensible from 10. Below 60, because nginx "
                    + "and AWS balancers cut idle connections at 60 s and Cloudflare at 100 s; hosted Pusher: 120"),
        ] + limits

    private static func limit(
        _ name: String, _ key: String, unit: String = "", _ field: Field<AppDraft>, _ help: String
    ) -> Option {
        .init(
            name: name, key: "limits." + key, field: field, group: .appLimits, unit: unit,
            help: help)
    }

    private static let limits: [Option] = [
        limit(
            "app-connections", "connections", .limit(\.app.limits.connectionsMax, 0...10_000_000),
            "Connections of the app"),
        limit(
            "app-channels", "channels", .limit(\.app.limits.channelsMax, 1...100_000_000),
            "Occupied channels of the app"),
        limit(
            "channels-per-connection", "channelsPerConnection",
            .integer(\.app.limits.channelsPerConnectionMax, 1...1_000_000), "Channels one connection may join"),
        limit(
            "channel-name-bytes", "channelNameBytes", unit: "bytes",
            .integer(\.app.limits.channelNameBytesMax, 1...1_000), "Length of a channel name"),
        limit(
            "event-name-characters", "eventNameCharacters", unit: "characters",
            .integer(\.app.limits.eventNameCharactersMax, 1...1_000), "Length of an event name"),
        limit(
            "event-data-bytes", "eventDataBytes", unit: "bytes",
            .integer(\.app.limits.eventDataBytesMax, 1...67_108_864), "Data of one published event"),
        limit(
            "event-channels", "eventChannels", .integer(\.app.limits.eventChannelsMax, 1...10_000),
            "Channels of one published event"),
        limit(
            "batch-events", "batchEvents", .integer(\.app.limits.batchEventsMax, 1...10_000), "Events of one batch"),
        limit(
            "presence-members", "presenceMembers", .integer(\.app.limits.presenceMembersMax, 1...1_000_000),
            "Users of one presence channel"),
        limit(
            "presence-member-bytes", "presenceMemberBytes", unit: "bytes",
            .integer(\.app.limits.presenceMemberBytesMax, 64...1_048_576), "channel_data of one member"),
        limit(
            "user-id-characters", "userIDCharacters", unit: "characters",
            .integer(\.app.limits.userIDCharactersMax, 1...1_000), "Length of a user id"),
        limit(
            "client-event-bytes", "clientEventBytes", unit: "bytes",
            .integer(\.app.limits.clientEventBytesMax, 1...67_108_864), "Data of one client event"),
        limit(
            "client-events-per-second", "clientEventsPerSecond",
            .limit(\.app.limits.clientEventsPerSecondMax, 1...1_000_000), "Client events of one connection per second"),
        limit(
            "backend-events-per-second", "backendEventsPerSecond",
            .limit(\.app.limits.backendEventsPerSecondMax, 1...100_000_000), "Published channel-events per second"),
        limit(
            "read-requests-per-second", "readRequestsPerSecond",
            .limit(\.app.limits.readRequestsPerSecondMax, 1...100_000_000), "Reading API requests per second"),
        limit(
            "messages-per-day", "messagesPerDay", .limit(\.app.limits.messagesPerDayMax, 1...1_000_000_000_000),
            "Published channel-events and client events per UTC day"),
        limit(
            "watchlist-users", "watchlist", .integer(\.app.limits.watchlistMax, 0...10_000),
            "Users of one watchlist"),
        limit(
            "cache-seconds", "cacheSeconds", unit: "seconds", .integer(\.app.limits.cacheSeconds, 1...86_400),
            "How long a cache channel keeps its last event"),
        limit(
            "cache-channels", "cacheChannels", .integer(\.app.limits.cacheChannelsMax, 64...10_000_000),
            "Cache channels that keep an event; above it the oldest is forgotten"),
    ]
}

/// What the command line takes besides the options of the table: where to find the rest.
struct MetaOption: Sendable {
    let name: String
    var shortFlag: Character?
    var variable: String?
    var argument: String?
    let help: String

    static let all = [
        MetaOption(
            name: "config", shortFlag: "c", variable: "STARLING_CONFIG", argument: "FILE",
            help: "Configuration file (JSON with comments), or a directory whose *.json files together are one"),
        MetaOption(
            name: "env-file", variable: "STARLING_ENV_FILE", argument: "FILE",
            help: "File of variables, e.g. the .env of a Laravel app; the real environment wins"),
        MetaOption(name: "verbose", shortFlag: "v", help: "Short for --log-level debug"),
        MetaOption(name: "quiet", shortFlag: "q", help: "Short for --log-level warning"),
        MetaOption(name: "help", shortFlag: "h", help: "Print help"),
        MetaOption(name: "version", shortFlag: "V", help: "Print the version"),
    ]
}
