internal import Arguments
internal import TLS

/// One flag of `starling bench`.
struct OptionRow: Sendable {
    let name: String
    /// Empty: a switch.
    let placeholder: String
    let help: String
    /// - Returns: whether the text was a value.
    let set: @Sendable (inout Options, String) -> Bool

    /// All flags, in the order of the help.
    static let all: [OptionRow] = target + load + pace + output + raw

    /// The flags as the command line may spell them.
    static var vocabulary: Vocabulary {
        var known = Vocabulary()
        for row in all { known.kinds[row.name] = row.placeholder.isEmpty ? .mark : .value }
        return known
    }

    private static let target: [OptionRow] = [
        text("host", "HOST", "the server's name or address [127.0.0.1]", \.host),
        number("port", "its port [6001]", \.port, 1...65_535),
        text("path-prefix", "PATH", "before /app and /apps", \.pathPrefix),
        text("app", "ID", "app id [app-id]", \.appID),
        text("key", "KEY", "app key [app-key]", \.key),
        text("secret", "SECRET", "app secret [app-secret]", \.secret),
        OptionRow(name: "tls", placeholder: "", help: "speak TLS; the server's certificate is checked") { options, _ in
            options.trust = options.trust ?? .system
            return true
        },
        OptionRow(name: "tls-ca", placeholder: "FILE", help: "speak TLS and trust the authorities in this file (PEM)") {
            options, text in
            options.trust = .authority(text)
            return !text.isEmpty
        },
        OptionRow(name: "tls-insecure", placeholder: "", help: "speak TLS and believe whatever certificate") {
            options, _ in
            options.trust = .anybody
            return true
        },
        number("pid", "the server's process, to measure its processor time and memory", \.pid, 1...4_194_304),
        number("threads", "threads for the clients; API calls have one more [1]", \.threads, 1...64),
        number("sources", "local addresses 127.0.0.x to connect from [one per 20,000 clients]", \.sources, 1...60_000),
    ]

    private static let load: [OptionRow] = [
        number(
            "connections", "clients of connect, idle, leave, presence, churn, reconnect-storm", \.connections,
            1...4_000_000),
        number("subscribers", "subscribers of each channel", \.subscribers, 0...1_000_000),
        number(
            "channels", "channels [1; pubsub, client-events, connect, idle, reconnect-storm: 1000]",
            \.channels, 1...1_000_000),
        number("channels-per-client", "channels of each client [1]", \.channelsPerClient, 1...10_000),
        number("peers", "clients of each channel in client-events [2]", \.peers, 2...1_000),
        number("members", "churning clients of mixed [200]", \.members, 1...100_000),
        number("member-channels", "channels that churn goes through [1000]", \.memberChannels, 1...1_000_000),
        number("publishers", "API connections [in flight, or 16]", \.publishers, 1...10_000),
        OptionRow(name: "channel-type", placeholder: "TYPE", help: "public, private or presence") { options, text in
            options.channelType = text
            return ["public", "private", "presence"].contains(text)
        },
        number("payload", "bytes of an event's data, at least 52 [128]", \.payloadBytes, Stamp.byteCount...1_000_000),
        number("batch", "events in one API call [1]", \.batch, 1...1_000),
        text("query", "WHAT", "rest: ask for channel or channels instead of publishing", \.query),
    ]

