internal import Wire

/// The members of a batch's body; its events are not read yet.
struct BatchMembers {
    /// 1...`eventsMax` values.
    private(set) var items: [JSONValue] = []
    private(set) var key: JSONValue?

    private let eventsMax: Int
    private var listKind: JSONKind?
    private var twice: StaticString?
    /// The event that is being walked over, so that an error is told with its index.
    private var index: Int?

    init(_ body: Span<UInt8>, eventsMax: Int) throws(APIError) {
        self.eventsMax = eventsMax
        do throws(JSONError) { try read(body) } catch {
            throw .invalid((index.map { "\"batch[\($0)]\": " } ?? "") + error.text)
        }
        let rule = "an array of 1 to \(eventsMax) events"
        if let twice { throw .invalid("\"\(twice)\": given twice") }
        guard let listKind, listKind != .null else { throw .invalid("\"batch\": required; \(rule)") }
        guard listKind == .array else { throw .invalid("\"batch\": must be \(rule), not \(listKind.noun)") }
        guard !items.isEmpty else { throw .invalid("\"batch\": must be \(rule), not empty") }
        guard items.count <= eventsMax else { throw .invalid("\"batch\": must be \(rule), not more") }
    }

    private mutating func read(_ body: Span<UInt8>) throws(JSONError) {
        var cursor = JSONCursor()
        try cursor.beginObject(body)
        while let name = try cursor.nextName(body) {
            if JSON.equals(name, "batch", in: body) {
                if listKind != nil { twice = "batch" }
                try readList(&cursor, body)
                continue
            }
            let value = try cursor.memberValue(body)
            guard JSON.equals(name, "idempotency_key", in: body) else { continue }
            if key != nil { twice = "idempotency_key" }
            key = value
        }
        try cursor.finish(body)
    }

    /// Walks the list in its place in the body.
    private mutating func readList(_ cursor: inout JSONCursor, _ body: Span<UInt8>) throws(JSONError) {
        var elements = cursor.nested
        guard (try? elements.beginArray(body)) != nil else {
            listKind = try cursor.memberValue(body).kind
            return
        }
        (listKind, index) = (.array, 0)
        while let element = try elements.nextElement(body) {
            if items.count <= eventsMax { items.append(element) }
            index = items.count
        }
        index = nil
        cursor.resume(after: elements)
    }
}
