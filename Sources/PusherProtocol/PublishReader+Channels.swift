internal import Wire

/// The list of channels an event goes to: `channels`, else `channel`, from the body or from the query.
extension PublishReader {
    func readChannels(
        _ fields: EventFields, _ body: Span<UInt8>, _ event: inout PublishRequest
    ) throws(APIError) {
        var seen = NamesSeen()
        if let list = fields.channels, list.kind != .null {
            try readList(list, body, &event, &seen)
        } else if let one = fields.channel, one.kind != .null {
            try add(one, body, "channel", &event, &seen)
        } else if let names = query?.values("channels"), !names.isEmpty {
            guard names.count <= limits.eventChannelsMax else { throw refused("channels", "must be \(rule), not more") }
            for (index, name) in names.enumerated() { try add(name, "channels[\(index)]", &event, &seen) }
        } else if let name = query?.value("channel") {
            try add(name, "channel", &event, &seen)
        } else {
            throw refused("channels", "required; \(rule), or \"channel\" with one")
        }
    }

    private var rule: String { "an array of 1 to \(limits.eventChannelsMax) channel names" }

    private func readList(
        _ list: JSONValue, _ body: Span<UInt8>, _ event: inout PublishRequest, _ seen: inout NamesSeen
    ) throws(APIError) {
        guard list.kind == .array else { throw refused("channels", "must be \(rule), not \(list.kind.noun)") }
        var cursor = JSONCursor(over: list), count = 0
        while let element = try element(&cursor, isFirst: count == 0, body) {
            guard count < limits.eventChannelsMax else { throw refused("channels", "must be \(rule), not more") }
            try add(element, body, "channels[\(count)]", &event, &seen)
            count += 1
        }
        guard count > 0 else { throw refused("channels", "must be \(rule), not empty") }
    }

    private func element(
        _ cursor: inout JSONCursor, isFirst: Bool, _ body: Span<UInt8>
    ) throws(APIError) -> JSONValue? {
        do throws(JSONError) {
            if isFirst { try cursor.beginArray(body) }
            return try cursor.nextElement(body)
        } catch {
            throw .invalid(error.text)
        }
    }

    private func add(
        _ value: JSONValue, _ body: Span<UInt8>, _ field: @autoclosure () -> String, _ event: inout PublishRequest,
        _ seen: inout NamesSeen
    ) throws(APIError) {
        guard value.kind == .string else { throw refused(field(), "must be a string, not \(value.kind.noun)") }
        let start = event.storage.count
        guard JSON.appendDecoded(value, in: body, to: &event.storage) else {
            throw refused(field(), loneSurrogateRule)
        }
        try add(start..<event.storage.count, field(), &event, &seen)
    }

    private func add(
        _ name: [UInt8], _ field: @autoclosure () -> String, _ event: inout PublishRequest, _ seen: inout NamesSeen
    ) throws(APIError) {
        let start = event.storage.count
        event.storage.append(contentsOf: name)
        try add(start..<event.storage.count, field(), &event, &seen)
    }

    /// `name` is the end of the storage; a duplicate is taken back from there.
    private func add(
        _ name: Range<Int>, _ field: @autoclosure () -> String, _ event: inout PublishRequest, _ seen: inout NamesSeen
    ) throws(APIError) {
        let kind: ChannelKind
        do throws(ChannelNameError) {
            kind = try ChannelName.classify(
                event.storage.span.extracting(name), bytesMax: limits.channelNameBytesMax,
                userIDCharactersMax: limits.userIDCharactersMax)
        } catch {
            throw refused(field(), error.text)
        }
        if seen.insert(name, event) {
            event.channels.append(.init(name: name, kind: kind))
        } else {
            event.storage.removeLast(name.count)
        }
    }

    /// Which names an event already goes to. A short list is searched; a long one must not cost its square.
    private struct NamesSeen {
        private var table: Set<[UInt8]> = []

        mutating func insert(_ name: Range<Int>, _ event: PublishRequest) -> Bool {
            let known = event.channels, bytes = event.storage
            guard known.count >= 8 else {
                return !known.contains { $0.name.count == name.count && bytes[$0.name] == bytes[name] }
            }
            if table.isEmpty { for channel in known { table.insert(Array(bytes[channel.name])) } }
            return table.insert(Array(bytes[name])).inserted
        }
    }
}
