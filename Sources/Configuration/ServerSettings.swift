public import BrokerCore
public import Telemetry
public import Wire

/// What the operator decided for one broker process, checked and complete.
///
/// `LoadedSettings.load` builds it and nothing changes it afterwards, so it may be read from any thread. Units end
/// the names.
///
/// Large, because it has a field for each option of the process.
public struct ServerSettings: Sendable, Equatable {
    /// Where browsers and back ends reach the broker from outside: for printed snippets only, never to bind.
    public struct PublicAddress: Sendable, Equatable {
        public enum Scheme: String, Sendable, CaseIterable {
            case http, https
        }
        /// Empty: what is listened on, and 127.0.0.1 where that is every address.
        public var host = ""
        /// 0: the port that was bound; 0...65535.
        public var port = 0
        public var scheme = Scheme.http
    }

    /// What to listen on, one at least, each a `ListenAddress` in its one form.
    public var hosts = [automaticHost]
    /// Stands for loopback while the built-in app is in use outside a container, and for every address otherwise.
    public static let automaticHost = "auto"
    /// 0 lets the kernel pick a free port; 0...65535.
    public var port = 6001
    public var tls = TLSSettings()
    /// Threads that run an event loop; 0 means one per core; 0...64.
    public var loops = 0
    /// Stands before `/app/…` and `/apps/…`; empty, or `/…` without a slash at its end.
    public var pathPrefix = ""
    /// Refuses the well-known credentials, and makes refusals of the HTTP API say less.
    public var isProduction = false
    /// How much the log says; each level includes the ones above it.
    public var logLevel = LogLevel.info
    public var logFormat = LogFormat.text
    /// Log lines about refusals of one kind in any second; the rest is counted; 0...1000.
    public var refusalLinesPerSecond = 10
    /// A crash may leave a core file, in which all secrets are.
    public var allowsCoreFiles = false
    /// Gets one JSON line when the broker listens; empty: none.
    public var readyFile = ""
    public var takeover = TakeoverSettings()
    /// How long `/ready` fails before a drain begins and listeners close; 0...3600.
    public var drainDelaySeconds = 0
    /// How long a drain may take; 0...3600.
    public var shutdownGraceSeconds = 10
    /// How long a client that was silent for its app's activity timeout may take to answer a ping.
    public var pongTimeoutSeconds = 30
    /// Unsent bytes one connection may have before it is closed with 4100; see `backlogBytes(_:subscriptions:)`.
    public var backlogBytesMax = 1_048_576
    /// Memory for the unsent bytes of all connections of the process together.
    public var backlogTotalBytesMax = 134_217_728
    /// Requests and messages of all connections of the process that are not whole yet.
    public var inputTotalBytesMax = 25_165_824
    /// One inbound WebSocket message after reassembly.
    public var messageBytesMax = 65_536
    public var requestBodyBytesMax = 1_048_576
    /// Request line and headers together.
    public var requestHeadBytesMax = 16_384
    /// How long a connection may go without a request; 1...86400.
    public var keepAliveSeconds = 75
    /// WebSocket connections of all apps together; `nil`: as many as there are descriptors.
    public var connectionsMax: Int?
    /// Open connections of one address, of IPv6 of a /64; `nil`: any number.
    public var connectionsPerAddressMax: Int?
    /// Its new connections in a second; `nil`: any number.
    public var connectionsPerAddressPerSecondMax: Int?
    /// Descriptors kept free for the HTTP API when WebSocket connections have used up the rest.
    public var apiReserve = 64
    /// Who is believed what it says of its client: whether it came by TLS, and its address.
    public var trustedProxies = NetworkList.nobody
    /// Connections from there begin with a PROXY header.
    public var wantsProxyHeader = false
    public var trustsProxy: Bool { !trustedProxies.isNobody }
    /// `/accept-traffic` answers 500 above this share of the memory limit; 1...100.
    public var memoryThresholdPercent = 85
    /// Above it the largest backlogs go, and new clients and calls are refused.
    public var memoryLimit = MemoryLimit.percent(80)
    public var publicAddress = PublicAddress()
    public var metrics = MetricsSettings()
    /// Where what must outlive the process is kept; empty: nowhere.
    public var stateDirectory = ""
    public var webhooks = WebhookSettings()
    /// Never empty in a checked configuration and never more than `AppDirectory.appsMax`; keys, ids and aliases are unique over all of them.
    public var apps: [AppSettings] = []
    /// No app was configured, so `apps` holds the built-in one with its well-known credentials.
    public var isDefaultApp = false

    public init() {}

    /// Some app can be used by anybody who has read the documentation of soketi or of this broker.
    public var usesWellKnownCredentials: Bool {
        apps.contains { $0.keys.contains(where: \.isWellKnown) }
    }
}

extension AppSettings.Key {
    /// One half of it is the built-in app's.
    var isWellKnown: Bool { key == BuiltInApp.key || secret == BuiltInApp.secret }
}

/// The app of a broker that was told nothing; the same credentials as soketi, so that its users need no change.
enum BuiltInApp {
    static let id = "app-id"
    /// Official libraries for Python, Go and Node accept only digits as an id.
    static let aliases = ["1"]
    static let key = "app-key"
    static let secret = "app-secret"
}
