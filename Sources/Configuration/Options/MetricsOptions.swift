/// The listener of the metrics.
extension Option where Settings == ServerSettings {
    static let metrics: [Option] = [
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
}
