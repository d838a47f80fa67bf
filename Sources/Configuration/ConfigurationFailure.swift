/// Why nothing was started.
public struct ConfigurationFailure: Error, Sendable, Equatable {
    /// Errors and warnings, in the order in which they were found.
    public var problems: [Problem]
    /// 78, or 2 when the command line itself is wrong.
    public var exitCode: Int32

    /// All problems, one line each, and a line that counts them: `2 errors, 1 warning; nothing was started`.
    public var text: String { text() }

    func text(ending: String = "nothing was started") -> String {
        var list = ProblemList()
        list.append(problems)
        return problems.map { "\($0)\n" }.joined() + list.counts + "; \(ending)\n"
    }
}
