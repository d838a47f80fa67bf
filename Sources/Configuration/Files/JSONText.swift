/// A JSON value to be printed: two spaces per level, short arrays on one line.
enum JSONText: Sendable {
    case literal(String)
    case string(String)
    case array([JSONText])
    case object([(String, JSONText)])

    func printed(indent: Int = 0) -> String {
        let inner = String(repeating: " ", count: indent + 2)
        let outer = String(repeating: " ", count: indent)
        switch self {
        case .literal(let text): return text
        case .string(let text): return Self.quoted(text)
        case .array(let elements):
            guard elements.contains(where: \.isObject) else {
                return "[" + elements.map { $0.printed() }.joined(separator: ", ") + "]"
            }
            return "[\n" + elements.map { inner + $0.printed(indent: indent + 2) }.joined(separator: ",\n")
                + "\n\(outer)]"
        case .object(let members):
            guard !members.isEmpty else { return "{}" }
            let lines = members.map { inner + Self.quoted($0.0) + ": " + $0.1.printed(indent: indent + 2) }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        }
    }

    private var isObject: Bool { if case .object = self { true } else { false } }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if scalar.value < 0x20 {
                    result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