    private static let pace: [OptionRow] = [
        decimal("rate", "EVENTS", "events a second by a timetable (open loop)", \.rate),
        OptionRow(name: "in-flight", placeholder: "N", help: "events under way at a time (closed loop)") {
            options, text in
            guard let value = Int(text), value > 0 else { return false }
            (options.inFlight, options.rate) = (value, 0)
            return true
        },
        decimal("connect-rate", "N", "new connections a second [as the window allows]", \.connectRate),
        number("connect-window", "handshakes under way at a time [128]", \.connectWindow, 1...100_000),
        decimal("warmup", "SECONDS", "before what is measured [1]", \.warmupSeconds),
        decimal("duration", "SECONDS", "of what is measured [10]", \.durationSeconds),
        decimal("ping-interval", "SECONDS", "idle: between two pings of a client, 0: none [45]", \.pingInterval),
        decimal("probe-rate", "N", "leave: connections a second that are tried meanwhile [500]", \.probeRate),
        text(
            "meet", "DIRECTORY", "begin when a second run that was given this empty directory is ready too",
            \.meetingPlace),
        decimal("start-rate", "EVENTS", "search: the first rate [10]", \.startRate),
        decimal("factor", "X", "search: from one rate to the next [1.25]", \.rateFactor),
    ]

    private static let faultNames = Fault.all.map(\.name).joined(separator: ", ")

    private static let output: [OptionRow] = [
        OptionRow(name: "slo", placeholder: "LIST", help: "'p99<5ms,loss=0': exit code 1 when one is missed") {
            options, text in
            guard let levels = ServiceLevel.parse(text) else { return false }
            options.serviceLevels = levels
            return true
        },
        OptionRow(name: "allow", placeholder: "LIST", help: "faults that do not fail the run: \(faultNames)") {
            options, text in
            let names = text.split(separator: ",").map { $0 == "loss" ? "lost" : String($0) }
            options.allowedFaults = Set(names)
            return !names.isEmpty && names.allSatisfy { name in Fault.all.contains { $0.name == name } }
        },
        text("json", "FILE", "the whole report", \.json),
        text("csv", "FILE", "the figures and the times over time", \.csv),
        text("hgrm", "FILE", "the percentile spectrum for HdrHistogram's plotter", \.histogram),
        text("svg", "FILE", "plots", \.plot),
        text("label", "TEXT", "a name for this run in the report", \.label),
        OptionRow(name: "quiet", placeholder: "", help: "no progress line") { options, _ in
            options.isQuiet = true
            return true
        },
    ]

    private static let raw: [OptionRow] = [
        OptionRow(name: "language", placeholder: "NAME", help: "no Pusher server: mqtt (over WebSocket) or redis") {
            options, text in
            guard let language = RawDialect.Language(rawValue: text) else { return false }
            options.raw.language = language
            if language == .mqtt { options.raw.subscribePath = "/mqtt" }
            return true
        },
        text(
            "raw-subscribe", "PATH", "no Pusher server: a client opens this path, as /sub/{channel}",
            \.raw.subscribePath),
        text("raw-subscribe-frame", "TEXT", "and sends this", \.raw.subscribeFrame),
        text("raw-publish", "PATH", "an event is posted to this path, as /pub/{channel}", \.raw.publishPath),
        text(
            "raw-publish-frame", "TEXT", "client-events: a client publishes {data} to {channel} so", \.raw.publishFrame),
    ]

    private static func text(
        _ name: String, _ placeholder: String, _ help: String, _ path: any WritableKeyPath<Options, String> & Sendable
    ) -> OptionRow {
        OptionRow(name: name, placeholder: placeholder, help: help) { options, text in
            options[keyPath: path] = text
            return true
        }
    }

    private static func number(
        _ name: String, _ help: String, _ path: any WritableKeyPath<Options, Int> & Sendable, _ range: ClosedRange<Int>
    ) -> OptionRow {
        OptionRow(name: name, placeholder: "N", help: help) { options, text in
            guard let value = Int(text), range.contains(value) else { return false }
            options[keyPath: path] = value
            return true
        }
    }

    private static func decimal(
        _ name: String, _ placeholder: String, _ help: String, _ path: any WritableKeyPath<Options, Double> & Sendable
    ) -> OptionRow {
        OptionRow(name: name, placeholder: placeholder, help: help) { options, text in
            guard let value = Double(text), value.isFinite, value >= 0, value <= 1e9 else { return false }
            options[keyPath: path] = value
            return true
        }
    }
}
