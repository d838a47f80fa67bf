internal import Reactor
internal import TLS

/// Whom a run talks to, as which app.
struct Target: Sendable {
    var address: PeerAddress
    /// For the `Host` field.
    var host: String
    var pathPrefix = ""
    var appID = "app-id"
    var key = "app-key"
    var secret = "app-secret"
    /// Local addresses 127.0.0.1…; 0 leaves it to the kernel.
    var sources = 0
    /// nil: Pusher.
    var raw: RawDialect?
    /// nil: plain.
    var tls: Security?

    /// How the server is spoken to over TLS.
    struct Security: Sendable {
        let context: TLSClientContext
        /// What the server is asked for, and has to be if certificates are checked.
        let name: String
    }
}

/// How to talk to a server that is no Pusher server; `{channel}` and `{data}` are put in.
struct RawDialect: Sendable, Equatable {
    /// Paths and text frames as given below, MQTT in binary frames of a WebSocket, or Redis's protocol without one.
    enum Language: String, Sendable { case frames, mqtt, redis }
    var language = Language.frames
    /// The path of the WebSocket, and a text to send on it, or empty.
    var subscribePath = ""
    var subscribeFrame = ""
    /// The path that an event is posted to; empty: only frames publish.
    var publishPath = ""
    /// The text with which a client publishes.
    var publishFrame = ""
}

/// Who connects, to which channels, and how large an event is. Shared by all workers; client i belongs to worker i mod `workers`.
struct Plan: Sendable {
    var target: Target
    var workers = 1
    /// Clients that subscribe when they connect; client i takes the channels (i·K + j) mod C, j < K.
    var subscribers = 0
    /// Clients behind the subscribers, which subscribe only as a membership job tells them.
    var members = 0
    var channels = 1
    var channelsPerClient = 1
    /// `""`, `"private-"`, `"presence-"`.
    var prefix = ""
    /// Publishers of one channel: API connections, or peers that send client events.
    var publishers = 0
    var payloadBytes = 128
    /// Members take these instead of the benched channels; presence members join one.
    var memberChannels = 1
    var memberPrefix = ""

    /// Publishers are the clients of a channel, the p-th of them publisher p, and not API connections.
    var peersPublish = false

    var clients: Int { subscribers + members }

    /// How many clients a worker has, and how many of them subscribe when they connect; those come first. The worker behind the last has
    /// the API connections only.
    func clients(of worker: Int) -> Int { share(of: clients, worker) }
    func subscribers(of worker: Int) -> Int { share(of: subscribers, worker) }
    private func share(of count: Int, _ worker: Int) -> Int {
        worker < workers ? (count + workers - 1 - worker) / workers : 0
    }

    /// The number of a worker's client among all.
    func client(_ local: Int, of worker: Int) -> Int { local * workers + worker }
    var needsSignature: Bool { !prefix.isEmpty || !memberPrefix.isEmpty }

    /// Fixed width, so that the stamp stands at the same place in every frame.
    func channelName(_ channel: Int) -> String { prefix + "bench-" + Self.padded(channel) }

    func memberChannelName(_ channel: Int) -> String { memberPrefix + "churn-" + Self.padded(channel) }

    /// Subscriptions of one channel: the pairs 0..<N·K, counted modulo C.
    func subscriptions(of channel: Int) -> Int {
        let pairs = subscribers * channelsPerClient
        return pairs / channels + (channel < pairs % channels ? 1 : 0)
    }

    /// The `index`th channel of a client.
    func channel(of client: Int, _ index: Int) -> Int { (client * channelsPerClient + index) % channels }

    /// Which of a client's channels this one is.
    func index(of channel: Int, for client: Int) -> Int {
        let first = client * channelsPerClient % channels
        return channel >= first ? channel - first : channel - first + channels
    }

    /// What a member of a presence channel says of itself.
    static func channelData(_ client: Int) -> String {
        let number = padded(client)
        return "{\"user_id\":\"u\(number)\",\"user_info\":{\"name\":\"User \(number)\"}}"
    }

    static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 7 - digits.count)) + digits
    }
}

/// When events are published.
struct Timetable: Sendable {
    /// A second of the whole run's events on this worker; 0: closed loop.
    var ratePerSecond = 0.0
    /// Closed loop: publishes that may be under way.
    var inFlight = 0
    /// Events in one API call.
    var batch = 1
    var start: UInt64 = 0
    var measureFrom: UInt64 = 0
    var end: UInt64 = 0

    var isOpenLoop: Bool { ratePerSecond > 0 }
}
