internal import Configuration
internal import BrokerCore
internal import Glibc
internal import Reactor
internal import Telemetry

/// What is said at the start.
extension Server {
    /// Says that the server listens: the banner to whoever sits at the terminal, one log line to everybody else.
    public func announce(version: String) {
        let isSeen = isatty(STDOUT_FILENO) == 1
        if isSeen { writeBanner() }
        guard !isSeen || isatty(STDERR_FILENO) != 1 else { return }
        var fields: [LogField] = [("address", listening.addresses.joined(separator: ","))]
        if let port = listening.tlsPort {
            fields.append(("tls_address", listening.addresses(port).joined(separator: ",")))
        } else if settings.tls.isOn {
            fields.append(("tls", settings.tls.isOnly ? "only" : "same port"))
        }
        fields += [
            ("metrics", metrics?.address ?? "none"), ("apps", appCount), ("connections", webSocketsMax),
            ("loops", loopCount), ("version", version),
            ("pid", getpid()),
        ]
        Log.write(.info, "listening", fields)
    }

    /// A file that was asked for could not be written.
    public func warn(ofFile path: String, _ reason: String) {
        Log.warning("cannot write a file", ("place", path), ("reason", reason))
    }

    private func writeBanner() {
        var rest = Array(
            Banner.text(settings, listening, loops: loopCount, webSocketsMax: webSocketsMax).utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// What is wrong or suspicious in the configuration, a line each.
    static func tell(_ problems: some Sequence<Problem>) {
        for problem in problems {
            var fields: [LogField] = []
            if !problem.place.isEmpty { fields.append(("place", problem.place)) }
            fields.append(("reason", problem.text))
            Log.write(problem.severity == .error ? .error : .warning, "configuration", fields)
        }
    }

    /// Fewer connections than the operator counts on: seen now and not when the first of them is refused.
    /// - Parameters:
    ///   - room: what the descriptors leave for WebSocket connections; none when it is not positive.
    static func warnOfRoom(_ settings: ServerSettings, room: Int, descriptors: Int) {
        let ofApps = settings.apps.compactMap(\.limits.connectionsMax).max() ?? 0
        let wanted = settings.connectionsMax ?? max(1, ofApps)
        guard room < wanted else { return }
        Log.warning(
            "too few descriptors", ("connections", wanted), ("fit", max(1, room)), ("descriptors", descriptors),
            ("api_reserve", settings.apiReserve),
            ("reason", "raise the limit of open files (ulimit -Hn, LimitNOFILE=), or ask for fewer connections"))
    }

    /// The built-in app where others can reach it.
    static func warnOfDefaultApp(_ settings: ServerSettings, _ plan: ListenPlan) {
        guard settings.isDefaultApp, settings.hosts.contains(ServerSettings.automaticHost), !plan.isLoopback else {
            return
        }
        Log.warning(
            "well-known credentials",
            ("reason", "the built-in app is in use and not only this machine can connect; who can, can publish"))
    }
}
