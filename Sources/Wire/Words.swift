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
    static let equals: UInt8 = 0x3D
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

extension Span where Element == UInt8 {
    /// Where `byte` first stands in `range`, which lies within the span; the range's end when it does not.
    public func firstOffset(of byte: UInt8, in range: Range<Int>) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "the range lies within the span")
        var offset = range.lowerBound
        while offset &+ 8 <= range.upperBound {
            let answers = Word.lowest(word(at: offset), equal: byte)
            if answers != 0 { return offset &+ Word.bytesBefore(answers) }
            offset &+= 8
        }
        while offset < range.upperBound, self[offset] != byte { offset &+= 1 }
        return offset
    }

    /// Whether the first `count` bytes there are the ones at `other`; the caller has checked both lengths.
    ///
    /// Eight at a time, the last eight overlapping: names are short, so that calling memcmp costs more than comparing.
    @inlinable
    @inline(__always)
    func isSame(at offset: Int, _ other: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        let (mine, theirs) = (bytes, UnsafeRawPointer(other))
        guard count >= 8 else {
            for index in 0..<count
            where mine.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ index, as: UInt8.self) != other[index] {
                return false
            }
            return true
        }
        var at = 0
        while true {
            let word = mine.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ at, as: UInt64.self)
            guard word == theirs.loadUnaligned(fromByteOffset: at, as: UInt64.self) else { return false }
            if at == count &- 8 { return true }
            at = Swift.min(at &+ 8, count &- 8)
        }
    }

    /// Whether the bytes are exactly these.
    @inlinable
    public func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return other.withUnsafeBufferPointer { other in
            guard let start = other.baseAddress else { return true }
            return isSame(at: 0, start, other.count)
        }
    }

    /// Whether the bytes are exactly the UTF-8 of a literal.
    @inlinable
    @inline(__always)
    public func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && isSame(at: 0, text.utf8Start, text.utf8CodeUnitCount)
    }

    /// Whether the bytes begin with the UTF-8 of a literal.
    @inlinable
    @inline(__always)
    public func hasPrefix(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && isSame(at: 0, text.utf8Start, text.utf8CodeUnitCount)
    }

    /// Whether the bytes of `range`, which lies within the span, are exactly the UTF-8 of a literal.
    @inlinable
    @inline(__always)
    public func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "the range lies within the span")
        return range.count == text.utf8CodeUnitCount
            && isSame(at: range.lowerBound, text.utf8Start, text.utf8CodeUnitCount)
    }
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
