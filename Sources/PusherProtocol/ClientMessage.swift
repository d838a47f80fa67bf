public import Wire

/// Why a client's message cannot be acted on; the socket stays (PW-030, PW-031).
public struct ClientMessageError: Error, Equatable, Sendable {
    /// What to change, for the developer who reads the browser's console.
    public var text: String
    /// What fails with it, so that a subscription fails as every subscription does and a sign-in likewise (§3.4, §5.1); nil
    /// when the event is not known. Anything else is answered by `pusher:error` with code `null`.
    public var kind: ClientMessage.Kind?
    /// Subscribe: the channel as a JSON literal in scratch, when it is a string and yet no name; else empty.
    public var channelLiteral = 0..<0

    init(text: String) { self.text = text }

    func failing(_ kind: ClientMessage.Kind) -> Self {
        var error = self
        error.kind = kind
        return error
    }

    static func missing(_ path: StaticString) -> Self { Self(text: "Missing parameter: \(path)") }

    static func wrongKind(_ path: StaticString, _ expected: StaticString, _ kind: JSONKind) -> Self {
        Self(text: "\(path) must be \(expected), not \(kind.noun)")
    }

    static func twice(_ path: StaticString) -> Self { Self(text: "\(path) is given twice") }

    static func loneSurrogate(_ path: StaticString) -> Self { Self(text: "\(path) \(loneSurrogateRule)") }
}

/// One text message of a client, read once into offsets (Pusher protocol §2.1).
///
/// `name` and `data` are places in the message, so that a client event is forwarded without decoding. The decoded
/// strings are places in the caller's scratch buffer and live until its next use. No `String` is built.
public struct ClientMessage: Sendable, Equatable {
    /// What the client wants.
    public enum Kind: UInt8, Sendable {
        case ping
        case pong
        case subscribe
        case unsubscribe
        case signin
        /// A `client-…` event (anchored, PW-104).
        case clientEvent
        /// Well formed, but nothing a client may cause: an unknown `pusher:` name, a server-only one, any other (PW-032).
        case ignored
    }

    /// What the client wants.
    public internal(set) var kind: Kind
    /// The event's name as a literal in the message; nil only for a ping taken by the fast path.
    public internal(set) var name: JSONValue?
    /// Client events: the `data` value in the message; `appendDataLiteral` forwards it.
    public internal(set) var data: JSONValue?
    /// Subscribe, unsubscribe, client events: the channel's decoded name in scratch; empty only if a subscribe names "".
    public internal(set) var channel = 0..<0
    /// Subscribe, sign-in: `auth`, which means nothing on a public channel, whatever it is.
    public internal(set) var auth = CommandField.absent
    /// Subscribe: `channel_data`; likewise.
    public internal(set) var channelData = CommandField.absent
    /// Sign-in: `user_data`.
    public internal(set) var userData = CommandField.absent

