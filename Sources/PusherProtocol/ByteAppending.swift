internal import Wire

extension [UInt8] {
    /// Appends text whose JSON literal stands inside another JSON string: escaped once for each level, without quotes.
    ///
    ///     "  →  \"  →  \\\"        newline  →  \n  →  \\n
    mutating func appendEscapedTwice(_ utf8: Span<UInt8>) {
        var run = 0
        for offset in utf8.indices {
            let byte = utf8[offset]
            guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 else { continue }
            append(bytes: utf8, run..<offset)
            run = offset + 1
            // The backslash of the inner escape, escaped; then what follows it in the inner escape.
            append(text: "\\\\")
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case 0x08: append(UInt8(ascii: "b"))
            case 0x09: append(UInt8(ascii: "t"))
            case 0x0A: append(UInt8(ascii: "n"))
            case 0x0C: append(UInt8(ascii: "f"))
            case 0x0D: append(UInt8(ascii: "r"))
            default:
                append(text: "u00")
                append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
                let low = byte & 0xF
                append(low < 10 ? 0x30 + low : 0x57 + low)
            }
        }
        append(bytes: utf8, run..<utf8.count)
    }

    /// Appends a JSON string literal of text that is ours, such as an error message.
    mutating func appendQuoted(_ text: String) {
        let utf8 = Array(text.utf8)
        JSON.appendQuoted(utf8.span, to: &self)
    }
}

extension Span where Element == UInt8 {
    /// For messages to people: at most `bytesMax` bytes, repaired to valid UTF-8.
    func excerpt(bytesMax: Int) -> String {
        withUnsafeBufferPointer { bytes in
            bytes.count <= bytesMax
                ? String(decoding: bytes, as: UTF8.self)
                : String(decoding: bytes.prefix(bytesMax), as: UTF8.self) + "…"
        }
    }
}
