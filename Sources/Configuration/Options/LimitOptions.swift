/// What all connections together, or one of any app, may take.
extension Option where Settings == ServerSettings {
    static let limits: [Option] = [
        .init(
            name: "pong-timeout-seconds", key: "pongTimeoutSeconds",
            field: .integer(\.pongTimeoutSeconds, 1...300), group: .limits, unit: "seconds",
            isReloadable: true, help: "A silent client is pinged, and closed with 4201 when it stays silent so long"),
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
    ]
}
