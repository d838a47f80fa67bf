/// Looking into received bytes without copying them.
enum Reading {
    /// Whether `text` stands at `offset`.
    static func matches(_ text: StaticString, _ bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> Bool {
        guard offset >= 0, offset + text.utf8CodeUnitCount <= bytes.count else { return false }
        for index in 0..<text.utf8CodeUnitCount where text.utf8Start[index] != bytes[offset + index] { return false }
        return true
    }

    /// Where `text` begins within `range`; nil when it is not there.
    static func find(_ text: StaticString, _ bytes: UnsafeBufferPointer<UInt8>, in range: Range<Int>) -> Int? {
        let count = text.utf8CodeUnitCount
        guard range.count >= count, range.upperBound <= bytes.count else { return nil }
        let first = text.utf8Start[0]
        for offset in range.lowerBound...range.upperBound - count where bytes[offset] == first {
            if matches(text, bytes, at: offset) { return offset }
        }
        return nil
    }
}
