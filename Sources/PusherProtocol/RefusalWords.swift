internal import Wire

// Words that refusals share, whoever is refused.

/// What is wrong with a string that is interpreted (a name, an id) and of which UTF-8 cannot hold a part.
let loneSurrogateRule = "holds a \\u escape that is half of a surrogate pair (text cut through a character)"

extension JSONKind {
    /// "must be a string, not a number".
    var noun: StaticString {
        switch self {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number: "a number"
        case .boolean: "a boolean"
        case .null: "null"
        }
    }
}
