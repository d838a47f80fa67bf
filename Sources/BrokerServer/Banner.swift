internal import BrokerCore
internal import Configuration

/// What a person sees when the server starts: where it listens and what to paste. At most 25 lines.
enum Banner {
    /// - Parameters:
    ///   - listening: the addresses and the port that are listened on.
    ///   - webSocketsMax: how many connections fit.
    static func text(_ settings: ServerSettings, _ listening: Listening, loops: Int, webSocketsMax: Int) -> String {
        let port = Int(listening.port)
        let address = settings.publicAddress
        let host = address.host.isEmpty ? reachable(listening.hosts.first ?? "") : address.host
        let publicPort = address.port > 0 ? address.port : listening.tlsPort.map(Int.init) ?? port
        let scheme = settings.tls.isOn ? "https" : address.scheme.rawValue
        let prefix = settings.pathPrefix
        var lines = [
            "Starling is listening on \(listening.addresses.joined(separator: " and ")), \(loops) \(loops == 1 ? "loop" : "loops"), "
                + "room for \(webSocketsMax) connections",
            "  WebSocket  \(scheme == "https" ? "wss" : "ws")://\(host):\(publicPort)\(prefix)/app/{key}",
            "  HTTP API   \(scheme)://\(host):\(publicPort)\(prefix)/apps/{id}",
        ]
        // Where there is only a file, the proxy in front of it has the address.
        if listening.hosts.isEmpty, address.host.isEmpty { return joined([lines[0]]) }
        guard let app = settings.apps.first, let key = app.keys.first else { return joined(lines) }
        // Some libraries take only ids of digits.
        let id = ([app.id] + app.aliases).first { $0.allSatisfy(\.isNumber) } ?? app.id
        let secret = settings.isDefaultApp ? key.secret : "SECRET"
        lines += [
            "  PUSHER_URL=\(scheme)://\(key.key):\(secret)@\(host):\(publicPort)\(prefix)/apps/\(id)",
            "",
            "From the browser (pusher-js):",
            "  const pusher = new Pusher('\(key.key)', { cluster: '', wsHost: '\(host)', wsPort: \(publicPort),"
                + " wssPort: \(publicPort),",
            "    \(prefix.isEmpty ? "" : "wsPath: '\(prefix)', ")forceTLS: \(scheme == "https"), "
                + "enabledTransports: ['ws', 'wss'] });",
            "  pusher.subscribe('my-channel').bind('my-event', data => console.log(data));",
            "",
            "From your server (Python, pip install pusher):",
            "  import pusher",
            "  client = pusher.Pusher(app_id='\(id)', key='\(key.key)', secret='\(secret)',"
                + " host='\(host)', port=\(publicPort), ssl=\(scheme == "https" ? "True" : "False"))",
            "  client.trigger('my-channel', 'my-event', {'hello': 'world'})",
        ]
        if settings.isDefaultApp {
            lines += [
                "",
                "This is the built-in app with well-known credentials, for development; "
                    + "`starling config docs` shows how to set your own.",
            ]
        }
        return joined(lines)
    }

    private static func joined(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }

    /// An address that listens everywhere is no address to connect to.
    private static func reachable(_ host: String) -> String {
        switch host {
        case "0.0.0.0", "::", "[::]", "": "127.0.0.1"
        default: host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        }
    }
}
