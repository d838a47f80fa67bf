/// Reads single values out of a text without building them (strict RFC 8259). All offsets count from the span's start;
/// `end` is never beyond the span's count.
enum JSONScanner {
    /// Containers nest at most this deep, because their kinds are kept in the bits of one word.
    static let depthLimit = 63

    @inline(__always)
    static func skipWhitespace(_ bytes: Span<UInt8>, from start: Int, end: Int) -> Int {
        var offset = start
        while offset < end {
            let byte = bytes[offset]
            if byte > Byte.space { return offset }
            guard byte == Byte.space || byte == Byte.lineFeed || byte == Byte.carriageReturn || byte == Byte.tab else {
                return offset
            }
            offset &+= 1
        }
        return offset
    }

    /// Any value that starts exactly at `start`. `depth`: how many containers it may still open.
    static func value(_ bytes: Span<UInt8>, from start: Int, end: Int, depth: Int) throws(JSONError) -> JSONValue {
        guard start < end else { throw JSONError(.unexpectedEnd, at: start) }
        switch bytes[start] {
        case Byte.quote: return try string(bytes, from: start, end: end)
        case Byte.openBrace:
            return JSONValue(.object, start..<(try container(bytes, from: start, end: end, depth: depth)))
        case Byte.openBracket:
            return JSONValue(.array, start..<(try container(bytes, from: start, end: end, depth: depth)))
        default: return try scalar(bytes, from: start, end: end)
        }
    }

    /// A number, `true`, `false` or `null`.
    static func scalar(_ bytes: Span<UInt8>, from start: Int, end: Int) throws(JSONError) -> JSONValue {
        switch bytes[start] {
        case Byte.minus, Byte.zero...Byte.nine:
            return JSONValue(.number, start..<(try number(bytes, from: start, end: end)))
        case 0x74:
            try literal("true", bytes, from: start, end: end)
            return JSONValue(.boolean, start..<start + 4)
        case 0x66:
            try literal("false", bytes, from: start, end: end)
            return JSONValue(.boolean, start..<start + 5)
        case 0x6E:
            try literal("null", bytes, from: start, end: end)
            return JSONValue(.null, start..<start + 4)
        default: throw JSONError(.expectedValue, at: start)
        }
    }

    /// The string whose opening quote is at `start`.
    static func string(_ bytes: Span<UInt8>, from start: Int, end: Int) throws(JSONError) -> JSONValue {
        var offset = start &+ 1
        var escapedAway = 0
        var hasLoneSurrogate = false
        while true {
            while offset &+ 8 <= end {
                let special = specialBytes(bytes.word(at: offset))
                if special != 0 {
                    offset &+= Word.bytesBefore(special)
                    break
                }
                offset &+= 8
            }
            guard offset < end else { throw JSONError(.unexpectedEnd, at: end) }
            let byte = bytes[offset]
            if byte == Byte.quote {
                let decoded = offset &- start &- 1 &- escapedAway
                return JSONValue(
                    .string, start..<offset &+ 1, hasEscapes: escapedAway > 0, hasLoneSurrogate: hasLoneSurrogate,
                    decodedBytes: decoded)
            } else if byte == Byte.backslash {
                let escape = try escapeBytes(bytes, at: offset, end: end)
                if escape.isLoneSurrogate { hasLoneSurrogate = true }
                escapedAway &+= escape.source &- escape.decoded
                offset &+= escape.source
            } else if byte >= 0x80 {
                repeat {
                    let length = UTF8Stream.characterBytes(bytes, at: offset, end: end)
                    guard length > 0 else { throw JSONError(.invalidUTF8, at: offset) }
                    offset &+= length
                } while offset < end && bytes[offset] >= 0x80
            } else {
                guard byte >= 0x20 else { throw JSONError(.controlCharacter, at: offset) }
                offset &+= 1
            }
        }
    }

    /// The bytes of a word that end a plain run: `"`, `\`, below 0x20, above 0x7F. Only the lowest is exact.
    @inline(__always)
    static func specialBytes(_ word: UInt64) -> UInt64 {
        JSONWriter.escapable(word) | word & 0x8080_8080_8080_8080
    }

