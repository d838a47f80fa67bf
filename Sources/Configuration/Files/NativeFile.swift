import BrokerCore

/// Prints settings: as a configuration file, or as a list of lines.
enum NativeFile {
    /// - Parameters:
    ///   - onlyGiven: Leave out what is built in, except the identity of apps.
    ///   - showsOrigins: Each value becomes `{"value": …, "origin": …}`.
    static func document(
        _ configuration: LoadedSettings, onlyGiven: Bool = false, showsSecrets: Bool = false, showsOrigins: Bool = false
    ) -> JSONText {
        func value(_ json: JSONText, _ origin: Origin) -> JSONText {
            showsOrigins ? .object([("value", json), ("origin", .string(origin.description))]) : json
        }
        var members: [(String, JSONText)] = []
        var sections: [String: [(String, JSONText)]] = [:]
        for option in Option.server {
            let origin = configuration.origins[option.name] ?? .builtIn
            if onlyGiven, origin == .builtIn { continue }
            let text = value(option.json(of: configuration.settings, showsSecrets: showsSecrets), origin)
            if let section = option.section {
                sections[section, default: []].append((option.member, text))
            } else {
                members.append((option.key, text))
            }
        }
        for (name, inner) in sections.sorted(by: { $0.key < $1.key }) { members.append((name, .object(inner))) }
        var apps: [JSONText] = []
        for (index, draft) in drafts(configuration).enumerated() {
            var plain: [(String, JSONText)] = []
            var limits: [(String, JSONText)] = []
            for option in Option.app {
                let origin = configuration.appOrigins[index][option.name] ?? .builtIn
                let isGiven =
                    option.isShown(of: draft)
                    && (origin != .builtIn || option.field.read(draft) != option.field.read(AppDraft()))
                guard isGiven || !onlyGiven else { continue }
                let text = value(option.json(of: draft, showsSecrets: showsSecrets), origin)
                if option.key.hasPrefix("limits.") {
                    limits.append((String(option.key.dropFirst(7)), text))
                } else {
                    plain.append((option.key, text))
                }
            }
            apps.append(.object(plain + (limits.isEmpty ? [] : [("limits", .object(limits))])))
        }
        return .object(members + [("apps", .array(apps))])
    }

    /// `apps[0].clientEvents = true    # env SOKETI_…`; secrets are hidden.
    static func list(_ configuration: LoadedSettings, showsOrigins: Bool) -> String {
        var lines: [(text: String, origin: Origin)] = []
        for option in Option.server {
            let text = "\(option.key) = \(option.json(of: configuration.settings, showsSecrets: false).printed())"
            lines.append((text, configuration.origins[option.name] ?? .builtIn))
        }
        for (index, draft) in drafts(configuration).enumerated() {
            for option in Option.app {
                let keys = option.key == "keys" ? draft.moreKeys.map(\.key) : nil
                let value = keys.map { OptionValue.list($0).json() } ?? option.json(of: draft, showsSecrets: false)
                lines.append(
                    (
                        "apps[\(index)].\(option.key) = \(value.printed())",
                        configuration.appOrigins[index][option.name] ?? .builtIn
                    ))
            }
        }
        guard showsOrigins else { return lines.map { $0.text + "\n" }.joined() }
        return lines.map { line in
            line.text + String(repeating: " ", count: max(2, 48 - line.text.count)) + "# \(line.origin)\n"
        }.joined()
    }

    private static func drafts(_ configuration: LoadedSettings) -> [AppDraft] {
        configuration.settings.apps.enumerated().map { index, app in
            var draft = AppDraft(app: app)
            // An app may have been written with `keys` alone.
            let hasOwnKey =
                configuration.appOrigins[index]["app-keys"] == nil || configuration.appOrigins[index]["app-key"] != nil
            if hasOwnKey, let first = app.keys.first {
                (draft.key, draft.secret, draft.moreKeys) = (first.key, first.secret, Array(app.keys.dropFirst()))
            } else {
                draft.moreKeys = app.keys
            }
            draft.webhooks = app.webhooks.map(WebhookDraft.init)
            return draft
        }
    }
}

extension Option where Settings == ServerSettings {
    func json(of settings: ServerSettings, showsSecrets: Bool) -> JSONText {
        let value = field.read(settings)
        if case .secret = field, !showsSecrets, value != .text("") { return .string(OptionValue.redacted) }
        return value.json(showingSecrets: showsSecrets)
    }
}

extension Option where Settings == AppDraft {
    /// Empty keys of an app that has `keys` alone are not written.
    func isShown(of draft: AppDraft) -> Bool {
        draft.key.isEmpty ? name != "app-key" && name != "app-secret" : true
    }

    func json(of draft: AppDraft, showsSecrets: Bool) -> JSONText {
        if case .secret = field, !showsSecrets { return .string(draft.secret.isEmpty ? "" : OptionValue.redacted) }
        return field.read(draft).json(showingSecrets: showsSecrets)
    }
}
