import Arguments

/// One thing that is wrong, or suspicious, in what the operator wrote.
public struct Problem: Sendable, Equatable, CustomStringConvertible {
    public enum Severity: Sendable {
        /// Nothing is started.
        case error
        case warning
    }
    public var severity: Severity
    /// `config.json:14:9`, `env SOKETI_ADAPTER_DRIVER=cluster`, `flag --port=x`; holds no secret.
    public var place: String
    public var text: String
    /// The command line itself is wrong: exit code 2 rather than 78.
    public var isUsage = false

    /// An error that no text of the operator's is the place of.
    public static func error(_ text: String) -> Problem { Problem(severity: .error, place: "", text: text) }

    /// One line, without its line end.
    public var description: String {
        (place.isEmpty ? "" : place + ": ") + (severity == .warning ? "warning: " : "") + text
    }
}

/// Problems in the order in which they were found. Reading goes on after each, so that all are told at once.
struct ProblemList: Sendable, Equatable {
    private(set) var all: [Problem] = []

    var hasErrors: Bool { all.contains { $0.severity == .error } }
    var warnings: [Problem] { all.filter { $0.severity == .warning } }
    /// 2 when the command line is wrong, 78 (EX_CONFIG) when only the configuration is, 0 when there is no error.
    var exitCode: Int32 {
        guard hasErrors else { return 0 }
        return all.contains { $0.severity == .error && $0.isUsage } ? ExitCode.usage : ExitCode.configuration
    }

    mutating func error(_ place: String, _ text: String, isUsage: Bool = false) {
        all.append(Problem(severity: .error, place: place, text: text, isUsage: isUsage))
    }

    mutating func error(_ origin: Origin, value: String? = nil, _ text: String) {
        if case .flag = origin {
            error(origin.place(value: value), text, isUsage: true)
        } else {
            error(origin.place(value: value), text)
        }
    }

    mutating func warning(_ place: String, _ text: String) {
        all.append(Problem(severity: .warning, place: place, text: text))
    }

    /// ` — did you mean X?`, or nothing. Only for the first problems: a generated file may have the same mistake in each of
    /// 65,000 apps, and a guess costs more than reading the app.
    func hint(_ name: String, in candidates: [String]) -> String {
        all.count < 100 ? NearestName.hint(name, in: candidates) : ""
    }

    mutating func append(_ others: [Problem]) { all += others }

    /// `2 errors, 1 warning`.
    var counts: String {
        let warnings = warnings.count
        let errors = all.count - warnings
        func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
        return count(errors, "error") + (warnings > 0 ? ", " + count(warnings, "warning") : "")
    }
}

/// What the process returns to its parent (sysexits.h where there is a number for it).
public enum ExitCode {
    public static let success: Int32 = 0
    /// It ran and failed.
    public static let failure: Int32 = 1
    public static let usage: Int32 = 2
    /// EX_UNAVAILABLE: the address is in use, or a dependency is missing.
    public static let unavailable: Int32 = 69
    /// EX_CONFIG.
    public static let configuration: Int32 = 78
}
