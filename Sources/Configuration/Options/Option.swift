import BrokerCore

/// Under which heading an option is listed.
enum OptionGroup: String, Sendable, CaseIterable {
    case listener = "Listener"
    case tls = "TLS"
    case metrics = "Metrics"
    case process = "Process"
    case webhooks = "Webhooks"
    case limits = "Limits of the process"
    case publicAddress = "Public address (printed snippets only)"
    case identity = "App: identity"
    case features = "App: features"
    case appLimits = "App: limits"

    var isOfApp: Bool { [.identity, .features, .appLimits].contains(self) }

    /// The groups that some option is in, with their options in the order of the table.
    static func sorted<Settings>(_ options: [Option<Settings>]) -> [(group: OptionGroup, options: [Option<Settings>])] {
        allCases.compactMap { group in
            let members = options.filter { $0.group == group }
            return members.isEmpty ? nil : (group, members)
        }
    }
}

/// One row of the table from which flags, variables, the file's keys, `--help`, `config show` and the reference page
/// come.
struct Option<Settings: Sendable>: Sendable {
    /// Kebab-case: `path-prefix` is the flag `--path-prefix` and the variable `STARLING_PATH_PREFIX`.
    let name: String
    /// The member in the file; `limits.x` stands one level down.
    let key: String
    let field: Field<Settings>
    let group: OptionGroup
    var unit = ""
    var shortFlag: Character?
    /// A running server goes over to another value (`ServerSettings.reloading`); all options of apps do.
    var isReloadable = false
    let help: String

    /// What the key stands under: `tls` for `tls.port`, `nil` at the top. `member` is its name there.
    var section: String? { key.contains(".") ? String(key.prefix { $0 != "." }) : nil }
    var member: String { section.map { String(key.dropFirst($0.count + 1)) } ?? key }
    var flag: String { "--" + name }
    var variable: String { "STARLING_" + name.screaming }
    /// Names a file that holds the value, for secrets.
    var fileVariable: String { variable + "_FILE" }
}

extension String {
    /// `path-prefix` → `PATH_PREFIX`.
    var screaming: String { String(map { $0 == "-" ? "_" : Character($0.uppercased()) }) }
}
