internal import Wire

/// The named values of a request: of its query, or of the object in its body. Each name once.
struct ControlFields {
    private enum Value: Equatable {
        case text(String)
        case truth(Bool)
    }

    private var values: [String: Value] = [:]

    init(query: Span<UInt8>) throws(ControlReply) {
        guard !query.isEmpty else { return }
        var start = 0
        while start <= query.count {
            let end = query.firstOffset(of: UInt8(ascii: "&"), in: start..<query.count)
            let equals = query.firstOffset(of: UInt8(ascii: "="), in: start..<end)
            guard let name = Percent.decode(query.extracting(start..<equals)),
                let value = Percent.decode(query.extracting(min(equals + 1, end)..<end), plusAsSpace: true)
            else { throw .failure(400, "The query has a % without two digits behind it") }
            try add(String(decoding: name, as: UTF8.self), .text(String(decoding: value, as: UTF8.self)))
            start = end + 1
        }
    }

    init(object body: Span<UInt8>) throws(ControlReply) {
        var members: [(key: JSONValue, value: JSONValue)] = []
        do throws(JSONError) {
            var cursor = JSONCursor(depthMax: 2)
            try cursor.beginObject(body)
            while let member = try cursor.nextMember(body) { members.append(member) }
            try cursor.finish(body)
        } catch {
            throw .failure(400, error.text)
        }
        for (key, value) in members {
            let name = try Self.text(key, body)
            switch value.kind {
            case .string: try add(name, .text(try Self.text(value, body)))
            case .boolean: try add(name, .truth(body.equals(value.range, "true")))
            case .object, .array, .number, .null: throw .failure(400, "\"\(name)\" is a text, or true")
            }
        }
    }

    private static func text(_ value: JSONValue, _ body: Span<UInt8>) throws(ControlReply) -> String {
        var bytes: [UInt8] = []
        guard JSON.appendDecoded(value, in: body, to: &bytes) else {
            throw .failure(400, "A text has half of a surrogate pair in it")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func text(_ name: String) -> String? {
        if case .text(let text) = values[name] { text } else { nil }
    }

    func isTrue(_ name: String) -> Bool { values[name] == .truth(true) }

    func number(_ name: String, _ range: ClosedRange<Int>) throws(ControlReply) -> Int? {
        guard let text = text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw .failure(400, "\"\(name)\" is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Passes a result on when there was nothing but what it was made of.
    func finish<Result>(_ result: Result, _ known: String...) throws(ControlReply) -> Result {
        guard let other = values.keys.filter({ !known.contains($0) }).min() else { return result }
        throw .failure(400, "\"\(other)\" is not known here")
    }

    private mutating func add(_ name: String, _ value: Value) throws(ControlReply) {
        guard values.updateValue(value, forKey: name) == nil else {
            throw .failure(400, "\"\(name)\" is there twice")
        }
    }
}
