import BrokerCore

extension Loader {
    /// What only shows when everything is known.
    mutating func check() {
        checkAddress()
        checkApps()
        checkSizes()
        checkCredentials()
    }

    private mutating func checkAddress() {
        if settings.host.hasPrefix("["), settings.host.hasSuffix("]") {
            settings.host = String(settings.host.dropFirst().dropLast())
        }
        if settings.host.isEmpty || settings.host.utf8.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "/") }) {
            problems.error(origin("host"), "host: must be a name or an address, not \(settings.host.quoted)")
        }
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

    private func origin(_ name: String) -> Origin { origins[name] ?? .builtIn }

    // MARK: Apps

    private mutating func checkApps() {
        guard drafts.count <= ServerSettings.appsMax else {
            return problems.error(
                drafts[ServerSettings.appsMax].origin,
                "apps: \(drafts.count) apps, but a broker has at most \(ServerSettings.appsMax)")
        }
        var ids: [String: String] = [:]
        var keys: [String: String] = [:]
        for draft in drafts {
            checkIdentity(draft)
            let names = [(draft.app.id, "app-id", "id")] + draft.app.aliases.map { ($0, "app-aliases", "aliases") }
            for (name, option, path) in names where !name.isEmpty {
                let origin = draft.origin(of: option)
                if let first = ids[name] {
                    problems.error(origin, "\(draft.label).\(path): id \(name.quoted) is already taken by \(first)")
                } else {
                    ids[name] = "\(draft.label) (\(origin.place()))"
                }
            }
            var own: [(String, Origin, String)] = []
            if !draft.key.isEmpty { own.append((draft.key, draft.origin(of: "app-key"), "key")) }
            for (index, pair) in draft.moreKeys.enumerated() where !pair.key.isEmpty {
                own.append((pair.key, draft.keyOrigin(index), "keys[\(index)].key"))
            }
            for (key, origin, path) in own {
                if let first = keys[key] {
                    problems.error(origin, "\(draft.label).\(path): key \(key.quoted) is already taken by \(first)")
                } else {
                    keys[key] = "\(draft.label) (\(origin.place()))"
                }
            }
        }
        if drafts.allSatisfy({ !$0.app.isEnabled }), !drafts.isEmpty {
            problems.warning("", "no app is enabled, so every client will be refused")
        }
    }

    private mutating func checkIdentity(_ draft: AppDraft) {
        let label = draft.label
        if draft.app.id.isEmpty { problems.error(draft.origin(of: "app-id"), "\(label): has no id") }
        for id in [draft.app.id] where !Self.isIdentifier(id) && !id.isEmpty {
            identifierProblem(draft, "app-id", "id", id)
        }
        for alias in draft.app.aliases where !Self.isIdentifier(alias) {
            identifierProblem(draft, "app-aliases", "aliases", alias)
        }
        if draft.key.isEmpty, draft.moreKeys.isEmpty {
            problems.error(draft.origin(of: "app-key"), "\(label): has no key")
        } else if draft.key.isEmpty, draft.origins["app-key"] != nil || !draft.secret.isEmpty {
            problems.error(draft.origin(of: "app-key"), "\(label).key: must not be empty")
        } else if !draft.key.isEmpty, !Self.isIdentifier(draft.key) {
            identifierProblem(draft, "app-key", "key", draft.key)
        }
        if !draft.key.isEmpty, draft.secret.isEmpty {
            problems.error(draft.origin(of: "app-secret"), "\(label): key \(draft.key.quoted) has no secret")
        }
        for (index, pair) in draft.moreKeys.enumerated() {
            let (path, origin) = ("\(label).keys[\(index)]", draft.keyOrigin(index))
            if pair.key.isEmpty {
                problems.error(origin, "\(path): has no key")
            } else if !Self.isIdentifier(pair.key) {
                problems.error(origin, "\(path).key: \(Self.identifierText), not \(pair.key.quoted)")
            }
            if pair.secret.isEmpty { problems.error(origin, "\(path): has no secret") }
        }
    }

    private mutating func identifierProblem(_ draft: AppDraft, _ option: String, _ path: String, _ text: String) {
        problems.error(draft.origin(of: option), "\(draft.label).\(path): \(Self.identifierText), not \(text.quoted)")
    }

    private static let identifierText = "must be 1 to 200 of A-Z a-z 0-9 . _ ~ -"

    /// Ids and keys stand in URL paths, and a key ends at the colon in `auth`; so only what needs no escaping there.
    static func isIdentifier(_ text: String) -> Bool {
        (1...200).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "._~-".utf8.contains(byte)
                }
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
        var probe = settings
        probe.apps = drafts.map(\.settings)
        guard probe.usesWellKnownCredentials else { return }
        if settings.isProduction {
            for draft in drafts {
                let isKnown = draft.settings.keys.contains {
                    $0.key == BuiltInApp.key || $0.secret == BuiltInApp.secret
                }
                guard isKnown else { continue }
                problems.error(
                    origin("production").place(),
                    "\(draft.label) uses the well-known credentials; give it a key and a secret of its own "
                        + "(--app-id, --app-key, --app-secret, or \"apps\" in the file)")
            }
        } else if !["127.0.0.1", "::1", "localhost"].contains(settings.host) {
            problems.warning(
                "",
                "the well-known key \(BuiltInApp.key) is in use and \(settings.host) is not only this machine; "
                    + "anyone who can connect can publish")
        }
    }
}

extension AppDraft {
    func keyOrigin(_ index: Int) -> Origin {
        index < keyOrigins.count ? keyOrigins[index] : origin(of: "app-keys")
    }
}
