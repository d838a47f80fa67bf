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

    /// The length of the head that begins at `offset`, blank line included; nil when it is not complete.
    static func headEnd(_ bytes: UnsafeBufferPointer<UInt8>, from offset: Int) -> Int? {
        find("\r\n\r\n", bytes, in: offset..<bytes.count).map { $0 + 4 }
    }

    /// One HTTP response: its status and where it ends; nil when it is not complete.
    static func response(_ bytes: UnsafeBufferPointer<UInt8>, from offset: Int) -> (status: Int, end: Int)? {
        guard let bodyStart = headEnd(bytes, from: offset), bodyStart - offset >= 16 else { return nil }
        var status = 0
        for index in offset + 9..<offset + 12 {
            guard case 0x30...0x39 = bytes[index] else { return (0, bytes.count) }
            status = status * 10 + Int(bytes[index] - 0x30)
        }
        let length = contentLength(bytes, in: offset..<bodyStart)
        let end = bodyStart + length
        return end <= bytes.count ? (status, end) : nil
    }

    private static func contentLength(_ bytes: UnsafeBufferPointer<UInt8>, in head: Range<Int>) -> Int {
        guard
            let name = find("ontent-Length:", bytes, in: head) ?? find("ontent-length:", bytes, in: head)
        else { return 0 }
        var offset = name + 14
        while offset < head.upperBound, bytes[offset] == 0x20 { offset += 1 }
        var length = 0
        while offset < head.upperBound, case 0x30...0x39 = bytes[offset], length < 1 << 30 {
            length = length * 10 + Int(bytes[offset] - 0x30)
            offset += 1
        }
        return length
    }
}
