/// The parts of the opening handshake that need no digest (RFC 6455 §4.2).
public enum WebSocketHandshake {
    /// What is appended to the client's key before the SHA-1 whose base 64 is `Sec-WebSocket-Accept`.
    public static let keySuffix: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// Whether `Sec-WebSocket-Key` is the base 64 of 16 bytes. (§4.2.1)
    public static func isValidKey(_ key: Span<UInt8>) -> Bool {
        key.count == 24 && Base64.decodedCount(key) == 16
    }

    /// Appends the 101 response. `digest`: the SHA-1 of the client's key and `keySuffix`; `subprotocol`: the one chosen, or nil for no such
    /// header, free of line ends, as the parser's field values are. (§4.2.2)
    public static func appendResponse(
        digest: Span<UInt8>, date: HTTPDate, subprotocol: Span<UInt8>?, extraHeaders: String = "", to out: inout [UInt8]
    ) {
        out.append(bytesMax: 192) { pen in
            pen.write(text: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
            date.write(to: &pen)
            pen.write(text: "Sec-WebSocket-Accept: ")
        }
        Base64.append(digest, to: &out)
        if let subprotocol {
            out.append(text: "\r\nSec-WebSocket-Protocol: ")
            out.append(bytes: subprotocol)
        }
        out.append(text: "\r\n")
        out.append(contentsOf: extraHeaders.utf8)
        out.append(text: "\r\n")
    }
}
