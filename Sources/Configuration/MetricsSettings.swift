import BrokerCore

/// What the operator decided about the page of metrics.
public struct MetricsSettings: Sendable, Equatable {
    public var isEnabled = true
    /// The address to bind, on which nobody else's clients are.
    public var host = "127.0.0.1"
    /// 0 lets the kernel pick a free one; 0...65535.
    public var port = 9601
    /// Whoever asks must send it (`Authorization: Bearer`); empty: nobody must.
    public var token = ""
    /// Stands before the names that are soketi's.
    public var prefix = "soketi_"
    /// Apps that have lines of their own; 0...10000.
    public var appsMax = 100

    public init() {}
}

extension LoadedSettings {
    /// The operator has said something of the metrics' listener, so that a server without it would be another than the one he asked for.
    public var areMetricsWanted: Bool {
        settings.metrics.isEnabled
            && ["metrics-enabled", "metrics-host", "metrics-port"].contains { origins[$0] != nil }
    }
}

extension Loader {
    mutating func checkMetrics() {
        let metrics = settings.metrics
        func origin(_ name: String) -> Origin { origins[name] ?? .builtIn }
        if metrics.host.isEmpty || metrics.host.utf8.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "/") }) {
            problems.error(
                origin("metrics-host"), "metrics.host: must be a name or an address, not \(metrics.host.quoted)")
        }
        if metrics.isEnabled, metrics.port != 0, metrics.port == settings.port {
            problems.error(
                origin("metrics-port"),
                "metrics.port: \(metrics.port) is the port of the broker; the metrics have one of their own")
        }
        // https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
        let isName = metrics.prefix.utf8.enumerated().allSatisfy { offset, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): offset > 0
            default: false
            }
        }
        if !isName || metrics.prefix.utf8.count > 64 {
            problems.error(
                origin("metrics-prefix"),
                "metrics.prefix: must be at most 64 of A-Z a-z 0-9 _, and not begin with a digit, not \(metrics.prefix.quoted)"
            )
        }
        if metrics.token.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
            problems.error(origin("metrics-token"), "metrics.token: must be visible ASCII without blanks")
        }
    }
}
