internal import Wire

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
            JSON.appendDecoded(data, in: bytes, to: &text)
            try readFields(of: JSONCursor(), in: text.span, scratch: &scratch)
        default: throw .wrongKind("data", "an object", data.kind)
        }
    }

    private mutating func readFields(
        of cursor: JSONCursor, in bytes: Span<UInt8>, scratch: inout [UInt8]
    ) throws(ClientMessageError) {
        let fields = try Fields(cursor, bytes)
        if kind == .signin {
            userData = try fields.text(fields.userData, "data.user_data", in: bytes, to: &scratch)
            guard !userData.isEmpty else { throw .missing("data.user_data") }
        } else {
            channel = try fields.text(fields.channel, "data.channel", in: bytes, to: &scratch)
            guard !channel.isEmpty else { throw .missing("data.channel") }
        }
        guard kind != .unsubscribe else { return }
        auth = try fields.text(fields.auth, "data.auth", in: bytes, to: &scratch)
        guard kind == .subscribe else { return }
        channelData = try fields.text(fields.channelData, "data.channel_data", in: bytes, to: &scratch)
    }

    private struct Fields {
        var channel: JSONValue?
        var auth: JSONValue?
        var channelData: JSONValue?
        var userData: JSONValue?

        init(_ start: JSONCursor, _ bytes: Span<UInt8>) throws(ClientMessageError) {
            var twice: StaticString?
            do throws(JSONError) {
                var cursor = start
                try cursor.beginObject(bytes)
                while let (key, value) = try cursor.nextMember(bytes) {
                    if JSON.equals(key, "channel", in: bytes) {
                        if channel != nil { twice = "data.channel" }
                        channel = value
                    } else if JSON.equals(key, "auth", in: bytes) {
                        if auth != nil { twice = "data.auth" }
                        auth = value
                    } else if JSON.equals(key, "channel_data", in: bytes) {
                        if channelData != nil { twice = "data.channel_data" }
                        channelData = value
                    } else if JSON.equals(key, "user_data", in: bytes) {
                        if userData != nil { twice = "data.user_data" }
                        userData = value
                    }
                }
                try cursor.finish(bytes)
            } catch {
                throw ClientMessageError(text: "data: " + error.text)
            }
            if let twice { throw .twice(twice) }
        }

        /// The decoded text of one member; absent and null are the empty text (PW-040).
        func text(
            _ value: JSONValue?, _ path: StaticString, in bytes: Span<UInt8>, to scratch: inout [UInt8]
        ) throws(ClientMessageError) -> Range<Int> {
            guard let value, value.kind != .null else { return 0..<0 }
            guard value.kind == .string else { throw .wrongKind(path, "a string", value.kind) }
            return ClientMessage.decode(value, in: bytes, to: &scratch)
        }
    }
}
