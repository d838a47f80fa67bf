/// Reading what a `JSONValue` points at. The value must come from the same bytes.
public enum JSON {
    /// Whether a string value, decoded, is exactly this text; one comparison when it has no escapes.
    @inlinable
    @inline(__always)
    public static func equals(_ string: JSONValue, _ text: StaticString, in bytes: Span<UInt8>) -> Bool {
        guard string.kind == .string, string.decodedBytes == text.utf8CodeUnitCount else { return false }
        return string.hasEscapes
            ? text.withUTF8Buffer { equals(string, $0.span, in: bytes) } : bytes.equals(string.content, text)
    }

    /// Whether a string value, decoded, is exactly these bytes.
    public static func equals(_ string: JSONValue, _ text: Span<UInt8>, in bytes: Span<UInt8>) -> Bool {
        guard string.kind == .string, string.decodedBytes == text.count, !string.hasLoneSurrogate else { return false }
        var offset = string.content.lowerBound
        let end = string.content.upperBound
        var matched = 0
        while offset < end {
            guard string.hasEscapes, bytes[offset] == Byte.backslash else {
                guard bytes[offset] == text[matched] else { return false }
                offset &+= 1
                matched &+= 1
                continue
            }
            let escape = decodeEscape(bytes, at: offset)
            offset &+= escape.source
            for index in 0..<escape.count {
                guard UInt8(truncatingIfNeeded: escape.utf8 >> (8 &* UInt32(index))) == text[matched] else {
                    return false
                }
                matched &+= 1
            }
        }
        return true
    }

    /// Appends a string value's text, unescaped: `decodedBytes` bytes of valid UTF-8. False (and nothing appended) when half of a
    /// surrogate pair is in it, which UTF-8 cannot hold: who reads a name or an id must say so.
    public static func appendDecoded(_ string: JSONValue, in bytes: Span<UInt8>, to out: inout [UInt8]) -> Bool {
        guard !string.hasLoneSurrogate else { return false }
        let content = string.content
        if string.hasEscapes {
            out.append(bytesMax: string.decodedBytes) { $0.write(decoding: bytes.extracting(content)) }
        } else {
            out.append(bytes: bytes, content)
        }
        return true
    }

    /// The validated escape at `offset`: its length in the text, and its UTF-8 as a word, first byte lowest. Not of a string with
    /// a lone surrogate.
    static func decodeEscape(
        _ bytes: Span<UInt8>, at offset: Int
    ) -> (source: Int, utf8: UInt32, count: Int) {
        switch bytes[offset &+ 1] {
        case 0x62: return (2, 0x08, 1)
        case 0x66: return (2, 0x0C, 1)
        case 0x6E: return (2, 0x0A, 1)
        case 0x72: return (2, 0x0D, 1)
        case 0x74: return (2, 0x09, 1)
        case 0x75: break
        case let byte: return (2, UInt32(byte), 1)
        }
        let unit = codeUnit(bytes, at: offset &+ 2)
        switch unit {
        case 0..<0x80: return (6, unit, 1)
        case 0x80..<0x800: return (6, 0x80C0 | unit >> 6 | (unit & 0x3F) << 8, 2)
        case 0xD800..<0xE000:
            let low = codeUnit(bytes, at: offset &+ 8)
            let scalar = 0x1_0000 + ((unit & 0x3FF) << 10 | low & 0x3FF)
            let tail = (scalar >> 12 & 0x3F) << 8 | (scalar >> 6 & 0x3F) << 16 | (scalar & 0x3F) << 24
            return (12, 0x8080_80F0 | scalar >> 18 | tail, 4)
        default: return (6, 0x80_80E0 | unit >> 12 | (unit >> 6 & 0x3F) << 8 | (unit & 0x3F) << 16, 3)
        }
    }

    private static func codeUnit(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
        var unit: UInt32 = 0
        for index in 0..<4 { unit = unit << 4 | UInt32(Hex.value(bytes[offset &+ index]) ?? 0) }
        return unit
    }
}
