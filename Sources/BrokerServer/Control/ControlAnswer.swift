internal import Wire

/// An object of an answer of the control socket, as whoever asked reads it. What is missing reads as nothing: the broker may be older or newer.
struct ControlAnswer {
    /// Its own text, in one line.
    let json: [UInt8]
    private var members: [String: JSONValue] = [:]

    /// - Returns: nil when it is no JSON object.
    init?(_ bytes: [UInt8]) {
        json = bytes
        do throws(JSONError) {
            var cursor = JSONCursor()
            try cursor.beginObject(bytes.span)
            while let (key, value) = try cursor.nextMember(bytes.span) {
                if let name = decoded(key) { members[name] = value }
            }
            try cursor.finish(bytes.span)
        } catch { return nil }
    }

    func text(_ name: String) -> String? { members[name].flatMap(decoded) }

    func number(_ name: String) -> Int? {
        guard let value = members[name], value.kind == .number else { return nil }
        return Int(String(decoding: json[value.range], as: UTF8.self))
    }

    func isTrue(_ name: String) -> Bool {
        guard let value = members[name], value.kind == .boolean else { return false }
        return json[value.range].count == 4
    }

    func object(_ name: String) -> ControlAnswer? {
        members[name].flatMap { ControlAnswer(Array(json[$0.range])) }
    }

    /// The objects of a list.
    func objects(_ name: String) -> [ControlAnswer] {
        elements(name).compactMap { ControlAnswer(Array(json[$0.range])) }
    }

    func texts(_ name: String) -> [String] { elements(name).compactMap(decoded) }

    private func elements(_ name: String) -> [JSONValue] {
        guard let value = members[name], value.kind == .array else { return [] }
        var (found, cursor): ([JSONValue], _) = ([], JSONCursor(over: value))
        do throws(JSONError) {
            try cursor.beginArray(json.span)
            while let element = try cursor.nextElement(json.span) { found.append(element) }
            return found
        } catch { return [] }
    }

    private func decoded(_ value: JSONValue) -> String? {
        var text: [UInt8] = []
        guard value.kind == .string, JSON.appendDecoded(value, in: json.span, to: &text) else { return nil }
        return String(decoding: text, as: UTF8.self)
    }
}
