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

    /// Whether a capital ASCII letter stands in `range`, which lies within the span.
    public func hasUppercase(in range: Range<Int>) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "the range lies within the span")
        var offset = range.lowerBound
        while offset &+ 8 <= range.upperBound {
            if Word.every(word(at: offset), from: UInt8(ascii: "A"), through: UInt8(ascii: "Z")) != 0 { return true }
            offset &+= 8
        }
        while offset < range.upperBound {
            if self[offset] &- UInt8(ascii: "A") < 26 { return true }
            offset &+= 1
        }
        return false
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
