internal import Wire

/// A JSON object as it is written down, member by member. The names are ours and need no escape.
struct JSONObjectText {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]

    /// The text of an object whose members `fill` adds.
    static func of(_ fill: (inout JSONObjectText) -> Void) -> [UInt8] {
        var object = JSONObjectText()
        fill(&object)
        object.bytes.append(UInt8(ascii: "}"))
        return object.bytes
    }

    mutating func add(_ name: StaticString, _ text: String) {
        begin(name)
        JSON.appendQuoted(Array(text.utf8).span, to: &bytes)
    }

    /// Bytes that need not be UTF-8: they are mended.
    mutating func add(_ name: StaticString, utf8 text: [UInt8]) { add(name, String(decoding: text, as: UTF8.self)) }

    /// Nothing for nil.
    mutating func add(_ name: StaticString, optional text: String?) {
        if let text { add(name, text) }
    }

    /// `null` for nil.
    mutating func add(_ name: StaticString, _ number: Int?) {
        begin(name)
        guard let number else { return bytes.append(contentsOf: "null".utf8) }
        JSON.appendInteger(number, to: &bytes)
    }

    mutating func add(_ name: StaticString, _ isTrue: Bool) {
        begin(name)
        bytes.append(contentsOf: (isTrue ? "true" : "false").utf8)
    }

    /// A whole value.
    mutating func add(_ name: StaticString, json: [UInt8]) {
        begin(name)
        bytes += json
    }

    mutating func add(_ name: StaticString, list: some Sequence<[UInt8]>) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        var isFirst = true
        for one in list {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            bytes += one
        }
        bytes.append(UInt8(ascii: "]"))
    }

    mutating func add(_ name: StaticString, texts: some Sequence<String>) {
        add(
            name,
            list: texts.map { text in
                var quoted: [UInt8] = []
                JSON.appendQuoted(Array(text.utf8).span, to: &quoted)
                return quoted
            })
    }

    private mutating func begin(_ name: StaticString) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: "\":".utf8)
    }
}
