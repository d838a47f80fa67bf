/// Percent-encoding of URI parts (RFC 3986 §2.1).
public enum Percent {
    /// The decoded bytes (not checked for UTF-8); nil when a `%` is not followed by two hex digits.
    /// `plusAsSpace`: the `application/x-www-form-urlencoded` habit of query strings.
    public static func decode(_ text: Span<UInt8>, plusAsSpace: Bool = false) -> [UInt8]? {
        var out: [UInt8] = []
        return appendDecoded(text, plusAsSpace: plusAsSpace, to: &out) ? out : nil
    }

    /// Appends the decoded bytes; false (and nothing appended) on a bad escape.
    public static func appendDecoded(
        _ text: Span<UInt8>, plusAsSpace: Bool = false, to out: inout [UInt8]
    ) -> Bool {
        let start = out.count
        out.reserveCapacity(start + text.count)
        var offset = 0
        while offset < text.count {
            var byte = text[offset]
            offset += 1
            if byte == Byte.percent {
                guard offset + 2 <= text.count, let high = Hex.value(text[offset]),
                    let low = Hex.value(text[offset + 1])
                else {
                    out.removeLast(out.count - start)
                    return false
                }
                byte = high << 4 | low
                offset += 2
            } else if byte == Byte.plus, plusAsSpace {
                byte = Byte.space
            }
            out.append(byte)
        }
        return true
    }

    /// Whether decoding would change the text.
    public static func containsEscapes(_ text: Span<UInt8>, plusAsSpace: Bool = false) -> Bool {
        let all = 0..<text.count
        return text.firstOffset(of: Byte.percent, in: all) < text.count
            || (plusAsSpace && text.firstOffset(of: Byte.plus, in: all) < text.count)
    }

    /// Appends the text with every byte but the unreserved ones (`A-Z a-z 0-9 - . _ ~`) as `%XX`.
    public static func appendEncoded(_ bytes: Span<UInt8>, to out: inout [UInt8]) {
        for offset in bytes.indices {
            let byte = bytes[offset]
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(byte)
            default:
                out.append(Byte.percent)
                out.append(Hex.uppercaseDigit(byte >> 4))
                out.append(Hex.uppercaseDigit(byte & 0xF))
            }
        }
    }
}
