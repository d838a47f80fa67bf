/// Writing JSON text.
extension JSON {
    /// Appends a string literal, quotes included. The text must be valid UTF-8; only `"`, `\` and bytes below 0x20 are escaped.
    public static func appendQuoted(_ utf8: Span<UInt8>, to out: inout [UInt8]) {
        out.append(Byte.quote)
        appendEscaped(utf8, to: &out)
        out.append(Byte.quote)
    }

    /// Appends the inside of a string literal, without the quotes.
    public static func appendEscaped(_ utf8: Span<UInt8>, to out: inout [UInt8]) {
        var run = 0
        var offset = 0
        while offset < utf8.count {
            if offset &+ 8 <= utf8.count, escapable(utf8.word(at: offset)) == 0 {
                offset &+= 8
                continue
            }
            let byte = utf8[offset]
            if byte == Byte.quote || byte == Byte.backslash || byte < 0x20 {
                out.append(bytes: utf8, run..<offset)
                appendEscape(byte, to: &out)
                run = offset &+ 1
            }
            offset &+= 1
        }
        out.append(bytes: utf8, run..<utf8.count)
    }

    /// Appends `JSON.stringify(value)` as a string literal: white space outside strings dropped, the rest escaped once more.
    /// Numbers and escapes keep the sender's spelling (`1.0`, `\u0041`), where JavaScript would normalise them.
    public static func appendStringified(_ value: JSONValue, in bytes: Span<UInt8>, to out: inout [UInt8]) {
        out.append(Byte.quote)
        copy(value, in: bytes, escaping: true, to: &out)
        out.append(Byte.quote)
    }

    /// Appends the value with the white space outside its strings dropped.
    public static func appendCompact(_ value: JSONValue, in bytes: Span<UInt8>, to out: inout [UInt8]) {
        copy(value, in: bytes, escaping: false, to: &out)
    }

    /// Appends an integer in decimal.
    public static func appendInteger(_ n: Int, to out: inout [UInt8]) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var start = digits.count
        var rest = n.magnitude
        repeat {
            start -= 1
            digits[start] = Byte.zero + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if n < 0 { out.append(Byte.minus) }
        out.append(bytes: digits.span, start..<digits.count)
    }

    /// Copies validated text in runs. Inside a string only `"` and `\` matter, because control characters cannot occur there.
    private static func copy(_ value: JSONValue, in bytes: Span<UInt8>, escaping: Bool, to out: inout [UInt8]) {
        let end = value.range.upperBound
        var run = value.range.lowerBound
        var offset = run
        var isInString = false
        while offset < end {
            if isInString, offset &+ 8 <= end, escapable(bytes.word(at: offset)) == 0 {
                offset &+= 8
                continue
            }
            let byte = bytes[offset]
            if isInString, byte == Byte.backslash {
                // The escape's second byte is copied (and escaped) with it, so that `\"` does not end the string.
                if escaping {
                    out.append(bytes: bytes, run..<offset)
                    appendEscape(byte, to: &out)
                    run = offset &+ 1
                    let next = bytes[run]
                    if next == Byte.quote || next == Byte.backslash {
                        appendEscape(next, to: &out)
                        run &+= 1
                    }
                }
                offset &+= 2
                continue
            }
            if byte == Byte.quote {
                isInString.toggle()
                if escaping {
                    out.append(bytes: bytes, run..<offset)
                    appendEscape(byte, to: &out)
                    run = offset &+ 1
                }
            } else if byte <= Byte.space, !isInString {
                out.append(bytes: bytes, run..<offset)
                run = offset &+ 1
            }
            offset &+= 1
        }
        out.append(bytes: bytes, run..<end)
    }

    /// As `JSONScanner.specialBytes`, but bytes above 0x7F pass.
    @inline(__always)
    private static func escapable(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5C)
        let controls = (word &- (ones &* 0x20)) & ~word
        return (((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes) | controls) & (ones &* 0x80)
    }

    /// The escapes `JSON.stringify` writes: the short ones where they exist, else `\u00xx`.
    private static func appendEscape(_ byte: UInt8, to out: inout [UInt8]) {
        out.append(Byte.backslash)
        switch byte {
        case 0x08: out.append(0x62)
        case 0x09: out.append(0x74)
        case 0x0A: out.append(0x6E)
        case 0x0C: out.append(0x66)
        case 0x0D: out.append(0x72)
        case 0..<0x20:
            out.append(text: "u00")
            out.append(Hex.lowercaseDigit(byte >> 4))
            out.append(Hex.lowercaseDigit(byte & 0xF))
        default: out.append(byte)
        }
    }
}
