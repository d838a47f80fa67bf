/// The process as a whole.
extension Option where Settings == ServerSettings {
    static let process: [Option] = [
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
            name: "memory-threshold-percent", key: "memoryThresholdPercent",
            field: .integer(\.memoryThresholdPercent, 1...100), group: .process, unit: "percent",
            isReloadable: true, help: "/accept-traffic answers 500 above this share of the memory limit"),
    ]
}
