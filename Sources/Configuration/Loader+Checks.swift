import Arguments
import BrokerCore

extension Loader {
    /// What only shows when everything is known.
    mutating func check() {
        checkAddress()
        checkPublicPort()
        checkProxyProtocol()
        checkMetrics()
        checkTakeover()
        checkApps()
        checkSizes()
        checkCredentials()
        checkEndpoints()
    }

    private mutating func checkAddress() {
        var prefix = settings.pathPrefix
        while prefix.hasSuffix("/") { prefix.removeLast() }
        if !prefix.isEmpty, !prefix.hasPrefix("/") { prefix = "/" + prefix }
        settings.pathPrefix = prefix
        if prefix.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F || "?#%\"\\".utf8.contains($0) }) {
            problems.error(origin("path-prefix"), "pathPrefix: must be a plain path such as /ws, not \(prefix.quoted)")
        }
        if prefix == "/app" || prefix == "/apps" {
            problems.warning(
                origin("path-prefix").place(),
                "pathPrefix: clients will have to ask for \(prefix)/app/KEY; is that meant?")
        }
    }

    /// A file of variables may say both where clients go and where the server listens; the two are the same port unless
    /// somebody stands between.
    private mutating func checkPublicPort() {
        let (shown, origin) = (settings.publicAddress.port, origin("public-port"))
        guard shown != 0, shown != settings.port, !origin.isOurs else { return }
        let listens = "the broker listens on \(settings.port) (\(self.origin("port")))"
        let proxy = settings.publicAddress.scheme == .https ? "a TLS proxy" : "a proxy"
        problems.warning(
            origin.place(value: String(shown)),
            "clients are told port \(shown), but \(listens); \(proxy) has to lead from one to the other, "
                + "or set STARLING_PORT=\(shown)")
    }

    /// Without a network there would be nobody to send one.
    private mutating func checkProxyProtocol() {
        guard settings.wantsProxyHeader, !settings.trustsProxy else { return }
        problems.error(
            origin("proxy-protocol"),
            "proxyProtocol: needs trustProxy, the networks whose PROXY headers are believed, such as 10.0.0.0/8")
    }

    private func origin(_ name: String) -> Origin { origins[name] ?? .builtIn }

    // MARK: Apps

    private mutating func checkApps() {
        guard drafts.count <= AppDirectory.appsMax else {
            return problems.error(
                drafts[AppDirectory.appsMax].origin,
                "apps: \(drafts.count) apps, but a broker has at most \(AppDirectory.appsMax)")
        }
        var (ids, keys) = (NameRegistry(kind: "id"), NameRegistry(kind: "key"))
        for draft in drafts {
            checkIdentity(draft)
            ids.add(draft.app.id, draft.label, "id", draft.origin(of: "app-id"), &problems)
            for alias in draft.app.aliases {
                ids.add(alias, draft.label, "aliases", draft.origin(of: "app-aliases"), &problems)
            }
            keys.add(draft.key, draft.label, "key", draft.origin(of: "app-key"), &problems)
            for (index, pair) in draft.moreKeys.enumerated() {
                keys.add(pair.key, draft.label, "keys[\(index)].key", draft.keyOrigin(index), &problems)
            }
        }
        if drafts.allSatisfy({ !$0.app.isEnabled }), !drafts.isEmpty {
            problems.warning("", "no app is enabled, so every client will be refused")
        }
    }

    private mutating func checkIdentity(_ draft: AppDraft) {
        let label = draft.label
        if draft.app.id.isEmpty {
            problems.error(draft.origin(of: "app-id"), "\(label): has no id")
        } else {
            checkIdentifier(draft.app.id, as: .id, "\(label).id", draft.origin(of: "app-id"))
        }
        if draft.key.isEmpty, draft.moreKeys.isEmpty {
            problems.error(draft.origin(of: "app-key"), "\(label): has no key")
        } else if draft.key.isEmpty, draft.origins["app-key"] != nil || !draft.secret.isEmpty {
            problems.error(draft.origin(of: "app-key"), "\(label).key: must not be empty")
        } else if !draft.key.isEmpty {
            checkIdentifier(draft.key, as: .key, "\(label).key", draft.origin(of: "app-key"))
        }
        if !draft.key.isEmpty, draft.secret.isEmpty {
            problems.error(draft.origin(of: "app-secret"), "\(label): key \(draft.key.quoted) has no secret")
        }
        checkStray(draft.secret, "the secret", label, draft.origin(of: "app-secret"))
        for (index, pair) in draft.moreKeys.enumerated() {
            let (path, origin) = ("\(label).keys[\(index)]", draft.keyOrigin(index))
            if pair.key.isEmpty {
                problems.error(origin, "\(path): has no key")
            } else {
                checkIdentifier(pair.key, as: .key, "\(path).key", origin)
            }
            if pair.secret.isEmpty { problems.error(origin, "\(path): has no secret") }
            checkStray(pair.secret, "the secret", path, origin)
        }
    }

    private mutating func checkIdentifier(_ text: String, as kind: Identifier.Kind, _ path: String, _ origin: Origin) {
        if let fault = Identifier.fault(of: text, as: kind) { return problems.error(origin, "\(path): \(fault)") }
        checkStray(text, kind == .id ? "the id" : "the key", path, origin)
    }

    /// A secret may be any text, so what looks like an accident of copying is only told. It is not shown.
    private mutating func checkStray(_ text: String, _ what: String, _ path: String, _ origin: Origin) {
        if let stray = StrayCharacters.of(text) {
            problems.warning(origin.place(), "\(path): \(what) \(stray.text)")
        }
    }

    // MARK: Sizes and credentials

    private mutating func checkSizes() {
        if settings.backlogTotalBytesMax < settings.backlogBytesMax {
            problems.error(origin("backlog-total-bytes"), "backlogTotalBytes: must not be smaller than backlogBytes")
        }
        for draft in drafts {
            let limits = draft.app.limits
            if limits.eventDataBytesMax > settings.requestBodyBytesMax {
                problems.warning(
                    draft.origin(of: "event-data-bytes").place(),
                    "\(draft.label): eventDataBytes is larger than requestBodyBytes, so it is never reached")
            }
            if draft.app.clientEventsEnabled, limits.clientEventBytesMax > settings.messageBytesMax {
                problems.warning(
                    draft.origin(of: "client-event-bytes").place(),
                    "\(draft.label): clientEventBytes is larger than messageBytes, so it is never reached")
            }
            let needed = settings.backlogBytes(limits, subscriptions: 1)
            if needed > settings.backlogBytesMax, let origin = origins["backlog-bytes"] {
                problems.warning(
                    origin.place(),
                    "backlogBytes: two of the largest requests that \(draft.label) allows send \(needed) bytes to a subscriber, "
                        + "so that holds instead of \(settings.backlogBytesMax)")
            }
        }
    }

    private mutating func checkCredentials() {
        if settings.isProduction {
            for draft in drafts where draft.settings.keys.contains(where: \.isWellKnown) {
                problems.error(
                    origin("production").place(),
                    "\(draft.label) uses the well-known credentials; give it a key and a secret of its own "
                        + "(--app-id, --app-key, --app-secret, or \"apps\" in the file)")
            }
        } else {
            warnOfWellKnownSecrets()
        }
    }

    /// Who knows an app's secret can publish; a well-known key with a secret of its own is as good as any, for keys are public.
    /// Where `auto` listens for the built-in app is known at the start only, so the server warns of that itself.
    private mutating func warnOfWellKnownSecrets() {
        let isAutomatic = settings.hosts.contains(ServerSettings.automaticHost)
        guard let open = settings.hosts.first(where: { !Self.isThisMachine($0) }), !isDefaultApp || !isAutomatic else {
            return
        }
        let place = open == ServerSettings.automaticHost ? "::" : open
        for draft in drafts where draft.app.isEnabled {
            guard let pair = draft.settings.keys.first(where: { $0.secret == BuiltInApp.secret }) else { continue }
            problems.warning(
                "",
                "\(draft.label): key \(pair.key.quoted) has the well-known secret and \(place) is not only this machine; "
                    + "anyone who can connect can publish")
        }
    }

    private static func isThisMachine(_ host: String) -> Bool {
        ["::1", "localhost"].contains(host) || host.hasPrefix("127.") || host.hasPrefix(ListenAddress.unixMark)
    }
}

/// Ids or keys of all apps: each names one of them.
private struct NameRegistry {
    let kind: String
    private var owners: [String: (label: String, origin: Origin)] = [:]

    init(kind: String) {
        self.kind = kind
    }

    mutating func add(
        _ name: String, _ label: String, _ path: String, _ origin: Origin, _ problems: inout ProblemList
    ) {
        guard !name.isEmpty else { return }
        guard let first = owners[name] else { return owners[name] = (label, origin) }
        problems.error(
            origin,
            "\(label).\(path): \(kind) \(name.quoted) is already taken by \(first.label) (\(first.origin.place()))")
    }
}

extension AppDraft {
    /// Where the further key of this index was given.
    func keyOrigin(_ index: Int) -> Origin {
        origins["keys[\(index)]"] ?? origin(of: "app-keys")
    }
}
