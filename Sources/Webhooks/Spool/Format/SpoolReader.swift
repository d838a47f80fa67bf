/// Bytes of a segment that are no record.
struct SpoolDamage: Equatable, Sendable {
    enum Kind: Sendable {
        /// No record begins there.
        case bytes
        /// All are 0: what a file system leaves of what was written last when the power went.
        case zeros
        /// A whole record that this version cannot read.
        case unknownRecord
    }

    var offset: UInt64
    var count: UInt64
    var kind: Kind
    /// Nothing follows it: it was not written whole.
    var isTail = false
}

/// Finds the records of a segment in its bytes, whatever has happened to them. No I/O; keeps no more than one record that is not whole.
///
///     at a record ──whole──▶ told, on to what follows
///         │ no magic, a wrong checksum, or cut off
///         ▼
///     lost: on to the next byte that may begin a record; when one does, what was passed over is told first
///
/// A record whose body is wrong may have lost some of its bytes, so its length is not believed: the search goes on inside it. So that nobody's
/// file makes that quadratic, no more is summed in vain than four times what was read and 16 MiB; from then on the length is believed.
struct SpoolReader {
    enum Item: Equatable {
        /// `bytes`: what it takes of the segment.
        case record(SpoolRecord, at: UInt64, bytes: Int)
        case damage(SpoolDamage)
    }

    private enum Look {
        case record(SpoolRecord, bytes: Int)
        case unknown(bytes: Int)
        /// So many bytes begin no record.
        case nothing(bytes: Int)
        /// It cannot be said before more is there.
        case needsMore
    }

    /// The number that its records must have been made for.
    let segment: UInt64
    private var kept: [UInt8] = []
    /// Where `kept` begins.
    private var offset: UInt64
    private var lost: SpoolDamage?
    private var vainBytes: UInt64 = 0

    /// - Parameter offset: where the first bytes that are taken stand in the file: behind its header, or 0 when that is damaged.
    init(segment: UInt64, at offset: UInt64) { (self.segment, self.offset) = (segment, offset) }

    /// Takes the next bytes. `isEnd`: they are the last.
    mutating func take(_ bytes: UnsafeRawBufferPointer, isEnd: Bool, _ body: (Item) -> Void) {
        var all: [UInt8] = []
        swap(&all, &kept)
        all.append(contentsOf: bytes)
        let done = all.withUnsafeBytes { walk($0, isEnd: isEnd, body) }
        all.removeFirst(done)
        offset += UInt64(done)
        kept = all
    }

    private mutating func walk(_ bytes: UnsafeRawBufferPointer, isEnd: Bool, _ body: (Item) -> Void) -> Int {
        var place = 0
        while place < bytes.count {
            switch look(UnsafeRawBufferPointer(rebasing: bytes[place...]), at: offset + UInt64(place), isEnd: isEnd) {
            case .record(let record, let count):
                tellLost(body)
                body(.record(record, at: offset + UInt64(place), bytes: count))
                place += count
            case .unknown(let count):
                tellLost(body)
                let damage = SpoolDamage(
                    offset: offset + UInt64(place), count: UInt64(count), kind: .unknownRecord)
                body(.damage(damage))
                place += count
            case .nothing(let count):
                lose(UnsafeRawBufferPointer(rebasing: bytes[place..<place + count]), at: offset + UInt64(place))
                place += count
            case .needsMore: return place
            }
        }
        if isEnd {
            lost?.isTail = true
            tellLost(body)
        }
        return place
    }

    private mutating func look(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, isEnd: Bool) -> Look {
        let headerBytes = SpoolFormat.recordHeaderBytes
        guard bytes.count >= headerBytes else { return isEnd ? .nothing(bytes: bytes.count) : .needsMore }
        let lead = Self.number(bytes, at: 4)
        let length = Int(lead >> 8)
        guard Self.number(bytes, at: 0) == SpoolFormat.recordMagic, length <= SpoolFormat.bodyBytesMax,
            Self.number(bytes, at: 8) == SpoolRecord.headerChecksum(bytes, segment: segment)
        else { return .nothing(bytes: Self.distance(bytes)) }
        guard bytes.count - headerBytes >= length else {
            return isEnd ? .nothing(bytes: Self.distance(bytes)) : .needsMore
        }
        let record = UnsafeRawBufferPointer(rebasing: bytes[..<(headerBytes + length)])
        guard Self.number(bytes, at: 12) == SpoolRecord.checksum(record) else {
            vainBytes += UInt64(length)
            let isTooMuch = vainBytes > offset * 4 + 16_777_216
            return .nothing(bytes: isTooMuch ? record.count : Self.distance(bytes))
        }
        let body = UnsafeRawBufferPointer(rebasing: record[headerBytes...])
        guard let read = SpoolRecord(kind: UInt8(truncatingIfNeeded: lead), body: body) else {
            return .unknown(bytes: record.count)
        }
        return .record(read, bytes: record.count)
    }

    private mutating func lose(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
        var damage = lost ?? SpoolDamage(offset: offset, count: 0, kind: .zeros)
        damage.count += UInt64(bytes.count)
        if damage.kind == .zeros, bytes.contains(where: { $0 != 0 }) { damage.kind = .bytes }
        lost = damage
    }

    private mutating func tellLost(_ body: (Item) -> Void) {
        guard let damage = lost else { return }
        lost = nil
        body(.damage(damage))
    }

    /// To the next byte that may begin a record, or to the end.
    private static func distance(_ bytes: UnsafeRawBufferPointer) -> Int {
        var place = 1
        while place < bytes.count, bytes[place] != SpoolFormat.recordFirstByte { place += 1 }
        return place
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, at place: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }
}
