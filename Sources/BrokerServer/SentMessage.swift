internal import Wire

/// What a loop's output is made of: WebSocket frames (unmasked, FIN set, so the first byte is >= 0x80) and HTTP response heads, which are ASCII.
enum SentMessage {
    /// The length of the message at the start of `bytes`; nil when its end is not among them.
    static func length(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let first = bytes.first else { return nil }
        return first >= 0x80 ? WebSocketFrame.length(of: bytes.span, at: 0) : headLength(bytes)
    }

    private static func headLength(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        var end = 4
        while end <= bytes.count {
            if bytes[end - 1] == 0x0A, bytes[end - 2] == 0x0D, bytes[end - 3] == 0x0A, bytes[end - 4] == 0x0D { return end }
            end += 1
        }
        return nil
    }

    /// What a client is told for whom there is no descriptor.
    static let refusal = Array(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
}
