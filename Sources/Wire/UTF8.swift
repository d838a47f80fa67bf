/// Whole-buffer UTF-8 validation (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).
public enum UTF8Check {
    /// Whether the bytes are well-formed UTF-8; ASCII is skipped eight bytes at a time. Any thread, no allocation.
    public static func isValid(_ bytes: Span<UInt8>) -> Bool {
        var stream = UTF8Stream()
        return stream.feed(bytes) && stream.isComplete
    }
}

/// UTF-8 validation over pieces: says "invalid" at the first byte that no continuation can repair (Autobahn 6.4).
///
///     complete ──lead byte──▶ needs 1…3 more, the next one within low…high ──last one──▶ complete
///         └──────────────── any byte out of place ────────────────▶ broken (stays so)
public struct UTF8Stream: Sendable {
    private static let broken: UInt8 = 0xFF

    /// Continuation bytes still due; `broken` after a bad byte.
    private var needed: UInt8 = 0
    /// The bounds of the next continuation byte: narrower than 0x80…0xBF after E0, ED, F0 and F4.
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    /// A stream that has seen nothing.
    public init() {}

    /// True between characters, and before the first byte.
    public var isComplete: Bool { needed == 0 }

    /// Reads the next piece. False: the text is invalid already, whatever follows; so is every later answer.
    public mutating func feed(_ bytes: Span<UInt8>) -> Bool {
        var (needed, low, high) = (self.needed, self.low, self.high)
        guard needed != Self.broken else { return false }
        var offset = 0
        let end = bytes.count
        while offset < end {
            if needed == 0 {
                while offset &+ 32 <= end,
                    (bytes.word(at: offset) | bytes.word(at: offset &+ 8) | bytes.word(at: offset &+ 16)
                        | bytes.word(at: offset &+ 24)) & 0x8080_8080_8080_8080 == 0
                {
                    offset &+= 32
                }
                while offset &+ 8 <= end, bytes.word(at: offset) & 0x8080_8080_8080_8080 == 0 { offset &+= 8 }
                guard offset < end else { break }
                let byte = bytes[offset]
                offset &+= 1
                if byte < 0x80 { continue }
                (low, high) = (0x80, 0xBF)
                switch byte {
                case 0xC2...0xDF: needed = 1
                case 0xE0: (needed, low) = (2, 0xA0)
                case 0xED: (needed, high) = (2, 0x9F)
                case 0xE1...0xEF: needed = 2
                case 0xF0: (needed, low) = (3, 0x90)
                case 0xF1...0xF3: needed = 3
                case 0xF4: (needed, high) = (3, 0x8F)
                default:
                    self.needed = Self.broken
                    return false
                }
            } else {
                let byte = bytes[offset]
                guard byte >= low, byte <= high else {
                    self.needed = Self.broken
                    return false
                }
                offset &+= 1
                needed &-= 1
                (low, high) = (0x80, 0xBF)
            }
        }
        (self.needed, self.low, self.high) = (needed, low, high)
        return true
    }

    /// The length of the multi-byte character that starts at `offset` (a byte >= 0x80), or 0 when it is not well formed
    /// or does not end before `end`.
    @inline(__always)
    static func characterBytes(_ bytes: Span<UInt8>, at offset: Int, end: Int) -> Int {
        let lead = bytes[offset]
        let length: Int
        var (low, high): (UInt8, UInt8) = (0x80, 0xBF)
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, low) = (3, 0xA0)
        case 0xED: (length, high) = (3, 0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, low) = (4, 0x90)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, high) = (4, 0x8F)
        default: return 0
        }
        guard offset &+ length <= end, bytes[offset &+ 1] >= low, bytes[offset &+ 1] <= high else { return 0 }
        if length > 2, bytes[offset &+ 2] & 0xC0 != 0x80 { return 0 }
        if length > 3, bytes[offset &+ 3] & 0xC0 != 0x80 { return 0 }
        return length
    }
}
