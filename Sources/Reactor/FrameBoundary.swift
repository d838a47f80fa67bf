/// Finds where the messages of a backlog end, so that an overflowing connection can be told why it is closed (4100) without cutting a
/// frame in two. The reactor may not import Wire, and all it needs are lengths; so it walks the frame headers itself.
///
/// What stands in a backlog is our own output: unmasked WebSocket frames (RFC 6455 §5.2, FIN always set, so the first byte is >= 0x80),
/// or an HTTP response head, which is ASCII.
enum FrameBoundary {
    /// Bytes of the message that starts at `bytes`, or nil when its end cannot be told from `count` bytes.
    static func length(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int? {
        guard count >= 2 else { return nil }
        if bytes[0] & 0x80 == 0 { return headLength(bytes, count) }
        switch bytes[1] & 0x7F {
        case 126:
            guard count >= 4 else { return nil }
            return 4 + (Int(bytes[2]) << 8 | Int(bytes[3]))
        case 127:
            guard count >= 10 else { return nil }
            var length: UInt64 = 0
            for index in 2..<10 { length = length << 8 | UInt64(bytes[index]) }
            return length < UInt64(UInt32.max) ? 10 + Int(length) : nil
        case let short:
            return 2 + Int(short)
        }
    }

    private static func headLength(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int? {
        var at = 3
        while at < count {
            let isEnd = bytes[at] == 0x0A && bytes[at - 1] == 0x0D && bytes[at - 2] == 0x0A && bytes[at - 3] == 0x0D
            at += 1
            if isEnd { return at }
        }
        return nil
    }
}
