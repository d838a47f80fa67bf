internal import Wire

/// Makes text of a JSON string literal that is none: halves of surrogate pairs (`\ud800`) become the replacement character.
///
/// The grammar lets them through, and so do we between clients. But PHP's reader refuses a text that holds one, with all events of the
/// request: one client could keep an endpoint from ever being told anything.
enum LiteralRepair {
    /// Appends a validated literal; as long as before.
    static func append(_ literal: Span<UInt8>, to out: inout [UInt8]) {
        var (copied, offset) = (0, 0)
        while true {
            offset = literal.firstOffset(of: UInt8(ascii: "\\"), in: offset..<literal.count)
            guard offset < literal.count else { break }
            guard offset + 6 <= literal.count, literal[offset + 1] == UInt8(ascii: "u") else {
                offset += 2
                continue
            }
            switch unit(literal, at: offset) {
            case 0xD800..<0xDC00 where (0xDC00..<0xE000).contains(unit(literal, at: offset + 6)): offset += 12
            case 0xD800..<0xE000:
                out.append(bytes: literal, copied..<offset)
                out.append(text: "\\ufffd")
                offset += 6
                copied = offset
            default: offset += 6
            }
        }
        out.append(bytes: literal, copied..<literal.count)
    }

    /// The code unit of the escape there; 0 when there is none.
    private static func unit(_ literal: Span<UInt8>, at offset: Int) -> UInt16 {
        guard offset + 6 <= literal.count, literal[offset] == UInt8(ascii: "\\"),
            literal[offset + 1] == UInt8(ascii: "u")
        else { return 0 }
        guard let bytes = Hex.decode(literal.extracting(offset + 2..<offset + 6)) else { return 0 }
        return UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    }
}
