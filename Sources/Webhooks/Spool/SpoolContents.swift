/// What a spool had in it when it was opened.
public struct SpoolContents: Sendable, Equatable {
    /// By their numbers, each with the endpoints that have not finished it.
    public var waiting: [SpoolEntry] = []
    /// Oldest first.
    public var deadLetters: [DeadLetter] = []
    /// Of the next event: higher than any in the spool. Who must begin without the spool, because another process still has it, had better
    /// number from the clock in microseconds than from 1, or what he finishes later is finished already by its number.
    public var nextNumber: UInt64 = 1
    /// What was found damaged or left out, a sentence each.
    public var notes: [String] = []

    public init() {}
}

/// Why there is no spool.
public enum SpoolProblem: Error, Sendable, Equatable {
    /// Another process has it: a broker that is being taken over from, or one too many.
    case locked(directory: String)
    /// A sentence that says what to change.
    case unusable(String)

    public var text: String {
        switch self {
        case .locked(let directory): "Another process uses the webhook spool in \(directory)."
        case .unusable(let text): text
        }
    }
}
