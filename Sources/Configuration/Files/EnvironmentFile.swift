internal import Wire

/// A `.env` file: `NAME=value`, `export`, comments, and quotes (`'` is literal; `"` has `\n \" \\ \$` and `${…}`;
/// either may span lines).
///
/// It belongs to an application, of whose variables few are ours: whatever stands in a line that we do not read is no
/// error.
struct EnvironmentFile: Sendable {
    struct Entry: Sendable, Equatable {
        var name: String
        var value: String
        var line: Int
    }

    /// In order of first appearance; a later line of the same name has replaced the value.
    private(set) var entries: [Entry] = []
    private(set) var problems = ProblemList()

    private let source: SourceText
    private var at = 0
    private var indexes: [String: Int] = [:]
    /// Lines without a name of a variable: the first one's place and text, and how many there are.
    private var strange: (offset: Int, text: String, count: Int)?

    /// - Parameters:
    ///   - reads: Whether somebody will ask for the variable of this name.
    ///   - lookUp: What is known besides this file, for `${…}`.
    init(_ source: SourceText, reads: (String) -> Bool = { _ in true }, lookUp: (String) -> String?) {
        self.source = source
        if source.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
        while at < source.bytes.count { line(reads, lookUp) }
        if let strange {
            let others = strange.count > 1 ? ", like \(strange.count - 1) more" : ""
            problems.warning(source.place(strange.offset), "\(strange.text); the line is ignored\(others)")
        }
    }

    private var peek: UInt8? { at < source.bytes.count ? source.bytes[at] : nil }

    private mutating func skipSpaces() {
        while peek == 0x20 || peek == 0x09 || peek == 0x0D { at += 1 }
    }

    private mutating func takeLine() -> String {
        let start = at
        while let byte = peek, byte != 0x0A { at += 1 }
        defer { at += 1 }
        return String(decoding: source.bytes[start..<at], as: UTF8.self)
    }

    private mutating func line(_ reads: (String) -> Bool, _ lookUp: (String) -> String?) {
        skipSpaces()
        guard let first = peek, first != 0x0A, first != UInt8(ascii: "#") else { return _ = takeLine() }
        let start = at
        if source.bytes[at...].starts(with: Array("export ".utf8))
            || source.bytes[at...].starts(with: Array("export\t".utf8))
        {
            at += 7
            skipSpaces()
        }
        let nameStart = at
        while let byte = peek, byte != UInt8(ascii: "="), byte != 0x0A { at += 1 }
        let name = String(decoding: source.bytes[nameStart..<at], as: UTF8.self).trimmed
        guard peek == UInt8(ascii: "=") else {
            // `export NAME` alone is legal in a shell and says nothing here.
            if !(nameStart > start && Interpolation.isName(name)) {
                noteStrange(start, "expected NAME=value", name, reads)
            }
            return _ = takeLine()
        }
        at += 1
        guard Interpolation.isName(name) else {
            let rule = "a name takes letters, digits and _, and does not begin with a digit"
            noteStrange(nameStart, rule, name, reads)
            return _ = takeLine()
        }
        skipSpaces()
        guard case .file(_, let line, _) = source.origin(at: nameStart) else { return }
        let value = readValue(name, reads, lookUp)
        if let index = indexes[name] {
            entries[index] = Entry(name: name, value: value, line: line)
        } else {
            indexes[name] = entries.count
            entries.append(Entry(name: name, value: value, line: line))
        }
    }

    /// A line that is no assignment. One that was to set what somebody reads (`REVERB_APP_ID: 1`, `"PORT"=1`) is an error, for its setting
    /// would vanish; all others belong to somebody else.
    private mutating func noteStrange(_ offset: Int, _ text: String, _ words: String, _ reads: (String) -> Bool) {
        let isQuote = { (character: Character) in character == "\"" || character == "'" }
        let name = String(words.drop(while: isQuote).prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
        if reads(name) {
            problems.error(source.place(offset), "\(name) is not set like this: \(text)")
        } else if let first = strange {
            strange?.count = first.count + 1
        } else {
            strange = (offset, text, 1)
        }
    }

    /// The value that begins here. What is wrong with it counts only when somebody reads it; otherwise the value is what
    /// stands on its line, so that an open quote does not swallow the lines below.
    private mutating func readValue(_ name: String, _ reads: (String) -> Bool, _ lookUp: (String) -> String?) -> String
    {
        let start = at
        var found = ProblemList()
        let value = self.value(&found, lookUp)
        if let bad = firstInvalidUTF8(in: Array(source.bytes[start..<min(at, source.bytes.count)])) {
            found.error(source.place(start + bad), "byte is not valid UTF-8")
        }
        guard found.hasErrors else { return value }
        if reads(name) {
            problems.append(found.all)
            return value
        }
        at = start
        return takeLine().trimmed
    }

    private mutating func value(_ found: inout ProblemList, _ lookUp: (String) -> String?) -> String {
        let start = at
        guard let quote = peek, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            var text = takeLine()
            if text.hasPrefix("#") { text = "" }
            for mark in [" #", "\t#"] {
                if let comment = text.firstPlace(of: mark) { text = String(text[..<comment.lowerBound]) }
            }
            return expanded(text.trimmed, start, &found, lookUp)
        }
        var bytes: [UInt8] = []
        at += 1
        while let byte = peek, byte != quote {
            at += 1
            guard byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\""), let next = peek else {
                bytes.append(byte)
                continue
            }
            at += 1
            switch next {
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(next)
            case UInt8(ascii: "$"): bytes += peek == UInt8(ascii: "{") ? Array("$$".utf8) : [next]
            default: bytes += [byte, next]
            }
        }
        guard peek == quote else {
            found.error(source.place(start), "quote is not closed")
            return ""
        }
        at += 1
        let after = at
        let rest = takeLine().trimmed
        if !rest.isEmpty, !rest.hasPrefix("#") {
            found.error(source.place(after), "unexpected text after the closing quote")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        return quote == UInt8(ascii: "'") ? text : expanded(text, start, &found, lookUp)
    }

    /// A name that is not set is empty, as in the tools that write such files, unless `${NAME:?…}` asks for it.
    private func expanded(
        _ text: String, _ offset: Int, _ found: inout ProblemList, _ lookUp: (String) -> String?
    ) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        let result = Interpolation.expand(text) { name in
            let outer = lookUp(name)
            if let outer, !outer.isEmpty { return outer }
            return indexes[name].map { entries[$0].value } ?? outer
        }
        for missing in result.missing where missing.message != nil {
            found.error(source.place(offset), missing.text)
        }
        if result.isMalformed {
            found.error(source.place(offset), "malformed ${…}; write ${NAME} or ${NAME:-default}")
        }
        return result.text
    }
}
