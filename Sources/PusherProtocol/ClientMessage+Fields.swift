public import Wire

/// A member of a command's `data` as the client gave it; whether it matters is decided by who acts on the command.
public enum CommandField: Sendable, Equatable {
    /// Not there, or null (PW-040).
    case absent
    /// Its decoded text in scratch; "" is present (Pusher protocol §3.2).
    case text(Range<Int>)
    /// Anything but a string.
    case wrongKind(JSONKind)
    /// A string that is no text.
    case loneSurrogate
    /// Two readers could see two values.
    case twice

    /// The text's place; nil when there is none.
    public var range: Range<Int>? { if case .text(let range) = self { range } else { nil } }

    /// What is wrong with a member that is there; nil when it is a text, or absent.
    public func problem(_ path: StaticString) -> String? {
        switch self {
        case .text, .absent: nil
        case .wrongKind(let kind): ClientMessageError.wrongKind(path, "a string", kind).text
        case .loneSurrogate: ClientMessageError.loneSurrogate(path).text
        case .twice: ClientMessageError.twice(path).text
        }
    }
}

/// The members of `data` in the commands `pusher:subscribe`, `pusher:unsubscribe` and `pusher:signin`.
extension ClientMessage {
    init(kind: Kind) { self.init(kind: kind, name: nil) }

    /// `data` is an object, or a JSON string that holds one (Pusher protocol §2.1, PW-041).
    mutating func readFields(
        of data: JSONValue?, in bytes: Span<UInt8>, scratch: inout [UInt8]
    ) throws(ClientMessageError) {
        guard let data else { throw .missing("data") }
        switch data.kind {
        case .object: try readFields(of: JSONCursor(over: data), in: bytes, scratch: &scratch)
        case .string:
            // Rare (no official client double-encodes), so that this copy may cost an allocation.
            var text: [UInt8] = []
            guard JSON.appendDecoded(data, in: bytes, to: &text) else { throw .loneSurrogate("data") }
            try readFields(of: JSONCursor(), in: text.span, scratch: &scratch)
        default: throw .wrongKind("data", "an object", data.kind)
        }
    }

    private mutating func readFields(
        of cursor: JSONCursor, in bytes: Span<UInt8>, scratch: inout [UInt8]
    ) throws(ClientMessageError) {
        let fields = try Fields(cursor, bytes)
        if kind != .signin { channel = try Self.channel(fields.channel, kind, in: bytes, to: &scratch) }
        guard kind != .unsubscribe else { return }
        auth = fields.auth.field(in: bytes, to: &scratch)
        if kind == .subscribe {
            channelData = fields.channelData.field(in: bytes, to: &scratch)
        } else {
            userData = fields.userData.field(in: bytes, to: &scratch)
        }
    }

    /// A command without a channel cannot be acted on at all; what is wrong with the name "" is for the subscription to say.
    private static func channel(
        _ member: Member, _ kind: Kind, in bytes: Span<UInt8>, to scratch: inout [UInt8]
    ) throws(ClientMessageError) -> Range<Int> {
        let field = member.field(in: bytes, to: &scratch)
        if let range = field.range, !range.isEmpty || kind == .subscribe { return range }
        var error = field.problem("data.channel").map(ClientMessageError.init) ?? .missing("data.channel")
        if field == .loneSurrogate, let value = member.value {
            error.channelLiteral = scratch.count..<scratch.count + value.range.count
            scratch.append(bytes: bytes, value.range)
        }
        throw error
    }

    /// One member of `data`, not decoded yet.
    private struct Member {
        var value: JSONValue?
        var isTwice = false

        mutating func put(_ fresh: JSONValue) {
            if value != nil { isTwice = true }
            value = fresh
        }

        func field(in bytes: Span<UInt8>, to scratch: inout [UInt8]) -> CommandField {
            guard !isTwice else { return .twice }
            guard let value, value.kind != .null else { return .absent }
            guard value.kind == .string else { return .wrongKind(value.kind) }
            guard !value.hasLoneSurrogate else { return .loneSurrogate }
            return .text(ClientMessage.decode(value, in: bytes, to: &scratch))
        }
    }

    private struct Fields {
        var channel = Member()
        var auth = Member()
        var channelData = Member()
        var userData = Member()

        init(_ start: JSONCursor, _ bytes: Span<UInt8>) throws(ClientMessageError) {
            do throws(JSONError) {
                var cursor = start
                try cursor.beginObject(bytes)
                while let (key, value) = try cursor.nextMember(bytes) {
                    if JSON.equals(key, "channel", in: bytes) {
                        channel.put(value)
                    } else if JSON.equals(key, "auth", in: bytes) {
                        auth.put(value)
                    } else if JSON.equals(key, "channel_data", in: bytes) {
                        channelData.put(value)
                    } else if JSON.equals(key, "user_data", in: bytes) {
                        userData.put(value)
                    }
                }
                try cursor.finish(bytes)
            } catch {
                throw ClientMessageError(text: "data: " + error.text)
            }
        }
    }
}
