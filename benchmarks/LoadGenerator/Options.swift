internal import TLS

/// What the command line asks for.
///
/// Large, because it has a field for each option.
struct Options: Sendable {
    var scenario = Scenario.fanout
    var host = "127.0.0.1"
    var port = 6_001
    var pathPrefix = ""
    var appID = "app-id"
    var key = "app-key"
    var secret = "app-secret"
    /// The server's process, for its costs; 0: not measured.
    var pid = 0
    var threads = 1
    var sources = 0
    /// nil: plain.
    var trust: TLSClientContext.Trust?
    var raw = RawDialect()

    var connections = 1_000
    var subscribers = 1_000
    var channels = 1
    var channelsPerClient = 1
    var peers = 2
    var members = 200
    var memberChannels = 1_000
    /// 0: as many as are in flight in a closed loop, else 16.
    var publishers = 0
    var channelType = "public"
    var payloadBytes = 128
    var batch = 1
    var query = ""

    /// Events a second; 0: closed loop with `inFlight`.
    var rate = 0.0
    var inFlight = 0
    var connectRate = 0.0
    var connectWindow = 128
    var warmupSeconds = 1.0
    var durationSeconds = 10.0
    /// idle: seconds between two pings of a client; 0: none.
    var pingInterval = 45.0
    /// leave: connections a second that are tried meanwhile.
    var probeRate = 500.0
    /// Where another run says that it is ready; empty: there is none.
    var meetingPlace = ""
    var startRate = 10.0
    var rateFactor = 1.25

    var serviceLevels: [ServiceLevel] = []
    /// Faults that do not fail the run, by their figures' names.
    var allowedFaults: Set<String> = []
    var json = ""
    var csv = ""
    var histogram = ""
    var plot = ""
    var label = ""
    var isQuiet = false

    /// A scenario with what is usual for it.
    init(_ scenario: Scenario) {
        self.scenario = scenario
        switch scenario {
        case .fanout, .mixed: rate = 50
        case .search: (rate, durationSeconds) = (10, 3)
        case .pubsub: (channels, subscribers, rate) = (1_000, 10, 1_000)
        case .rest: subscribers = 0
        case .clientEvents: (channels, rate, channelType) = (1_000, 2_000, "private")
        case .presence: (connections, inFlight) = (1_000, 64)
        case .churn: (connections, inFlight) = (200, 32)
        case .connect: (connections, channels, warmupSeconds, durationSeconds) = (5_000, 1_000, 0, 0)
        case .idle: (connections, channels, durationSeconds) = (10_000, 1_000, 10)
        case .reconnectStorm: (connections, channels) = (2_000, 1_000)
        case .leave: (connections, channels, channelsPerClient) = (5_000, 5_000, 10)
        }
    }

    var isOpenLoop: Bool { rate > 0 }

    /// `HOST:PORT`, an IPv6 address in brackets.
    var server: String { host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Without the brackets of an IPv6 address.
    var bareHost: String { host.hasPrefix("[") ? String(host.dropFirst().prefix { $0 != "]" }) : host }

    var publisherCount: Int { publishers > 0 ? publishers : max(1, isOpenLoop || inFlight == 0 ? 16 : inFlight) }
}
