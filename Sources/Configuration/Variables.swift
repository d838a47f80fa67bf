/// The process's variables over those of a `--env-file`, each with its origin. Empty ones are left out.
struct Variables: Sendable {
    struct Variable: Sendable, Equatable {
        var value: String
        var origin: Origin
    }

    private(set) var all: [String: Variable] = [:]
    /// Set, but to nothing.
    private var empty: Set<String> = []

    init(environment: [String: String]) {
        for (name, value) in environment {
            if value.isEmpty {
                empty.insert(name)
            } else {
                all[name] = Variable(value: value, origin: .environment(name))
            }
        }
    }

    subscript(_ name: String) -> Variable? { all[name] }

    /// As `${NAME}` sees it: empty text when it is set to nothing.
    func lookUp(_ name: String) -> String? { all[name]?.value ?? (empty.contains(name) ? "" : nil) }

    mutating func set(_ name: String, _ value: String, _ origin: Origin) {
        all[name] = Variable(value: value, origin: origin)
    }

    mutating func remove(_ name: String) { all[name] = nil }

    func names(withPrefix prefix: String) -> [String] { all.keys.filter { $0.hasPrefix(prefix) }.sorted() }

    /// Adds what the environment does not have.
    mutating func add(_ file: EnvironmentFile, path: String) {
        for entry in file.entries where all[entry.name] == nil {
            guard !entry.value.isEmpty else {
                empty.insert(entry.name)
                continue
            }
            let origin = Origin.environmentFile(name: entry.name, path: path, line: entry.line)
            all[entry.name] = Variable(value: entry.value, origin: origin)
        }
    }
}
