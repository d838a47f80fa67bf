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
        let extra = escapeBytes(utf8)
        guard extra > 0 else { return out.append(bytes: utf8) }
        utf8.withUnsafeBufferPointer { source in
            out.append(bytesMax: source.count + extra) { $0.writeEscaped(source) }
        }
    }

    /// Bytes of the inside of a literal at most: what is kept reserves no more.
    public static func escapedBytesMax(_ utf8: Span<UInt8>) -> Int { utf8.count + escapeBytes(utf8) }

    /// How many bytes escaping adds at most: every control character is counted as `\u00xx`.
    private static func escapeBytes(_ utf8: Span<UInt8>) -> Int {
        var (single, control) = (0, 0)
        var offset = 0
        while offset &+ 8 <= utf8.count {
            let word = utf8.word(at: offset)
            let marks = Word.every(word, equal: Byte.quote) | Word.every(word, equal: Byte.backslash)
            single &+= marks.nonzeroBitCount
            control &+= Word.every(word, equal: 0, mask: 0xE0).nonzeroBitCount
            offset &+= 8
        }
        while offset < utf8.count {
            let byte = utf8[offset]
            if byte == Byte.quote || byte == Byte.backslash { single &+= 1 }
            if byte < 0x20 { control &+= 1 }
            offset &+= 1
        }
        return single &+ 5 &* control
    }

    /// Appends `JSON.stringify(value)` as a string literal: white space outside strings dropped, the rest escaped once more.
    /// Numbers and escapes keep the sender's spelling (`1.0`, `\u0041`), where JavaScript would normalise them.
    public static func appendStringified(_ value: JSONValue, in bytes: Span<UInt8>, to out: inout [UInt8]) {
        out.append(Byte.quote)
        rewrite(bytes.extracting(value.range), escaping: true, to: &out)
        out.append(Byte.quote)
    }

    /// Appends the value with the white space outside its strings dropped.
    public static func appendCompact(_ value: JSONValue, in bytes: Span<UInt8>, to out: inout [UInt8]) {
        rewrite(bytes.extracting(value.range), escaping: false, to: &out)
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

    /// Escaping at most doubles validated text: there are no control characters in its strings.
    private static func rewrite(_ text: Span<UInt8>, escaping: Bool, to out: inout [UInt8]) {
        text.withUnsafeBufferPointer { source in
            out.append(bytesMax: escaping ? 2 * source.count : source.count) {
                $0.writeCompact(source, escaping: escaping)
            }
        }
    }
}
