/// Base 64 with the standard alphabet and padding (RFC 4648 §4).
public enum Base64 {
    /// Appends the padded text, four characters per started group of three bytes.
    public static func append(_ bytes: Span<UInt8>, to out: inout [UInt8]) {
        out.append(addingCapacity: (bytes.count + 2) / 3 * 4) { text in
            var offset = 0
            while offset + 3 <= bytes.count {
                let group = UInt32(bytes[offset]) << 16 | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2])
                text.append(character(group >> 18))
                text.append(character(group >> 12))
                text.append(character(group >> 6))
                text.append(character(group))
                offset += 3
            }
            let rest = bytes.count - offset
            guard rest > 0 else { return }
            let group = UInt32(bytes[offset]) << 16 | (rest == 2 ? UInt32(bytes[offset + 1]) << 8 : 0)
            text.append(character(group >> 18))
            text.append(character(group >> 12))
            text.append(rest == 2 ? character(group >> 6) : padding)
            text.append(padding)
        }
    }

    /// How many bytes a padded text stands for. Strict: nil on white space, missing padding, or non-zero bits under the padding, so that two
    /// texts never mean the same bytes.
    public static func decodedCount(_ text: Span<UInt8>) -> Int? {
        guard text.count.isMultiple(of: 4) else { return nil }
        guard text.count > 0 else { return 0 }
        let paddings = paddings(text)
        var last: UInt32 = 0
        for offset in 0..<text.count - paddings {
            guard let value = value(text[offset]) else { return nil }
            last = value
        }
        // One padding leaves two bits of the last character unused, two leave four.
        guard last & (1 << UInt32(2 * paddings) - 1) == 0 else { return nil }
        return text.count / 4 * 3 - paddings
    }

    /// The bytes of a padded text; nil when it has no `decodedCount`.
    public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard let count = decodedCount(text) else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(count)
        var group: UInt32 = 0
        for offset in text.indices {
            group = group << 6 | (value(text[offset]) ?? 0)
            guard offset & 3 == 3 else { continue }
            for shift: UInt32 in [16, 8, 0] where out.count < count {
                out.append(UInt8(truncatingIfNeeded: group >> shift))
            }
            group = 0
        }
        return out
    }

    /// Of a text that is not empty.
    private static func paddings(_ text: Span<UInt8>) -> Int {
        let last = text.count - 1
        return text[last] != padding ? 0 : text[last - 1] != padding ? 1 : 2
    }

    private static let padding: UInt8 = 0x3D

    private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    @inline(__always)
    private static func character(_ bits: UInt32) -> UInt8 { alphabet.utf8Start[Int(bits & 0x3F)] }

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