    /// How long the escape at `offset` is in the text, and in UTF-8 when decoded (§7). Half of a surrogate pair is as long
    /// as U+FFFD, which stands for it where text is shown.
    private static func escapeBytes(
        _ bytes: Span<UInt8>, at offset: Int, end: Int
    ) throws(JSONError) -> (source: Int, decoded: Int, isLoneSurrogate: Bool) {
        guard offset &+ 1 < end else { throw JSONError(.unexpectedEnd, at: end) }
        switch bytes[offset &+ 1] {
        case Byte.quote, Byte.backslash, Byte.slash, 0x62, 0x66, 0x6E, 0x72, 0x74: return (2, 1, false)
        case 0x75: break
        default: throw JSONError(.invalidEscape, at: offset)
        }
        let unit = try codeUnit(bytes, at: offset, end: end)
        switch unit {
        case 0..<0x80: return (6, 1, false)
        case 0x80..<0x800: return (6, 2, false)
        case 0xDC00..<0xE000: return (6, 3, true)
        case 0xD800..<0xDC00:
            // What follows is looked at only to see whether it is the other half; if not, it is read (and judged) next.
            let second = offset &+ 6
            guard second &+ 6 <= end, bytes[second] == Byte.backslash, bytes[second &+ 1] == 0x75,
                case 0xDC00..<0xE000 = try codeUnit(bytes, at: second, end: end)
            else { return (6, 3, true) }
            return (12, 4, false)
        default: return (6, 3, false)
        }
    }

    /// The four hex digits after `\u`, whose backslash is at `offset`.
    private static func codeUnit(_ bytes: Span<UInt8>, at offset: Int, end: Int) throws(JSONError) -> UInt32 {
        guard offset &+ 6 <= end else { throw JSONError(.unexpectedEnd, at: end) }
        var unit: UInt32 = 0
        for digit in 2..<6 {
            guard let value = Hex.value(bytes[offset &+ digit]) else { throw JSONError(.invalidEscape, at: offset) }
            unit = unit << 4 | UInt32(value)
        }
        return unit
    }

    /// The end of the number at `start`: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?` (§6)
    private static func number(_ bytes: Span<UInt8>, from start: Int, end: Int) throws(JSONError) -> Int {
        var offset = start
        if bytes[offset] == Byte.minus { offset &+= 1 }
        let first = offset
        offset = try digits(bytes, from: offset, end: end, numberStart: start)
        guard bytes[first] != Byte.zero || offset == first &+ 1 else { throw JSONError(.invalidNumber, at: start) }
        if offset < end, bytes[offset] == Byte.dot {
            offset = try digits(bytes, from: offset &+ 1, end: end, numberStart: start)
        }
        if offset < end, bytes[offset] | 0x20 == 0x65 {
            offset &+= 1
            if offset < end, bytes[offset] == Byte.plus || bytes[offset] == Byte.minus { offset &+= 1 }
            offset = try digits(bytes, from: offset, end: end, numberStart: start)
        }
        return offset
    }

    /// One digit or more.
    @inline(__always)
    private static func digits(
        _ bytes: Span<UInt8>, from start: Int, end: Int, numberStart: Int
    ) throws(JSONError) -> Int {
        var offset = start
        while offset < end, bytes[offset] >= Byte.zero, bytes[offset] <= Byte.nine { offset &+= 1 }
        guard offset > start else { throw JSONError(.invalidNumber, at: numberStart) }
        return offset
    }

    private static func literal(
        _ word: StaticString, _ bytes: Span<UInt8>, from start: Int, end: Int
    ) throws(JSONError) {
        let length = word.utf8CodeUnitCount
        for index in 0..<length {
            guard start + index < end else { throw JSONError(.unexpectedEnd, at: end) }
            guard bytes[start + index] == word.utf8Start[index] else { throw JSONError(.expectedValue, at: start) }
        }
    }
}
