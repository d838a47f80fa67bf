import Arguments

/// Where an effective value came from, or where a problem is.
public enum Origin: Sendable, Equatable, CustomStringConvertible {
    case builtIn
    /// Chosen because of what else was configured, e.g. port 8080 when only `REVERB_*` names are present.
    case inferred(String)
    /// Follows from another setting; the text says from which and why, e.g. `follows REVERB_MAX_REQUEST_SIZE`.
    case derived(String)
    /// `line` and `column` count from 1; a column is one Unicode scalar.
    case file(path: String, line: Int, column: Int)
    case environment(String)
    /// A variable from a `--env-file`.
    case environmentFile(name: String, path: String, line: Int)
    case flag(String)

    /// As printed by `config show --origins`.
    public var description: String {
        switch self {
        case .builtIn: "default"
        case .inferred(let why): "default for \(why)"
        case .derived(let why): why
        case .file(let path, let line, let column): "file \(path):\(line):\(column)"
        case .environment(let name): "env \(name)"
        case .environmentFile(let name, let path, let line): "env \(name) (\(path):\(line))"
        case .flag(let name): "flag \(name)"
        }
    }

    /// The variable or flag, or else the place.
    var name: String {
        switch self {
        case .environment(let name), .environmentFile(let name, _, _), .flag(let name): name
        default: place()
        }
    }

    /// Said in a name or a file of Starling, not in a variable of another server.
    var isOurs: Bool {
        switch self {
        case .environment(let name), .environmentFile(let name, _, _): name.hasPrefix("STARLING_")
        default: true
        }
    }

    /// As it starts a problem's line. A value is shown only by callers that know it is no secret.
    func place(value: String? = nil) -> String {
        switch self {
        case .file(let path, let line, let column): "\(path):\(line):\(column)"
        case .builtIn, .inferred, .derived: description
        case .environment, .environmentFile, .flag: description + (value.map { "=\($0.shortened)" } ?? "")
        }
    }
}

extension String {
    var quoted: String { "\"\(shortened)\"" }
}
