internal import BrokerCore
internal import PusherProtocol

/// How far an endpoint is.
struct SpoolCursor: Sendable, Equatable {
    var endpoint: WebhookEndpointID
    /// It is done with all events up to this one.
    var through: UInt64
}

/// A dead letter's name.
struct SpoolLetterKey: Sendable, Hashable {
    var endpoint: WebhookEndpointID
    var event: WebhookEvent.ID
}

/// One entry of a segment; its bytes are described at `SpoolFormat`.
enum SpoolRecord: Sendable, Equatable {
    case checkpoint(next: UInt64, [SpoolCursor])
    case event(SpoolEntry)
    case finished(SpoolCursor)
    case buried(DeadLetter)
    case forgotten(SpoolLetterKey)

    /// So many cursors stand in one checkpoint; more need another.
    static let cursorsMax = 65_536

    private var kind: UInt8 {
        switch self {
        case .checkpoint: 1
        case .event: 2
        case .finished: 3
        case .buried: 4
        case .forgotten: 5
        }
    }

    /// Appends the whole record.
    ///
    /// - Returns: false when it is too long for the format: then nothing is appended.
    func append(to bytes: inout [UInt8], segment: UInt64) -> Bool {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: SpoolFormat.recordHeaderBytes))
        let length = appendBody(to: &bytes) ? bytes.count - start - SpoolFormat.recordHeaderBytes : .max
        guard length <= SpoolFormat.bodyBytesMax else {
            bytes.removeLast(bytes.count - start)
            return false
        }
        let lead = UInt32(kind) | UInt32(length) << 8
        bytes.withUnsafeMutableBytes { all in
            let record = UnsafeMutableRawBufferPointer(rebasing: all[start...])
            record.storeBytes(of: SpoolFormat.recordMagic.littleEndian, toByteOffset: 0, as: UInt32.self)
            record.storeBytes(of: lead.littleEndian, toByteOffset: 4, as: UInt32.self)
            let header = Self.headerChecksum(UnsafeRawBufferPointer(record), segment: segment)
            record.storeBytes(of: header.littleEndian, toByteOffset: 8, as: UInt32.self)
            let whole = Self.checksum(UnsafeRawBufferPointer(record))
            record.storeBytes(of: whole.littleEndian, toByteOffset: 12, as: UInt32.self)
        }
        return true
    }

    /// Of the first eight bytes, as they stand at 8 ..< 12.
    static func headerChecksum(_ record: UnsafeRawBufferPointer, segment: UInt64) -> UInt32 {
        var crc = CRC32C()
        crc.take(UnsafeRawBufferPointer(rebasing: record[4..<8]))
        crc.take(segment)
        return crc.value
    }

    /// Of a whole record, as it stands at 12 ..< 16.
    static func checksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32C()
        crc.take(UnsafeRawBufferPointer(rebasing: record[4..<12]))
        crc.take(UnsafeRawBufferPointer(rebasing: record[SpoolFormat.recordHeaderBytes...]))
        return crc.value
    }

    private func appendBody(to bytes: inout [UInt8]) -> Bool {
        switch self {
        case .checkpoint(let next, let cursors):
            guard cursors.count <= Self.cursorsMax else { return false }
            bytes.appendLittle(next)
            bytes.appendLittle(UInt32(cursors.count))
            for cursor in cursors {
                bytes.appendLittle(cursor.endpoint.value)
                bytes.appendLittle(cursor.through)
            }
        case .event(let entry):
            guard !entry.endpoints.isEmpty, let count = UInt16(exactly: entry.endpoints.count) else { return false }
            guard Self.append(entry.event, to: &bytes) else { return false }
            bytes.appendLittle(count)
            for endpoint in entry.endpoints { bytes.appendLittle(endpoint.value) }
        case .finished(let cursor):
            bytes.appendLittle(cursor.endpoint.value)
            bytes.appendLittle(cursor.through)
        case .buried(let letter):
            let reason = letter.reason.utf8
            guard let length = UInt16(exactly: reason.count) else { return false }
            bytes.appendLittle(letter.endpoint.value)
            bytes.appendLittle(Self.kept(letter.unixMilliseconds))
            bytes.appendLittle(length)
            bytes.append(contentsOf: reason)
            return Self.append(letter.event, to: &bytes)
        case .forgotten(let key):
            bytes.appendLittle(key.endpoint.value)
            bytes.appendLittle(key.event.run)
            bytes.appendLittle(key.event.number)
        }
        return true
    }

    private static func append(_ event: WebhookEvent, to bytes: inout [UInt8]) -> Bool {
        guard let app = UInt16(exactly: event.app.utf8.count), let channel = UInt16(exactly: event.channel.count),
            event.json.count <= SpoolFormat.bodyBytesMax, SpoolFormat.isNumber(event.id.number)
        else { return false }
        bytes.appendLittle(event.id.run)
        bytes.appendLittle(event.id.number)
        bytes.appendLittle(kept(event.unixMilliseconds))
        bytes.append(event.kind.rawValue)
        bytes.appendLittle(app)
        bytes.append(contentsOf: event.app.utf8)
        bytes.appendLittle(channel)
        bytes.append(contentsOf: event.channel)
        bytes.appendLittle(UInt32(event.json.count))
        bytes.append(contentsOf: event.json)
        return true
    }

    /// A machine whose clock stands before 1970 has no place in the format.
    private static func kept(_ milliseconds: Int64) -> Int64 { min(max(milliseconds, 0), SpoolFormat.millisecondsMax) }
}

extension [UInt8] {
    /// The number in little endian.
    mutating func appendLittle(_ number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
