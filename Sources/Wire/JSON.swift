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
        appendRepaired(string, in: bytes, to: &out)
        return true
    }

    /// The same for people, with U+FFFD in the place of a lone surrogate.
    private static func appendRepaired(_ string: JSONValue, in bytes: Span<UInt8>, to out: inout [UInt8]) {
        let content = string.content
        guard string.hasEscapes else { return out.append(bytes: bytes, content) }
        var run = content.lowerBound
        var offset = run
        while offset < content.upperBound {
            guard bytes[offset] == Byte.backslash else {
                offset &+= 1
                continue
            }
            out.append(bytes: bytes, run..<offset)
            let escape = decodeEscape(bytes, at: offset)
            for index in 0..<escape.count {
                out.append(UInt8(truncatingIfNeeded: escape.utf8 >> (8 &* UInt32(index))))
            }
            offset &+= escape.source
            run = offset
        }
        out.append(bytes: bytes, run..<content.upperBound)
    }

    /// A string value's text as a `String`, U+FFFD for a lone surrogate; allocates, for messages to people only.
    public static func decodedString(_ string: JSONValue, in bytes: Span<UInt8>) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(string.decodedBytes)
        appendRepaired(string, in: bytes, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// A number value as an integer; nil when it has a fraction or an exponent, or does not fit.
    public static func integer(_ number: JSONValue, in bytes: Span<UInt8>) -> Int? {
        guard number.kind == .number else { return nil }
        let isNegative = bytes[number.range.lowerBound] == Byte.minus
        var result = 0
        for offset in number.range.lowerBound + (isNegative ? 1 : 0)..<number.range.upperBound {
            guard case Byte.zero...Byte.nine = bytes[offset] else { return nil }
            let (product, overflowed) = result.multipliedReportingOverflow(by: 10)
            let digit = Int(bytes[offset] - Byte.zero)
            // Downwards for negative numbers, so that Int.min is reachable.
            let (sum, overflowedAgain) =
                isNegative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
            guard !overflowed, !overflowedAgain else { return nil }
            result = sum
        }
        return result
    }

    /// The validated escape at `offset`: its length in the text, and its UTF-8 as a word, first byte lowest.
    private static func decodeEscape(
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
        case 0xDC00..<0xE000: return replacement
        case 0xD800..<0xDC00:
            // The text is validated: there is a byte behind the escape, and behind a backslash and `u` there are digits.
            guard bytes[offset &+ 6] == Byte.backslash, bytes[offset &+ 7] == 0x75,
                case let low = codeUnit(bytes, at: offset &+ 8), 0xDC00..<0xE000 ~= low
            else { return replacement }
            let scalar = 0x1_0000 + ((unit & 0x3FF) << 10 | low & 0x3FF)
            let tail = (scalar >> 12 & 0x3F) << 8 | (scalar >> 6 & 0x3F) << 16 | (scalar & 0x3F) << 24
            return (12, 0x8080_80F0 | scalar >> 18 | tail, 4)
        default: return (6, 0x80_80E0 | unit >> 12 | (unit >> 6 & 0x3F) << 8 | (unit & 0x3F) << 16, 3)
        }
    }

    /// U+FFFD for an escape that is half of a surrogate pair.
    private static var replacement: (source: Int, utf8: UInt32, count: Int) { (6, 0xBD_BFEF, 3) }

    private static func codeUnit(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
        var unit: UInt32 = 0
        for index in 0..<4 { unit = unit << 4 | UInt32(Hex.value(bytes[offset &+ index]) ?? 0) }
        return unit
    }
}
