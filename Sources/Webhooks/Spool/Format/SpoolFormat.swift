/// The files of the spool, version 1. Our own specification; `Tests/EndToEnd/spool_files.py` is a second reader, written from this text.
///
/// The directory has *segments*, `NNNNNNNNNNNNNNNN.spool` with the segment's number in 16 lower-case hexadecimal digits, and `lock`, which
/// whoever uses the directory holds by flock(2). A segment is only ever appended to; each start begins a new one. Segments go in their order,
/// the oldest first, so that what ended something never goes before what it ended.
///
/// All numbers are little endian. CRC is CRC-32C (RFC 3720). The numbers of events are 1 … 2^62 - 1, those of segments 1 … 2^48 - 1.
///
///     segment = header *record
///
///     header  0  8  89 53 50 4F 4F 4C 0D 0A (\x89SPOOL\r\n)
///             8  4  version: 1
///            12  4  0
///            16  8  number of the segment
///            24  4  0
///            28  4  CRC of bytes 0 ..< 28
///
///     record  0  4  FF 53 52 FE: bytes that no UTF-8 text has, so that none is taken for a record
///             4  1  kind
///             5  3  length of the body, at most 4 MiB
///             8  4  CRC of bytes 4 ..< 8 and of the segment's number in 8 bytes
///            12  4  CRC of bytes 4 ..< 12 and of the body
///            16     body
///
/// A record is bound to its segment by the first checksum, so that what the disk still had of another file is none of this one. Where no
/// record begins, the reader goes on to the next place where one does.
///
///     kind, body
///     1 checkpoint  the next event's number (8), how many cursors (4), each: endpoint (8), finished through (8)
///     2 event       EVENT, how many endpoints (2), each (8): who wants it, at least one
///     3 finished    endpoint (8), number (8): that endpoint is done with all events up to that one
///     4 buried      endpoint (8), milliseconds since 1970 (8), length of the reason (2), the reason in UTF-8, EVENT: a dead letter
///     5 forgotten   endpoint (8), run (8), number (8): that dead letter is none any more
///
///     EVENT         run (8), number (8), milliseconds since 1970 (8), kind (1), length of the app's id (2), the id in UTF-8,
///                   length of the channel (2), the channel, length of the JSON (4), the JSON
///
/// Kinds of events are the raw values of `WebhookKind`. Milliseconds are 0 … 2^53. A body has nothing behind what is said here.
///
/// What it means does not depend on the order of the records, but for 4 and 5:
///
/// * An endpoint waits for an event when a record says that it wants it, no cursor or `finished` of it has that number or a higher one, and
///   no record says anything of a dead letter of that event and endpoint. Several records of one event (same run, same number)
///   are one that all their endpoints want: whatever was living in an old segment may have been written again into a newer one.
/// * There is a dead letter when the last record about that event and endpoint is a `buried`; last is by the segments' numbers, then by place.
/// * The next event's number is one more than the highest number there is, and at least that of a checkpoint.
enum SpoolFormat {
    static let magic: [UInt8] = [0x89, 0x53, 0x50, 0x4F, 0x4F, 0x4C, 0x0D, 0x0A]
    static let version: UInt32 = 1
    static let headerBytes = 32
    /// `FF 53 52 FE` as a little-endian number.
    static let recordMagic: UInt32 = 0xFE52_53FF
    static let recordFirstByte: UInt8 = 0xFF
    static let recordHeaderBytes = 16
    static let bodyBytesMax = 4_194_304
    static let numberMax: UInt64 = 1 << 62 - 1
    static let segmentMax: UInt64 = 1 << 48 - 1
    static let millisecondsMax: Int64 = 1 << 53

    static func isSegment(_ number: UInt64) -> Bool { number > 0 && number <= segmentMax }

    /// Of an event.
    static func isNumber(_ number: UInt64) -> Bool { number > 0 && number <= numberMax }

    /// `000000000000001a.spool`.
    static func name(of segment: UInt64) -> String {
        let digits = String(segment, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits + ".spool"
    }

    /// - Returns: nil when it is not the name of a segment.
    static func number(of name: String) -> UInt64? {
        guard name.utf8.count == 22, let number = UInt64(name.prefix(16), radix: 16) else { return nil }
        return isSegment(number) && Self.name(of: number) == name ? number : nil
    }
}

/// What the first bytes of a segment say.
enum SpoolHeader: Equatable {
    case segment(UInt64)
    /// Written by another version of us, and whole.
    case version(UInt32)
    case damaged

    init(_ bytes: [UInt8]) {
        guard bytes.count >= SpoolFormat.headerBytes, bytes.starts(with: SpoolFormat.magic) else {
            self = .damaged
            return
        }
        self = bytes.withUnsafeBytes { bytes in
            var crc = CRC32C()
            crc.take(UnsafeRawBufferPointer(rebasing: bytes[..<28]))
            let version = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
            let number = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            guard crc.value == UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 28, as: UInt32.self)) else {
                return .damaged
            }
            guard version == SpoolFormat.version else { return .version(version) }
            return SpoolFormat.isSegment(number) ? .segment(number) : .damaged
        }
    }

    static func bytes(of segment: UInt64, version: UInt32 = SpoolFormat.version) -> [UInt8] {
        var bytes = SpoolFormat.magic
        bytes.appendLittle(version)
        bytes.appendLittle(UInt32(0))
        bytes.appendLittle(segment)
        bytes.appendLittle(UInt32(0))
        bytes.appendLittle(CRC32C.of(bytes))
        return bytes
    }
}
