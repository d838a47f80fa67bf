internal import COpenSSL

/// Comparison of secrets.
public enum ConstantTime {
    /// Whether `text` is the digest in hex of either case (PW-060), in time that does not depend on where they differ.
    ///
    /// Four bytes of the digest are spread to eight digits and compared at once. `digest` has a multiple of four bytes.
    public static func equals(_ digest: Span<UInt8>, hex text: Span<UInt8>) -> Bool {
        precondition(digest.count.isMultiple(of: 4), "digests are made of words")
        guard text.count == 2 * digest.count else { return false }
        let (raw, given) = (digest.bytes, text.bytes)
        var difference: UInt64 = 0
        var offset = 0
        while offset < digest.count {
            let four = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self)
            let eight = given.unsafeLoadUnaligned(fromUncheckedByteOffset: 2 &* offset, as: UInt64.self)
            offset &+= 4
            let (digits, letters) = HexDigits.of(UInt32(littleEndian: four))
            // A letter may differ in the bit that is its case.
            difference |= (UInt64(littleEndian: eight) ^ digits) & ~(letters << 5)
        }
        return difference == 0
    }

    /// Whether both hold the same bytes. The time depends on the lengths only, which are not secret. Any thread.
    public static func equals(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
        guard a.count == b.count else { return false }
        return a.withUnsafeBytes { a in
            b.withUnsafeBytes { b in
                a.isEmpty || CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0
            }
        }
    }
}

/// Hex digits eight at a time.
enum HexDigits {
    /// The eight lower-case digits of four bytes, the first lowest, and a one in each byte that is a letter.
    @inline(__always)
    static func of(_ bytes: UInt32) -> (digits: UInt64, letters: UInt64) {
        var spread = UInt64(bytes)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        // The high half of a byte is its first digit.
        let halves = (spread >> 4 & 0x000F_000F_000F_000F) | (spread & 0x000F_000F_000F_000F) << 8
        let letters = (halves &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (halves &+ 0x3030_3030_3030_3030 &+ letters &* 0x27, letters)
    }
}
