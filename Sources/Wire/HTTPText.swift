/// Character classes and list values of HTTP fields (RFC 9110 §5.6).
public enum HTTPText {
    /// Whether a comma-separated field value contains this token, compared without case. `token` is lower-case ASCII.
    public static func list(_ value: Range<Int>, contains token: StaticString, in bytes: Span<UInt8>) -> Bool {
        var offset = value.lowerBound
        while let item = nextItem(of: value, at: &offset, in: bytes) {
            if equals(item, token, in: bytes) { return true }
        }
        return false
    }

    /// The first non-empty item of a comma-separated field value.
    public static func firstItem(of value: Range<Int>, in bytes: Span<UInt8>) -> Range<Int>? {
        var offset = value.lowerBound
        return nextItem(of: value, at: &offset, in: bytes)
    }

    /// The last non-empty item of a comma-separated field value.
    public static func lastItem(of value: Range<Int>, in bytes: Span<UInt8>) -> Range<Int>? {
        var offset = value.lowerBound
        var last: Range<Int>?
        while let item = nextItem(of: value, at: &offset, in: bytes) { last = item }
        return last
    }

    /// The values of the lines with this name, which is written in lower case; together they are one list (RFC 9110 §5.3).
    public static func values(of name: StaticString, inHead head: Span<UInt8>) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var start = 0
        while start < head.count {
            // The parser has seen to it that each line ends with CR LF.
            let end = head.firstOffset(of: 0x0D, in: start..<head.count)
            let colon = head.firstOffset(of: UInt8(ascii: ":"), in: start..<end)
            if colon < end, equals(start..<colon, name, in: head) { found.append(trimmed(colon + 1..<end, in: head)) }
            start = end + 2
        }
        return found
    }

    /// Whether the bytes at `range` are this text, compared without case. `text` is lower-case ASCII without ``@[\]^_`{|}~``.
    public static func equals(_ range: Range<Int>, _ text: StaticString, in bytes: Span<UInt8>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range lies within the span")
        let (mine, theirs, count) = (bytes.bytes, UnsafeRawPointer(text.utf8Start), range.count)
        guard count >= 8 else {
            for index in 0..<count {
                let letter = theirs.load(fromByteOffset: index, as: UInt8.self)
                guard (bytes[range.lowerBound + index] ^ letter) & ~(letter >> 1 & 0x20) == 0 else { return false }
            }
            return true
        }
        // Eight bytes at a time, the last eight overlapping.
        var at = 0
        while true {
            let letters = theirs.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            let given = mine.unsafeLoadUnaligned(fromUncheckedByteOffset: range.lowerBound &+ at, as: UInt64.self)
            // A letter, which has the bit 0x40, may differ in 0x20, the bit that is its case; other bytes in none.
            guard (given ^ letters) & ~(letters >> 1 & 0x2020_2020_2020_2020) == 0 else { return false }
            if at == count &- 8 { return true }
            at = min(at &+ 8, count &- 8)
        }
    }

    /// The next non-empty item from `offset` on, without the white space around it; `offset` moves past its comma.
    static func nextItem(of value: Range<Int>, at offset: inout Int, in bytes: Span<UInt8>) -> Range<Int>? {
        while offset < value.upperBound {
            let start = offset
            while offset < value.upperBound, bytes[offset] != Byte.comma { offset += 1 }
            let item = trimmed(start..<offset, in: bytes)
            offset += 1
            if !item.isEmpty { return item }
        }
        return nil
    }

    /// The range without spaces and tabs at its ends.
    @inline(__always)
    static func trimmed(_ range: Range<Int>, in bytes: Span<UInt8>) -> Range<Int> {
        var (lower, upper) = (range.lowerBound, range.upperBound)
        while lower < upper, bytes[lower] == Byte.space || bytes[lower] == Byte.tab { lower += 1 }
        while lower < upper, bytes[upper - 1] == Byte.space || bytes[upper - 1] == Byte.tab { upper -= 1 }
        return lower..<upper
    }

    /// Letters, digits and ``!#$%&'*+-.^_`|~``: what names and methods are made of. (RFC 9110 §5.6.2)
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        let set: UInt64 = byte < 64 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
        return byte < 128 && set &>> UInt64(byte & 63) & 1 == 1
    }

    /// The first offset from `start` on that holds no byte of a token, or `end`.
    @inline(__always)
    static func skipToken(_ bytes: Span<UInt8>, from start: Int, end: Int) -> Int {
        var offset = start
        // Most names are letters and hyphens.
        while offset &+ 8 <= end {
            let others = ~Word.lettersAndHyphens(bytes.word(at: offset)) & 0x8080_8080_8080_8080
            guard others == 0 else {
                offset &+= Word.bytesBefore(others)
                break
            }
            offset &+= 8
        }
        while offset < end, isToken(bytes[offset]) { offset &+= 1 }
        return offset
    }

    /// The first offset from `start` on that holds no field byte, or `end`.
    @inline(__always)
    static func skipFieldBytes(_ bytes: Span<UInt8>, from start: Int, end: Int) -> Int {
        var offset = start
        while offset &+ 8 <= end {
            let word = bytes.word(at: offset)
            let answers = Word.lowest(word, below: Byte.space) | Word.lowest(word, equal: 0x7F)
            guard answers == 0 else {
                offset &+= Word.bytesBefore(answers)
                break
            }
            offset &+= 8
        }
        while offset < end, isFieldByte(bytes[offset]) { offset &+= 1 }
        return offset
    }

    /// Visible ASCII, space, tab and bytes above 0x7F: what field values are made of. (RFC 9110 §5.5)
    @inline(__always)
    static func isFieldByte(_ byte: UInt8) -> Bool {
        byte >= Byte.space ? byte != 0x7F : byte == Byte.tab
    }
}
