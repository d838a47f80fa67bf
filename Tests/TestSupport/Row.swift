/// One line of a test table: its name is what a failure prints.
public struct Row<Value: Sendable>: Sendable, CustomStringConvertible {
    /// The case in a few words.
    public let description: String
    /// What the case is about.
    public let value: Value

    /// A row with its name and content.
    public init(_ name: String, _ value: Value) { (description, self.value) = (name, value) }
}
