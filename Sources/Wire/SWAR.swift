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

    /// Bytes in `first...last`, which are at most 0x7F; every answer is exact.
    @inline(__always)
    static func every(_ word: UInt64, from first: UInt8, through last: UInt8) -> UInt64 {
        let low = word & ~highs
        let above = low &+ ones &* UInt64(0x80 &- first)
        let beyond = low &+ ones &* UInt64(0x7F &- last)
        return above & ~beyond & ~word & highs
    }

    /// Bytes that are ASCII letters or `-`; every answer is exact.
    @inline(__always)
    static func lettersAndHyphens(_ word: UInt64) -> UInt64 {
        // No other byte becomes a letter when its bit for small letters is set.
        every(word | ones &* 0x20, from: UInt8(ascii: "a"), through: UInt8(ascii: "z"))
            | every(word, equal: UInt8(ascii: "-"))
    }

    /// How many bytes come before the lowest answer.
    @inline(__always)
    static func bytesBefore(_ answers: UInt64) -> Int { answers.trailingZeroBitCount >> 3 }
}
