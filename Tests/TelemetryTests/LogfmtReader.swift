/// A strict reader of logfmt, written from the grammar above `LogLine` and not from its code.
enum LogfmtReader {
    struct Malformed: Error { let text: String }

    /// The pairs of one line, which must end with its newline and hold no other.
    static func pairs(of line: String) throws -> [(key: String, value: String)] {
        var rest = Array(line.unicodeScalars)[...]
        guard rest.popLast() == "\n" else { throw Malformed(text: "no newline at the end") }
        var pairs: [(key: String, value: String)] = []
        while true {
            let key = rest.prefix { ("a"..."z").contains($0) || $0 == "_" }
            rest = rest.dropFirst(key.count)
            guard !key.isEmpty, rest.popFirst() == "=" else { throw Malformed(text: "a key and = at \(String(rest))") }
            pairs.append((String(key), try rest.first == "\"" ? quoted(&rest) : word(&rest)))
            guard let separator = rest.popFirst() else { return pairs }
            guard separator == " " else { throw Malformed(text: "\(separator) between two pairs") }
        }
    }

    private static func word(_ rest: inout ArraySlice<Unicode.Scalar>) throws -> String {
        let word = rest.prefix { $0.value > 0x20 && $0.value < 0x7F && $0 != "\"" && $0 != "=" && $0 != "\\" }
        rest = rest.dropFirst(word.count)
        guard !word.isEmpty else { throw Malformed(text: "an empty value without quotes") }
        return String(word)
    }

    private static func quoted(_ rest: inout ArraySlice<Unicode.Scalar>) throws -> String {
        rest = rest.dropFirst()
        var value: [Unicode.Scalar] = []
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return String(value[...])
            case "\\": value.append(try escaped(&rest))
            case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value):
                throw Malformed(text: "a bare control")
            default: value.append(scalar)
            }
        }
        throw Malformed(text: "no closing quote")
    }

    private static func escaped(_ rest: inout ArraySlice<Unicode.Scalar>) throws -> Unicode.Scalar {
        switch rest.popFirst() {
        case "\"": return "\""
        case "\\": return "\\"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            let digits = rest.prefix(4)
            rest = rest.dropFirst(4)
            guard digits.count == 4, let number = UInt32(String(digits), radix: 16), let scalar = Unicode.Scalar(number)
            else { throw Malformed(text: "\\u without four digits") }
            return scalar
        default: throw Malformed(text: "an unknown escape")
        }
    }
}

extension String {
    init(_ scalars: ArraySlice<Unicode.Scalar>) {
        self.init(String.UnicodeScalarView(scalars))
    }
}
