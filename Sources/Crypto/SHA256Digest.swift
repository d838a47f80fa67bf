/// The 32 bytes of a SHA-256 or an HMAC-SHA256; a plain value, so no allocation follows it about.
public struct SHA256Digest: Sendable, Equatable {
    /// The digest, most significant byte first (FIPS 180-4 §6.2).
    public var bytes: InlineArray<32, UInt8>

    /// Wraps 32 bytes computed elsewhere.
    public init(bytes: InlineArray<32, UInt8>) { self.bytes = bytes }

    /// Appends 64 lower-case hex digits, the form every Pusher signature has on the wire (Pusher protocol §3.2).
    public func appendHex(to out: inout [UInt8]) {
        for index in bytes.indices {
            out.append(Self.hexDigit(bytes[index] >> 4))
            out.append(Self.hexDigit(bytes[index] & 0xF))
        }
    }

    /// Whether `text` is this digest in hex of either case (PW-060), in time that does not depend on where they differ.
    public func equalsHex(_ text: Span<UInt8>) -> Bool {
        guard text.count == 64 else { return false }
        var given = InlineArray<32, UInt8>(repeating: 0)
        for index in given.indices {
            guard let high = Self.hexValue(text[2 * index]), let low = Self.hexValue(text[2 * index + 1]) else {
                return false
            }
            given[index] = high << 4 | low
        }
        return ConstantTime.equals(bytes.span, given.span)
    }

    /// Compares in constant time, because one side may be a peer's guess.
    public static func == (a: Self, b: Self) -> Bool { ConstantTime.equals(a.bytes.span, b.bytes.span) }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x57 + nibble }

    private static func hexValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x37
        case 0x61...0x66: digit - 0x57
        default: nil
        }
    }
}
