internal import Wire

/// The members of one event object. Given twice they are refused when the event is built; null is absent,
/// since Laravel sends `"socket_id": null`.
struct EventFields {
    var name: JSONValue?
    var data: JSONValue?
    var channel: JSONValue?
    var channels: JSONValue?
    var socketID: JSONValue?
    var info: JSONValue?
    var idempotencyKey: JSONValue?
    var twice: StaticString?

    /// Reads one object. Unknown members are passed over (PW-149).
    mutating func read(_ cursor: inout JSONCursor, _ bytes: Span<UInt8>) throws(JSONError) {
        try cursor.beginObject(bytes)
        while let (key, value) = try cursor.nextMember(bytes) {
            if JSON.equals(key, "name", in: bytes) {
                Self.put(value, "name", &name, &twice)
            } else if JSON.equals(key, "data", in: bytes) {
                Self.put(value, "data", &data, &twice)
            } else if JSON.equals(key, "channel", in: bytes) {
                Self.put(value, "channel", &channel, &twice)
            } else if JSON.equals(key, "channels", in: bytes) {
                Self.put(value, "channels", &channels, &twice)
            } else if JSON.equals(key, "socket_id", in: bytes) {
                Self.put(value, "socket_id", &socketID, &twice)
            } else if JSON.equals(key, "info", in: bytes) {
                Self.put(value, "info", &info, &twice)
            } else if JSON.equals(key, "idempotency_key", in: bytes) {
                Self.put(value, "idempotency_key", &idempotencyKey, &twice)
            }
        }
    }

    private static func put(
        _ value: JSONValue, _ name: StaticString, _ field: inout JSONValue?, _ twice: inout StaticString?
    ) {
        if field != nil { twice = name }
        field = value
    }
}

/// Turns members into an event, or says which one breaks which rule (Pusher protocol §6.5).
struct PublishReader {
    /// Nil inside a batch, whose events have no parameters of their own.
    let query: APIQuery?
    let limits: PayloadLimits
    /// What precedes a field's name in messages: `batch[3].` or nothing.
    let label: String

    /// Fills a fresh event: one that is returned would be copied, because of the throws before it.
    func read(_ fields: EventFields, in body: Span<UInt8>, into event: inout PublishRequest) throws(APIError) {
        if let twice = fields.twice { throw refused("\(twice)", "given twice") }
        try readName(fields.name, body, &event)
        try readChannels(fields, body, &event)
        try readData(fields.data, body, &event)
        try readSocketID(fields.socketID, body, &event)
        try readInfo(fields.info, body, &event)
        if let key = fields.idempotencyKey {
            event.idempotencyKey = try IdempotencyKey.read(key, in: body, label: "\"\(label)idempotency_key\"")
        }
    }

    private func readName(_ value: JSONValue?, _ body: Span<UInt8>, _ event: inout PublishRequest) throws(APIError) {
        if let value, value.kind != .null {
            guard value.kind == .string else { throw refused("name", "must be \(nameRule), not \(value.kind.noun)") }
            event.name = .init(isInBody: true, range: value.range)
            guard value.hasEscapes else { return try checkName(body.extracting(value.content)) }
            let text = try text(value, "name", body)
            try checkName(text.span)
        } else if let given = try parameter("name") {
            try checkName(given.span)
            event.name = store(given, &event)
        } else {
            throw refused("name", "required; \(nameRule)")
        }
    }

    private var nameRule: String { "a string of 1 to \(limits.eventNameCharactersMax) characters" }

    private func checkName(_ text: Span<UInt8>) throws(APIError) {
        guard !text.isEmpty else { throw refused("name", "must be \(nameRule), not empty") }
        guard text.count <= limits.eventNameCharactersMax || ScalarCount.of(text) <= limits.eventNameCharactersMax
        else { throw refused("name", "must be \(nameRule), not \(ScalarCount.of(text))") }
        // Otherwise an API user could forge the protocol's own frames.
        if text.hasPrefix("pusher:") || text.hasPrefix("pusher_internal:") {
            throw refused("name", "names that start with pusher: or pusher_internal: are reserved")
        }
    }

