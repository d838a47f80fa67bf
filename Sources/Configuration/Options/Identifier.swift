/// Ids and keys of apps. They stand in URL paths as they are, so they take what needs no escape there (`pchar` of
/// RFC 3986 §3.3 without `%`); a key ends at the first colon of `auth`.
enum Identifier {
    enum Kind { case id, key }

    private static let charactersMax = 200

    /// What is wrong with it as a sentence, or `nil`.
    static func fault(of text: String, as kind: Kind) -> String? {
        let isLegal =
            (1...charactersMax).contains(text.utf8.count) && text.utf8.allSatisfy { takes($0, kind) }
            && text != "." && text != ".."
        guard !isLegal else { return nil }
        let characters = "A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) * + , ; = @" + (kind == .id ? " :" : "")
        return "must be 1 to \(charactersMax) of \(characters), not \(text.quoted)\(hint(text, kind))"
    }

    private static func takes(_ byte: UInt8, _ kind: Kind) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: ":"): kind == .id
        default: "-._~!$&'()*+,;=@".utf8.contains(byte)
        }
    }

    private static func hint(_ text: String, _ kind: Kind) -> String {
        if let habit = StrayCharacters.of(text) { return "; it \(habit.text)" }
        if text.utf8.contains(UInt8(ascii: "/")) { return "; a slash would end it in the path of a URL" }
        if text.utf8.contains(UInt8(ascii: ":")), kind == .key { return "; a colon would end it in auth" }
        if text == "." || text == ".." { return "; HTTP clients leave such a part of a path out" }
        return ""
    }
}

/// What comes along when a value is copied: it looks right and is another value.
enum StrayCharacters {
    case carriageReturn, blank, quotes

    static func of(_ text: String) -> StrayCharacters? {
        let scalars = text.unicodeScalars
        guard let first = scalars.first, let last = scalars.last else { return nil }
        if last == "\r" { return .carriageReturn }
        if first.properties.isWhitespace || last.properties.isWhitespace { return .blank }
        if scalars.count > 1, first == last, first == "\"" || first == "'" || first == "`" { return .quotes }
        return nil
    }

    /// Goes on after "it" or "the secret".
    var text: String {
        switch self {
        case .carriageReturn:
            "ends with a carriage return (from a file with Windows line ends?), which is part of it here"
        case .blank: "begins or ends with a blank, which is part of it here"
        case .quotes: "has quotes around it, which are part of it here"
        }
    }
}
