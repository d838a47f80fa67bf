internal import Wire

/// What a server said to a client. Ranges are offsets into the bytes that were read.
enum Heard: Equatable {
    case delivery(Stamp)
    /// `pusher:connection_established`, or MQTT's CONNACK.
    case greeting(Range<Int>)
    case subscribed
    /// `member_added` or `member_removed`.
    case memberChange
    case ping, pong
    /// A ping of the WebSocket (RFC 6455 §5.5.2), and what the answer must repeat.
    case controlPing(Range<Int>)
    /// The reason of a close frame.
    case closing(Range<Int>)
    /// An error, and its text.
    case complaint(Range<Int>)
    /// A reply to a command of Redis.
    case reply(isRefusal: Bool)
    case nothing
    /// What we do not know.
    case other
}

/// Reads what comes to the clients of one worker: frames of a WebSocket, or values of Redis.
struct FrameReader {
    /// Where the stamp stood in the last frame or value, from its start; 0: not known. All events of a run look alike.
    private var stampOffset = 0

    /// One whole frame. Hot: a delivery is recognised by its stamp, at the place where the last one was.
    mutating func frame(_ bytes: UnsafeBufferPointer<UInt8>, at: Int, length: Int) -> Heard {
        if let stamp = knownStamp(bytes, at..<at + length) { return .delivery(stamp) }
        let header = bytes[at + 1] < 126 ? 2 : bytes[at + 1] == 126 ? 4 : 10
        let payload = at + header..<at + length
        switch bytes[at] & 0xF {
        case WebSocketOpcode.ping.rawValue: return .controlPing(payload)
        case WebSocketOpcode.pong.rawValue: return .nothing
        case WebSocketOpcode.binary.rawValue: return packet(bytes, payload, header: header)
        case WebSocketOpcode.close.rawValue:
            return .closing(min(payload.lowerBound + 2, payload.upperBound)..<payload.upperBound)
        default: return text(bytes, payload, header: header)
        }
    }

    /// One whole value of Redis's protocol that came to a subscriber.
    mutating func value(_ bytes: UnsafeBufferPointer<UInt8>, _ value: Range<Int>) -> Heard {
        if let stamp = knownStamp(bytes, value) ?? foundStamp(bytes, value, from: value.lowerBound) {
            return .delivery(stamp)
        }
        return .reply(isRefusal: bytes[value.lowerBound] == UInt8(ascii: "-"))
    }

    private func knownStamp(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Stamp? {
        guard stampOffset > 0, range.count >= stampOffset + Stamp.byteCount, let base = bytes.baseAddress,
            Stamp.isMarked(base + range.lowerBound + stampOffset)
        else { return nil }
        return Stamp.read(base + range.lowerBound + stampOffset)
    }

    /// `start`: of the frame or value, from which the place is kept.
    private mutating func foundStamp(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, from start: Int
    ) -> Stamp? {
        guard let found = Reading.find("~SL~", bytes, in: range), found + Stamp.byteCount <= range.upperBound,
            let base = bytes.baseAddress
        else { return nil }
        stampOffset = found - start
        return Stamp.read(base + found)
    }

    /// A packet of MQTT.
    private mutating func packet(_ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>, header: Int) -> Heard {
        guard let first = payload.first else { return .nothing }
        switch MQTT.Kind(rawValue: bytes[first] >> 4) {
        case .connack: return .greeting(payload)
        case .suback: return .subscribed
        case .publish: return text(bytes, payload, header: header)
        case nil: return .other
        }
    }

    private mutating func text(_ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>, header: Int) -> Heard {
        // Servers differ in the order of members, so only the usual place of the name is a short cut.
        if Reading.matches("{\"event\":\"pusher", bytes, at: payload.lowerBound) {
            return control(bytes, payload, name: payload.lowerBound + 10)
        }
        if let stamp = foundStamp(bytes, payload, from: payload.lowerBound - header) { return .delivery(stamp) }
        guard let found = Reading.find("\"pusher", bytes, in: payload) else { return .other }
        return control(bytes, payload, name: found + 1)
    }

    private func control(_ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>, name: Int) -> Heard {
        func isNamed(_ text: StaticString) -> Bool { Reading.matches(text, bytes, at: name) }
        if isNamed("pusher_internal:member_") { return .memberChange }
        if isNamed("pusher_internal:subscription_succeeded") { return .subscribed }
        if isNamed("pusher:connection_established") { return .greeting(payload) }
        if isNamed("pusher:ping") { return .ping }
        if isNamed("pusher:pong") { return .pong }
        if isNamed("pusher:error") || isNamed("pusher:subscription_error") { return .complaint(payload) }
        return .other
    }

    /// The text behind `socket_id`, within the escaped data of a greeting.
    static func socketID(_ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>) -> [UInt8] {
        guard var at = Reading.find("socket_id", bytes, in: payload).map({ $0 + 9 }) else { return [] }
        while at < payload.upperBound, !(0x30...0x39 ~= bytes[at]) { at += 1 }
        var id: [UInt8] = []
        while at < payload.upperBound, bytes[at] == 0x2E || 0x30...0x39 ~= bytes[at] {
            id.append(bytes[at])
            at += 1
        }
        return id
    }
}
