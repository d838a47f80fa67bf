public import Wire

/// Lengths in characters, for the limits that count them: Unicode scalars, so that they do not depend on a Unicode version.
public enum ScalarCount {
    /// Scalars in valid UTF-8: every byte that does not continue one.
    public static func of(_ utf8: Span<UInt8>) -> Int {
        var count = 0
        for offset in utf8.indices where utf8[offset] & 0xC0 != 0x80 { count += 1 }
        return count
    }

    /// Scalars of a JSON string after unescaping, 0 when it is no text. `bytes` is the text the value was read from.
    public static func of(_ string: JSONValue, in bytes: Span<UInt8>) -> Int {
        guard string.kind == .string else { return 0 }
        guard string.hasEscapes else { return of(bytes.extracting(string.content)) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(string.decodedBytes)
        return JSON.appendDecoded(string, in: bytes, to: &decoded) ? of(decoded.span) : 0
    }
}