    /// Reads a message. `scratch` is overwritten; keep one per loop. Thread: the owner of `scratch`.
    public static func parse(
        _ bytes: Span<UInt8>, scratch: inout [UInt8]
    ) throws(ClientMessageError) -> ClientMessage {
        scratch.removeAll(keepingCapacity: true)
        // What pusher-js sends, byte for byte: the one message that idle clients repeat for ever.
        if bytes.equals(#"{"event":"pusher:ping","data":{}}"#) { return ClientMessage(kind: .ping) }
        let envelope = try ClientEnvelope(bytes)
        guard let name = envelope.event else { throw .missing("event") }
        guard name.kind == .string else { throw .wrongKind("event", "a string", name.kind) }
        guard !name.hasLoneSurrogate else { throw .loneSurrogate("event") }
        var message = ClientMessage(kind: kind(name, in: bytes, scratch: &scratch), name: name)
        if envelope.isDataTwice { throw .twice("data").failing(message.kind) }
        if envelope.isChannelTwice { throw .twice("channel").failing(message.kind) }
        switch message.kind {
        case .ping, .pong, .ignored: break
        case .clientEvent:
            guard let channel = envelope.channel, let data = envelope.data, channel.kind == .string,
                channel.decodedBytes > 0
            else { throw ClientMessageError(text: "Invalid client event: it must contain channel and data") }
            guard !channel.hasLoneSurrogate else { throw .loneSurrogate("channel") }
            message.channel = decode(channel, in: bytes, to: &scratch)
            message.data = data
        case .subscribe, .unsubscribe, .signin:
            do throws(ClientMessageError) {
                try message.readFields(of: envelope.data, in: bytes, scratch: &scratch)
            } catch {
                throw error.failing(message.kind)
            }
        }
        return message
    }

    /// Client events: appends `data` as the JSON string literal that subscribers get: a string verbatim, anything else
    /// as `JSON.stringify` would write it (Pusher protocol §4, PW-098). `bytes` is the message.
    public func appendDataLiteral(in bytes: Span<UInt8>, to out: inout [UInt8]) {
        guard let data else { return }
        if data.kind == .string {
            out.append(bytes: bytes, data.range)
        } else {
            JSON.appendStringified(data, in: bytes, to: &out)
        }
    }

    /// Client events: the size of `data` that limits measure, in bytes: a string after unescaping, else the JSON text.
    public var dataBytes: Int {
        guard let data else { return 0 }
        return data.kind == .string ? data.decodedBytes : data.range.count
    }

    /// The length of the event's name in Unicode scalars (Pusher protocol §4, PW-104). `bytes` is the message.
    public func nameCharacters(in bytes: Span<UInt8>) -> Int {
        name.map { ScalarCount.of($0, in: bytes) } ?? 0
    }

    private static func kind(_ name: JSONValue, in bytes: Span<UInt8>, scratch: inout [UInt8]) -> Kind {
        if isClientEvent(name, in: bytes, scratch: &scratch) { return .clientEvent }
        if JSON.equals(name, "pusher:ping", in: bytes) { return .ping }
        if JSON.equals(name, "pusher:pong", in: bytes) { return .pong }
        if JSON.equals(name, "pusher:subscribe", in: bytes) { return .subscribe }
        if JSON.equals(name, "pusher:unsubscribe", in: bytes) { return .unsubscribe }
        if JSON.equals(name, "pusher:signin", in: bytes) { return .signin }
        return .ignored
    }

    private static func isClientEvent(_ name: JSONValue, in bytes: Span<UInt8>, scratch: inout [UInt8]) -> Bool {
        guard name.hasEscapes else { return bytes.extracting(name.content).hasPrefix("client-") }
        defer { scratch.removeAll(keepingCapacity: true) }
        return JSON.appendDecoded(name, in: bytes, to: &scratch) && scratch.span.hasPrefix("client-")
    }

    /// The text's place in scratch. The caller has seen that the string is text.
    static func decode(_ string: JSONValue, in bytes: Span<UInt8>, to scratch: inout [UInt8]) -> Range<Int> {
        let start = scratch.count
        let isText = JSON.appendDecoded(string, in: bytes, to: &scratch)
        assert(isText, "a string with a lone surrogate was to be decoded")
        return start..<scratch.count
    }
}

/// The three members every message may have. Given twice they are refused: two readers must not see two messages. `event`
/// twice is told at once, since it is not known what fails with it.
private struct ClientEnvelope {
    var event: JSONValue?
    var channel: JSONValue?
    var data: JSONValue?
    var isDataTwice = false
    var isChannelTwice = false

    init(_ bytes: Span<UInt8>) throws(ClientMessageError) {
        var isEventTwice = false
        do throws(JSONError) {
            var cursor = JSONCursor()
            try cursor.beginObject(bytes)
            while let (key, value) = try cursor.nextMember(bytes) {
                if JSON.equals(key, "event", in: bytes) {
                    if event != nil { isEventTwice = true }
                    event = value
                } else if JSON.equals(key, "data", in: bytes) {
                    if data != nil { isDataTwice = true }
                    data = value
                } else if JSON.equals(key, "channel", in: bytes) {
                    if channel != nil { isChannelTwice = true }
                    channel = value
                }
            }
            try cursor.finish(bytes)
        } catch {
            throw ClientMessageError(text: error.text)
        }
        if isEventTwice { throw .twice("event") }
    }
}