    private func readData(_ value: JSONValue?, _ body: Span<UInt8>, _ event: inout PublishRequest) throws(APIError) {
        if let value, value.kind != .null {
            if value.kind == .string {
                try checkDataSize(value.decodedBytes)
                event.data = .init(isInBody: true, range: value.range)
                event.dataBytes = value.decodedBytes
            } else {
                var text: [UInt8] = []
                JSON.appendCompact(value, in: body, to: &text)
                try checkDataSize(text.count)
                event.data = store(text, &event)
                event.dataBytes = text.count
            }
        } else if let given = value == nil ? try parameter("data") : nil {
            try checkDataSize(given.count)
            event.data = store(given, &event)
            event.dataBytes = given.count
        } else {
            throw refused("data", "required; a string, it may be empty but not null")
        }
    }

    private func checkDataSize(_ bytes: Int) throws(APIError) {
        guard bytes <= limits.eventDataBytesMax else {
            let text = "\"\(label)data\": \(bytes) bytes, but an event may carry at most \(limits.eventDataBytesMax)"
            throw APIError(status: 413, text: text)
        }
    }

    private func readSocketID(
        _ value: JSONValue?, _ body: Span<UInt8>, _ event: inout PublishRequest
    ) throws(APIError) {
        if let value, value.kind != .null {
            guard value.kind == .string else {
                throw refused("socket_id", "must be a string like \"123.456\", not \(value.kind.noun)")
            }
            guard value.hasEscapes else {
                event.excluded = try socketID(body.extracting(value.content))
                return
            }
            let text = try text(value, "socket_id", body)
            event.excluded = try socketID(text.span)
        } else if let given = try parameter("socket_id") {
            event.excluded = try socketID(given.span)
        }
    }

    private func socketID(_ text: Span<UInt8>) throws(APIError) -> SocketID? {
        guard SocketID.isWellFormed(text) else {
            throw refused("socket_id", "must be digits, a dot and digits, like \"123.456\"")
        }
        return SocketID.parse(text)
    }

    private func readInfo(_ value: JSONValue?, _ body: Span<UInt8>, _ event: inout PublishRequest) throws(APIError) {
        var text: [UInt8] = []
        if let value, value.kind != .null {
            guard value.kind == .string else {
                throw refused("info", "must be a comma list like \"user_count\", not \(value.kind.noun)")
            }
            text = try self.text(value, "info", body)
        } else if let given = query?.list("info") {
            text = given
        }
        guard !text.isEmpty else { return }
        event.info = try ChannelInfo.parse(
            text.span, allowed: [.userCount, .subscriptionCount], label: "\"\(label)info\"")
    }

    /// The text of a string that is interpreted; what is only passed on need not be text.
    func text(_ value: JSONValue, _ field: @autoclosure () -> String, _ body: Span<UInt8>) throws(APIError) -> [UInt8] {
        var text: [UInt8] = []
        guard JSON.appendDecoded(value, in: body, to: &text) else { throw refused(field(), loneSurrogateRule) }
        return text
    }

    /// A query parameter's text, which will stand in JSON, so it must be UTF-8.
    func parameter(_ name: StaticString) throws(APIError) -> [UInt8]? {
        guard let text = query?.value(name) else { return nil }
        guard UTF8Check.isValid(text.span) else { throw refused("\(name)", "the query parameter is not valid UTF-8") }
        return text
    }

    private func store(_ text: [UInt8], _ event: inout PublishRequest) -> PublishRequest.Literal {
        let start = event.storage.count
        JSON.appendQuoted(text.span, to: &event.storage)
        return .init(isInBody: false, range: start..<event.storage.count)
    }

    func refused(_ field: String, _ rule: String) -> APIError { .invalid("\"\(label)\(field)\": \(rule)") }
}
