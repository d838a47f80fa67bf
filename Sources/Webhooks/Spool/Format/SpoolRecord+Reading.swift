internal import BrokerCore
internal import PusherProtocol

extension SpoolRecord {
    /// Reads the body of a record whose checksums are right.
    ///
    /// - Returns: nil: of a kind, or with a value, that this version does not know.
    init?(kind: UInt8, body: UnsafeRawBufferPointer) {
        var fields = SpoolFields(body)
        switch kind {
        case 1: self.init(checkpoint: &fields)
        case 2: self.init(event: &fields)
        case 3:
            guard let cursor = fields.cursor() else { return nil }
            self = .finished(cursor)
        case 4: self.init(buried: &fields)
        case 5:
            guard let endpoint = fields.endpoint(), let event = fields.eventID() else { return nil }
            self = .forgotten(SpoolLetterKey(endpoint: endpoint, event: event))
        default: return nil
        }
        guard fields.isAtEnd else { return nil }
    }

    private init?(checkpoint fields: inout SpoolFields) {
        // One more than the highest number is the highest that may stand here.
        guard let next = fields.number(UInt64.self), next > 0, next <= SpoolFormat.numberMax + 1,
            let count = fields.number(UInt32.self), count <= Self.cursorsMax, fields.left == Int(count) * 16
        else { return nil }
        var cursors: [SpoolCursor] = []
        for _ in 0..<count {
            guard let cursor = fields.cursor() else { return nil }
            cursors.append(cursor)
        }
        self = .checkpoint(next: next, cursors)
    }

    private init?(event fields: inout SpoolFields) {
        guard let event = fields.event(), let count = fields.number(UInt16.self), count > 0,
            fields.left == Int(count) * 8
        else { return nil }
        var endpoints: [WebhookEndpointID] = []
        endpoints.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let endpoint = fields.endpoint() else { return nil }
            endpoints.append(endpoint)
        }
        self = .event(SpoolEntry(event: event, endpoints: endpoints))
    }

    private init?(buried fields: inout SpoolFields) {
        guard let endpoint = fields.endpoint(), let milliseconds = fields.milliseconds(), let reason = fields.text(),
            let event = fields.event()
        else { return nil }
        self = .buried(DeadLetter(event: event, endpoint: endpoint, unixMilliseconds: milliseconds, reason: reason))
    }
}

/// The fields of a body, taken in their order; nil: there are not so many bytes, or they cannot stand there.
private struct SpoolFields {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var left: Int { bytes.count - place }
    var isAtEnd: Bool { left == 0 }

    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) -> Number? {
        guard let field = take(MemoryLayout<Number>.size) else { return nil }
        return Number(littleEndian: field.loadUnaligned(as: Number.self))
    }

    mutating func endpoint() -> WebhookEndpointID? { number(UInt64.self).map { WebhookEndpointID($0) } }

    mutating func eventNumber() -> UInt64? {
        guard let number = number(UInt64.self), SpoolFormat.isNumber(number) else { return nil }
        return number
    }

    mutating func eventID() -> WebhookEvent.ID? {
        guard let run = number(UInt64.self), let number = eventNumber() else { return nil }
        return WebhookEvent.ID(run: run, number: number)
    }

    mutating func cursor() -> SpoolCursor? {
        guard let endpoint = endpoint(), let through = eventNumber() else { return nil }
        return SpoolCursor(endpoint: endpoint, through: through)
    }

    mutating func milliseconds() -> Int64? {
        guard let number = number(Int64.self), (0...SpoolFormat.millisecondsMax).contains(number) else { return nil }
        return number
    }

    /// UTF-8 behind its length in two bytes.
    mutating func text() -> String? {
        guard let length = number(UInt16.self), let field = take(Int(length)) else { return nil }
        return String(validating: field, as: UTF8.self)
    }

    mutating func event() -> WebhookEvent? {
        guard let id = eventID(), let milliseconds = milliseconds(),
            let kind = number(UInt8.self).flatMap({ WebhookKind(rawValue: $0) }), let app = text(),
            let channelLength = number(UInt16.self), let channel = take(Int(channelLength)).map({ Array($0) }),
            let jsonLength = number(UInt32.self), let json = take(Int(jsonLength)).map({ Array($0) })
        else { return nil }
        return WebhookEvent(
            id: id, kind: kind, app: app, channel: channel, unixMilliseconds: milliseconds, json: json)
    }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count <= left else { return nil }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: bytes[place..<place + count])
    }
}
