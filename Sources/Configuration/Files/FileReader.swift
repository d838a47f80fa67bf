import Arguments

/// Reads JSON with comments (`//`, `/* */`) and remembers where everything stands.
///
/// Unlike RFC 8259 it goes on after a mistake where it can, so that one run tells all of them. Strict otherwise: no
/// trailing commas, no duplicate keys, UTF-8 only, at most `depthMax` levels. `read` gives `nil` when the text cannot be
/// understood as one value; what was wrong is in `problems` then.
struct FileReader {
    static let depthMax = 32
    static let problemsMax = 50
    static let bytesMax = 16 << 20

    private let source: SourceText
    private var at = 0
    private(set) var problems = ProblemList()
    /// The reader lost its place: nothing after this point is understood.
    private var isLost = false

    static func read(_ source: SourceText) -> (node: Node?, problems: ProblemList) {
        var reader = FileReader(source: source)
        return (reader.document(), reader.problems)
    }

    private init(source: SourceText) {
        self.source = source
    }

    private mutating func document() -> Node? {
        guard source.bytes.count <= Self.bytesMax else {
            return fail(0, "file is larger than \(Self.bytesMax) bytes")
        }
        if let bad = firstInvalidUTF8(in: source.bytes) { return fail(bad, "byte is not valid UTF-8") }
        if source.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
        skipBlank()
        guard at < source.bytes.count else { return fail(at, "file is empty; expected a JSON object") }
        guard let node = value(depth: 1) else { return nil }
        skipBlank()
        if !isLost, at < source.bytes.count { fail(at, "unexpected \(shown(at)) after the end of the document") }
        return isLost ? nil : node
    }

    // MARK: Values

    private mutating func value(depth: Int) -> Node? {
        let start = at
        guard depth <= Self.depthMax else { return fail(start, "nested deeper than \(Self.depthMax) levels") }
        guard let first = peek else { return fail(start, "file ends where a value was expected") }
        switch first {
        case UInt8(ascii: "{"): return object(depth: depth)
        case UInt8(ascii: "["): return array(depth: depth)
        case UInt8(ascii: "\""):
            guard let text = string() else { return nil }
            return Node(content: .string(text, isInterpolated: false), offset: start)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number()
        case UInt8(ascii: "'"): return fail(start, "strings take double quotes, not single ones")
        default: return word()
        }
    }

    private mutating func object(depth: Int) -> Node? {
        let start = at
        var members: [Node.Member] = []
        var offsets: [String: Int] = [:]
        at += 1
        skipBlank()
        if take("}") { return Node(content: .object([]), offset: start) }
        while !isLost {
            let keyOffset = at
            guard peek == UInt8(ascii: "\"") else {
                return fail(at, "expected a key in double quotes, not \(shown(at))")
            }
            guard let key = string() else { return nil }
            skipBlank()
            guard take(":") else { return fail(at, "expected \":\" after key \(key.quoted), not \(shown(at))") }
            skipBlank()
            guard let value = self.value(depth: depth + 1) else { return nil }
            if let first = offsets[key] {
                problem(keyOffset, "key \(key.quoted) is given twice; the first is at \(source.place(first))")
            } else {
                offsets[key] = keyOffset
                if value.content != .broken {
                    members.append(Node.Member(key: key, keyOffset: keyOffset, value: value))
                }
            }
            switch separator(closing: "}", nextStarts: "\"") {
            case .another: continue
            case .closed: return Node(content: .object(members), offset: start)
            case .lost: return nil
            }
        }
        return nil
    }

    private mutating func array(depth: Int) -> Node? {
        let start = at
        var elements: [Node] = []
        at += 1
        skipBlank()
        if take("]") { return Node(content: .array([]), offset: start) }
        while !isLost {
            guard let element = value(depth: depth + 1) else { return nil }
            elements.append(element)
            switch separator(closing: "]", nextStarts: "\"{[") {
            case .another: continue
            case .closed: return Node(content: .array(elements), offset: start)
            case .lost: return nil
            }
        }
        return nil
    }

    private enum Separator { case another, closed, lost }

    /// Between two members or elements. A trailing comma and a missing comma are told, then read over.
    private mutating func separator(closing: Unicode.Scalar, nextStarts: String) -> Separator {
        let end = at
        skipBlank()
        if take(closing) { return .closed }
        let comma = at
        if take(",") {
            skipBlank()
            if take(closing) {
                problem(comma, "trailing comma before \"\(closing)\"")
                return .closed
            }
            return .another
        }
        if let next = peek, nextStarts.utf8.contains(next) {
            problem(end, "missing comma")
            return .another
        }
        fail(at, "expected \",\" or \"\(closing)\", not \(shown(at))")
        return .lost
    }

