/// The byte values the parsers name, so that no bare hex number stands in a condition.
enum Byte {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let percent: UInt8 = 0x25
    static let plus: UInt8 = 0x2B
    static let comma: UInt8 = 0x2C
    static let minus: UInt8 = 0x2D
    static let dot: UInt8 = 0x2E
    static let slash: UInt8 = 0x2F
    static let zero: UInt8 = 0x30
    static let nine: UInt8 = 0x39
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let openBracket: UInt8 = 0x5B
    static let backslash: UInt8 = 0x5C
    static let closeBracket: UInt8 = 0x5D
    static let openBrace: UInt8 = 0x7B
    static let closeBrace: UInt8 = 0x7D
}

extension Span where Element == UInt8 {
    /// Eight bytes as one little-endian word. The caller has checked `offset + 8 <= count`.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        assert(offset >= 0 && offset &+ 8 <= count, "the word would reach past the span")
        return UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }
}

/// Questions to eight bytes at once. An answer has 0x80 in each byte that meets the condition.
enum Word {
    @inline(__always) private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    @inline(__always) private static var highs: UInt64 { 0x8080_8080_8080_8080 }

    /// Bytes that are `value`; borrows make answers above the lowest one unreliable, the lowest is exact.
    @inline(__always)
    static func lowest(_ word: UInt64, equal value: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(value))
        return (difference &- ones) & ~difference & highs
    }

    /// Bytes below `bound`, which is at most 0x80; as above, only the lowest answer is exact.
    @inline(__always)
    static func lowest(_ word: UInt64, below bound: UInt8) -> UInt64 {
        (word &- (ones &* UInt64(bound))) & ~word & highs
    }

    /// Bytes of which the bits in `mask` are those of `value`; every answer is exact.
    @inline(__always)
    static func every(_ word: UInt64, equal value: UInt8, mask: UInt8 = 0xFF) -> UInt64 {
        let difference = (word ^ (ones &* UInt64(value))) & (ones &* UInt64(mask))
        return ~(((difference & ~highs) &+ ~highs) | difference | ~highs)
    }

    /// How many bytes come before the lowest answer.
    @inline(__always)
    static func bytesBefore(_ answers: UInt64) -> Int { answers.trailingZeroBitCount >> 3 }
}

extension [UInt8] {
    /// Appends all bytes of a span in one copy.
    @inlinable
    public mutating func append(bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    /// Appends the bytes of `range` (offsets into `bytes`) in one copy.
    @inlinable
    public mutating func append(bytes: Span<UInt8>, _ range: Range<Int>) {
        bytes.extracting(range).withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    /// Appends the UTF-8 of a literal; builds no `String`.
    @inlinable
    public mutating func append(text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }
}
