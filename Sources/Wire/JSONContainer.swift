extension JSONScanner {
    /// The end of the container whose bracket is at `start`. Iterative: the open containers are the bits of one word
    /// (1 object, 0 array; the innermost is bit 0), so a peer chooses neither stack nor heap use.
    static func container(_ bytes: Span<UInt8>, from start: Int, end: Int, depth depthMax: Int) throws(JSONError) -> Int
    {
        var offset = start
        var objects: UInt64 = 0
        var depth = 0
        while true {
            // `offset` is at a value. An opening bracket enters it, anything else is read whole.
            guard offset < end else { throw JSONError(.unexpectedEnd, at: end) }
            let byte = bytes[offset]
            if byte == Byte.openBrace || byte == Byte.openBracket {
                guard depth < depthMax, depth < depthLimit else { throw JSONError(.tooDeep, at: offset) }
                depth &+= 1
                objects = objects << 1 | (byte == Byte.openBrace ? 1 : 0)
                offset = skipWhitespace(bytes, from: offset &+ 1, end: end)
                guard offset < end else { throw JSONError(.unexpectedEnd, at: end) }
                guard bytes[offset] == closing(objects) else {
                    if objects & 1 == 1 { offset = try memberName(bytes, from: offset, end: end) }
                    continue
                }
            } else if byte == Byte.quote {
                offset = try string(bytes, from: offset, end: end).range.upperBound
            } else {
                offset = try scalar(bytes, from: offset, end: end).range.upperBound
            }
            // A value has ended: close what closes here, or go on to the next one.
            while true {
                offset = skipWhitespace(bytes, from: offset, end: end)
                guard offset < end else { throw JSONError(.unexpectedEnd, at: end) }
                if bytes[offset] == Byte.comma { break }
                guard bytes[offset] == closing(objects) else { throw JSONError(.expectedCommaOrEnd, at: offset) }
                offset &+= 1
                objects >>= 1
                depth &-= 1
                if depth == 0 { return offset }
            }
            offset = skipWhitespace(bytes, from: offset &+ 1, end: end)
            if objects & 1 == 1 { offset = try memberName(bytes, from: offset, end: end) }
        }
    }

    @inline(__always)
    private static func closing(_ objects: UInt64) -> UInt8 {
        objects & 1 == 1 ? Byte.closeBrace : Byte.closeBracket
    }

    /// Reads `"name" :` and returns where its value starts.
    @inline(__always)
    private static func memberName(_ bytes: Span<UInt8>, from start: Int, end: Int) throws(JSONError) -> Int {
        let key = try self.key(bytes, from: start, end: end)
        return try afterColon(bytes, from: key.range.upperBound, end: end)
    }

    /// The member name that starts exactly at `start`.
    static func key(_ bytes: Span<UInt8>, from start: Int, end: Int) throws(JSONError) -> JSONValue {
        guard start < end else { throw JSONError(.unexpectedEnd, at: end) }
        guard bytes[start] == Byte.quote else { throw JSONError(.expectedKey, at: start) }
        return try string(bytes, from: start, end: end)
    }

    /// Skips the colon between a name and its value, with the white space around it.
    @inline(__always)
    static func afterColon(_ bytes: Span<UInt8>, from start: Int, end: Int) throws(JSONError) -> Int {
        let colon = skipWhitespace(bytes, from: start, end: end)
        guard colon < end else { throw JSONError(.unexpectedEnd, at: end) }
        guard bytes[colon] == Byte.colon else { throw JSONError(.expectedColon, at: colon) }
        return skipWhitespace(bytes, from: colon &+ 1, end: end)
    }
}
