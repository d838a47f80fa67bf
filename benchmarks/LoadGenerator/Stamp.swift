/// What every published payload begins with, so that a receiver knows when it was due, who sent it and whether one is missing.
///
///     ~SL~ scheduled(16) delay(8) channel(8) publisher(8) sequence(8) xxxx…        letters a…p, one per four bits
///
/// Letters need no escape in JSON, and eight of them are one word to decode.
struct Stamp: Equatable {
    /// Marker and fields; the least payload.
    static let byteCount = 52
    /// `~SL~`, first byte lowest.
    static let marker: UInt32 = 0x7E4C_537E

    /// When the timetable wanted it sent, on the monotonic clock.
    var scheduled: UInt64
    /// How much later it was sent, in nanoseconds.
    var delay: UInt32
    var channel: UInt32
    var publisher: UInt32
    /// Counts from 0 for each (channel, publisher).
    var sequence: UInt32

    func append(to out: inout [UInt8]) {
        for shift: UInt32 in [0, 8, 16, 24] { out.append(UInt8(truncatingIfNeeded: Self.marker >> shift)) }
        Self.append(UInt32(truncatingIfNeeded: scheduled), to: &out)
        Self.append(UInt32(truncatingIfNeeded: scheduled >> 32), to: &out)
        Self.append(delay, to: &out)
        Self.append(channel, to: &out)
        Self.append(publisher, to: &out)
        Self.append(sequence, to: &out)
    }

    /// Reads a stamp whose marker was seen; `Stamp.byteCount` bytes must be there.
    @inline(__always)
    static func read(_ bytes: UnsafeRawPointer) -> Stamp {
        let low = word(bytes + 4), high = word(bytes + 12)
        return Stamp(
            scheduled: UInt64(high) << 32 | UInt64(low), delay: word(bytes + 20), channel: word(bytes + 28),
            publisher: word(bytes + 36), sequence: word(bytes + 44))
    }

    @inline(__always)
    static func isMarked(_ bytes: UnsafeRawPointer) -> Bool {
        UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == marker
    }

    private static func append(_ number: UInt32, to out: inout [UInt8]) {
        for shift: UInt32 in [0, 4, 8, 12, 16, 20, 24, 28] {
            out.append(0x61 + UInt8(truncatingIfNeeded: number >> shift & 0xF))
        }
    }

    @inline(__always)
    private static func word(_ letters: UnsafeRawPointer) -> UInt32 {
        var x = UInt64(littleEndian: letters.loadUnaligned(as: UInt64.self)) &- 0x6161_6161_6161_6161
        x = (x | x >> 4) & 0x00FF_00FF_00FF_00FF
        x = (x | x >> 8) & 0x0000_FFFF_0000_FFFF
        return UInt32(truncatingIfNeeded: x | x >> 16)
    }
}
