internal import Wire

/// One event to publish, checked whole (Pusher protocol §6.5). Holding one is the proof that every limit was kept.
///
/// Name and data stay the JSON literals of the request's body where they can, so that a frame is encoded by copying.
/// Whatever had to be built (decoded channel names, literals of query parameters and of non-string data) is in `storage`.
public struct PublishRequest: Sendable, Equatable {
    /// Where a JSON string literal, quotes included, stands.
    public struct Literal: Sendable, Equatable {
        /// In the request's body, else in `storage`.
        public var isInBody: Bool
        /// Offsets there.
        public var range: Range<Int>
    }

    /// A channel that gets the event.
    public struct Channel: Sendable, Equatable {
        /// The name's offsets in `storage`.
        public var name: Range<Int>
        /// What the name means; also user channels, which every other rule treats apart (Pusher protocol §5.4).
        public var kind: ChannelKind
    }

    /// What is not in the body.
    public internal(set) var storage: [UInt8] = []
    /// The event's name; not reserved, within its limit.
    public internal(set) var name = Literal(isInBody: false, range: 0..<0)
    /// The event's data.
    public internal(set) var data = Literal(isInBody: false, range: 0..<0)
    /// Bytes of `data` after unescaping.
    public internal(set) var dataBytes = 0
    /// At least one channel, each once, in the order given (PW-141).
    public internal(set) var channels: [Channel] = []
    /// The connection that does not get the event; nil also for a well-formed id that this broker cannot have given out (PW-146).
    public internal(set) var excluded: SocketID?
    /// The attributes the reply shows per channel; `user_count` and `subscription_count` only.
    public internal(set) var info: ChannelInfo = []
    /// The event's own key, from its body.
    public internal(set) var idempotencyKey: IdempotencyKey?
    /// Where the event's object stands in the body of a batch.
    public internal(set) var place = 0..<0

    init() {}

    /// Reads the body of `POST /apps/{id}/events`; a parameter that the body lacks is taken from the query. Any thread.
    ///
    /// Throws 400, or 413 when `data` is too large, naming the field and its rule (PW-140…PW-150, PW-155, PW-156).
    public static func parse(
        body: Span<UInt8>, query: APIQuery, limits: PayloadLimits
    ) throws(APIError) -> PublishRequest {
        var fields = EventFields()
        if !body.isEmpty {
            do throws(JSONError) {
                var cursor = JSONCursor()
                try fields.read(&cursor, body)
                try cursor.finish(body)
            } catch {
                throw .invalid(error.text)
            }
        }
        let reader = PublishReader(query: query, limits: limits, label: "")
        var event = PublishRequest()
        try reader.read(fields, in: body, into: &event)
        return event
    }

    /// Appends the frame one channel's subscribers get (Pusher protocol §3.10). `body` is the request's.
    public func appendFrame(channel index: Int, body: Span<UInt8>, to out: inout [UInt8]) {
        let own = storage.span
        ServerFrame.event(
            nameLiteral: name.isInBody ? body.extracting(name.range) : own.extracting(name.range),
            channel: own.extracting(channels[index].name),
            dataLiteral: data.isInBody ? body.extracting(data.range) : own.extracting(data.range), to: &out)
    }
}

/// Several events, published all or not at all (Pusher protocol §6.6).
public struct BatchRequest: Sendable, Equatable {
    /// At least one, in the order given. Their body ranges are offsets into the whole body.
    public private(set) var events: [PublishRequest] = []
    /// The key of the whole batch, from its body.
    public private(set) var idempotencyKey: IdempotencyKey?

    /// Whether the reply has a `batch` member (PW-152).
    public var hasInfo: Bool { events.contains { !$0.info.isEmpty } }

    /// Reads the body of `POST /apps/{id}/batch_events`. The first invalid event fails it, 400 or 413 (PW-151). Any thread.
    public static func parse(body: Span<UInt8>, limits: PayloadLimits) throws(APIError) -> BatchRequest {
        let members = try BatchMembers(body, eventsMax: limits.batchEventsMax)
        var batch = BatchRequest()
        batch.idempotencyKey = try members.key.flatMap { value throws(APIError) in
            try IdempotencyKey.read(value, in: body, label: "\"idempotency_key\"")
        }
        batch.events.reserveCapacity(members.items.count)
        for (index, item) in members.items.enumerated() {
            guard item.kind == .object else {
                throw .invalid("\"batch[\(index)]\": must be an object, not \(item.kind.noun)")
            }
            var fields = EventFields()
            do throws(JSONError) {
                var cursor = JSONCursor(over: item)
                try fields.read(&cursor, body)
            } catch {
                throw .invalid("\"batch[\(index)]\": \(error.text)")
            }
            let reader = PublishReader(query: nil, limits: limits, label: "batch[\(index)].")
            var event = PublishRequest()
            try reader.read(fields, in: body, into: &event)
            event.place = item.range
            batch.events.append(event)
        }
        return batch
    }
}
