extension Option where Settings == ServerSettings {
    /// The options of the whole process, in the order of the reference page. Each part of the table has a file.
    static let server: [Option] = [listener, tls, metrics, process, webhooks, limits, publicAddress].flatMap { $0 }
}

extension Option where Settings == AppDraft {
    /// The options of one app: members of `apps[]`, and flags and variables of the single app.
    static let app: [Option] = identity + features + appLimits
}

extension Option {
    /// A member of the elements of a list, whose name is its key.
    static func member(_ name: String, _ field: Field<Settings>, unit: String = "", _ help: String) -> Option {
        Option(name: name, key: name, field: field, group: .features, unit: unit, help: help)
    }
}
