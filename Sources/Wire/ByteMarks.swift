/// Walks a text from one of two bytes to the next, eight bytes at a time.
public struct ByteMarks {
    private let first: UInt8
    private let second: UInt8
    /// Places that are known and not told: an answer for each byte of the word before `offset`.
    private var known: UInt64 = 0
    private var offset = 0

    /// From the beginning of a text.
    public init(of first: UInt8, or second: UInt8) { (self.first, self.second) = (first, second) }

    /// The next place of either; the text's end when there is none. The text is the same at each call.
    public mutating func next(in text: Span<UInt8>) -> Int {
        while known == 0 {
            guard offset &+ 8 <= text.count else { return nextOfRest(text) }
            let word = text.word(at: offset)
            known = Word.every(word, equal: first) | Word.every(word, equal: second)
            offset &+= 8
        }
        let place = offset &- 8 &+ Word.bytesBefore(known)
        known &= known &- 1
        return place
    }

    /// The last seven bytes, one by one.
    private mutating func nextOfRest(_ text: Span<UInt8>) -> Int {
        while offset < text.count {
            let byte = text[offset]
            offset &+= 1
            if byte == first || byte == second { return offset &- 1 }
        }
        return text.count
    }
}
