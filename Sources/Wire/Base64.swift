/// Base 64 with the standard alphabet and padding (RFC 4648 §4).
public enum Base64 {
    /// Appends the padded text, four characters per started group of three bytes.
    public static func append(_ bytes: Span<UInt8>, to out: inout [UInt8]) {
        out.reserveCapacity(out.count + (bytes.count + 2) / 3 * 4)
        var offset = 0
        while offset + 3 <= bytes.count {
            let group = UInt32(bytes[offset]) << 16 | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2])
            for shift: UInt32 in [18, 12, 6, 0] { out.append(character(group >> shift)) }
            offset += 3
        }
        let rest = bytes.count - offset
        guard rest > 0 else { return }
        let group = UInt32(bytes[offset]) << 16 | (rest == 2 ? UInt32(bytes[offset + 1]) << 8 : 0)
        out.append(character(group >> 18))
        out.append(character(group >> 12))
        out.append(rest == 2 ? character(group >> 6) : padding)
        out.append(padding)
    }

    /// The bytes of a padded text. Strict: nil on white space, missing padding, or non-zero bits under the padding, so
    /// that two texts never mean the same bytes.
    public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        guard text.count > 0 else { return [] }
        let last = text.count - 1
        let paddings = text[last] != padding ? 0 : text[last - 1] != padding ? 1 : 2
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        for offset in 0..<text.count - paddings {
            guard let value = value(text[offset]) else { return nil }
            group = group << 6 | value
            guard offset & 3 == 3 else { continue }
            out.append(UInt8(truncatingIfNeeded: group >> 16))
            out.append(UInt8(truncatingIfNeeded: group >> 8))
            out.append(UInt8(truncatingIfNeeded: group))
            group = 0
        }
        switch paddings {
        case 1:
            guard group & 0x3 == 0 else { return nil }
            out.append(UInt8(truncatingIfNeeded: group >> 10))
            out.append(UInt8(truncatingIfNeeded: group >> 2))
        case 2:
            guard group & 0xF == 0 else { return nil }
            out.append(UInt8(truncatingIfNeeded: group >> 4))
        default: break
        }
        return out
    }

    private static let padding: UInt8 = 0x3D

    @inline(__always)
    private static func character(_ bits: UInt32) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: bits & 0x3F)
        return switch value {
        case 0..<26: 0x41 &+ value
        case 26..<52: 0x61 &+ (value &- 26)
        case 52..<62: 0x30 &+ (value &- 52)
        case 62: Byte.plus
        default: Byte.slash
        }
    }

    @inline(__always)
    private static func value(_ character: UInt8) -> UInt32? {
        switch character {
        case 0x41...0x5A: UInt32(character &- 0x41)
        case 0x61...0x7A: UInt32(character &- 0x61) + 26
        case 0x30...0x39: UInt32(character &- 0x30) + 52
        case Byte.plus: 62
        case Byte.slash: 63
        default: nil
        }
    }
}
