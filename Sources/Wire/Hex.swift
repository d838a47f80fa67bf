/// Base 16 (RFC 4648 §8).
public enum Hex {
    /// Appends two lower-case digits per byte.
    public static func appendLowercase(_ bytes: Span<UInt8>, to out: inout [UInt8]) {
        out.reserveCapacity(out.count + 2 * bytes.count)
        for offset in bytes.indices {
            out.append(lowercaseDigit(bytes[offset] >> 4))
            out.append(lowercaseDigit(bytes[offset] & 0xF))
        }
    }

    /// The bytes of a hex text in either case; nil when its length is odd or a character is not a hex digit.
    public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 2) else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 2)
        var offset = 0
        while offset < text.count {
            guard let high = value(text[offset]), let low = value(text[offset + 1]) else { return nil }
            out.append(high << 4 | low)
            offset += 2
        }
        return out
    }

    /// The value 0…15 of one digit, nil for any other byte.
    @inline(__always)
    static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit &- 0x30
        case 0x41...0x46: digit &- 0x37
        case 0x61...0x66: digit &- 0x57
        default: nil
        }
    }

    @inline(__always)
    static func lowercaseDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x57 &+ value }

    @inline(__always)
    static func uppercaseDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x37 &+ value }
}