    private mutating func number() -> Node? {
        let start = at
        if peek == UInt8(ascii: "-") { at += 1 }
        let digits = at
        takeDigits()
        var isLegal = at > digits && (at == digits + 1 || source.bytes[digits] != UInt8(ascii: "0"))
        if take(".") {
            let fraction = at
            takeDigits()
            isLegal = isLegal && at > fraction
        }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            let exponent = at
            takeDigits()
            isLegal = isLegal && at > exponent
        }
        while let byte = peek, isWordByte(byte) || byte == UInt8(ascii: ".") {
            at += 1
            isLegal = false
        }
        let text = String(decoding: source.bytes[start..<at], as: UTF8.self)
        if !isLegal { problem(start, "not a JSON number; text takes double quotes") }
        return Node(content: isLegal ? .number(text) : .broken, offset: start)
    }

    private mutating func word() -> Node? {
        let start = at
        while let byte = peek, isWordByte(byte) { at += 1 }
        let text = String(decoding: source.bytes[start..<at], as: UTF8.self)
        switch text {
        case "true": return Node(content: .boolean(true), offset: start)
        case "false": return Node(content: .boolean(false), offset: start)
        case "null": return Node(content: .null, offset: start)
        case "": return fail(start, "expected a value, not \(shown(start))")
        default:
            // The extent of a bare word is clear, so reading goes on behind it.
            // Not quoted in the message: it may be a secret.
            problem(start, "not a JSON value; text takes double quotes")
            return Node(content: .broken, offset: start)
        }
    }

    // MARK: Strings

    private mutating func string() -> String? {
        let start = at
        var text: [UInt8] = []
        at += 1
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): escape(into: &text)
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                fail(start, "string is not closed on its line")
                return nil
            case 0..<0x20:
                problem(
                    at,
                    "control character in a string; write it as \\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))")
                at += 1
            default:
                text.append(byte)
                at += 1
            }
        }
        fail(start, "string is not closed")
        return nil
    }

    private mutating func escape(into text: inout [UInt8]) {
        let start = at
        at += 1
        guard let byte = peek else { return }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            guard let scalar = unicodeEscape() else {
                text.append(contentsOf: "\u{FFFD}".utf8)
                return problem(start, "\\u takes four hexadecimal digits that name a character")
            }
            text.append(contentsOf: String(scalar).utf8)
        default:
            at -= 1
            problem(start, "unknown escape \\\(shownBare(at)); a backslash itself is written \\\\")
            if byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") { at += 1 }
        }
    }

    private mutating func unicodeEscape() -> Unicode.Scalar? {
        guard let first = hexDigits() else { return nil }
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) }
        guard peek == UInt8(ascii: "\\"), at + 1 < source.bytes.count, source.bytes[at + 1] == UInt8(ascii: "u") else {
            return nil
        }
        at += 2
        guard let second = hexDigits(), (0xDC00..<0xE000).contains(second) else { return nil }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private mutating func hexDigits() -> UInt32? {
        guard at + 4 <= source.bytes.count else { return nil }
        var number: UInt32 = 0
        for byte in source.bytes[at..<at + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            number = number << 4 | UInt32(digit)
        }
        at += 4
        return number
    }

    // MARK: Small steps

    private var peek: UInt8? { at < source.bytes.count ? source.bytes[at] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: scalar) else { return false }
        at += 1
        return true
    }

    private mutating func takeDigits() {
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { at += 1 }
    }

    private func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), 0x80...:
            true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"): true
        default: false
        }
    }

    /// White space and comments.
    private mutating func skipBlank() {
        while let byte = peek {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            case UInt8(ascii: "/"):
                let start = at
                guard at + 1 < source.bytes.count else { return }
                if source.bytes[at + 1] == UInt8(ascii: "/") {
                    while let byte = peek, byte != UInt8(ascii: "\n") { at += 1 }
                } else if source.bytes[at + 1] == UInt8(ascii: "*") {
                    at += 2
                    while at < source.bytes.count, !source.bytes[at...].starts(with: [0x2A, 0x2F]) { at += 1 }
                    guard at < source.bytes.count else {
                        fail(start, "comment is not closed")
                        return
                    }
                    at += 2
                } else {
                    return
                }
            default: return
            }
        }
    }

    private func shown(_ offset: Int) -> String {
        offset < source.bytes.count ? "\"\(shownBare(offset))\"" : "the end of the file"
    }

    private func shownBare(_ offset: Int) -> String {
        String(decoding: source.bytes[offset...].prefix(4), as: UTF8.self).unicodeScalars.first.map {
            String($0).shortened
        } ?? ""
    }

    /// A mistake after which reading goes on.
    private mutating func problem(_ offset: Int, _ text: String) {
        guard !isLost else { return }
        problems.error(source.place(offset), text)
        if problems.all.count >= Self.problemsMax { isLost = true }
    }

    /// A mistake after which the rest of the file cannot be understood.
    @discardableResult
    private mutating func fail(_ offset: Int, _ text: String) -> Node? {
        problem(offset, text)
        isLost = true
        return nil
    }
}

/// The offset of the first byte that does not belong to well-formed UTF-8 (Unicode §3.9, table 3-7).
func firstInvalidUTF8(in bytes: [UInt8]) -> Int? {
    var validator = bytes.makeIterator()
    var decoder = UTF8()
    var offset = 0
    while true {
        switch decoder.decode(&validator) {
        case .scalarValue(let scalar): offset += UTF8.width(scalar)
        case .emptyInput: return nil
        case .error: return offset
        }
    }
}
