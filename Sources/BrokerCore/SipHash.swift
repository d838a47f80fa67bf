/// A 128-bit secret of this process. One secret has one use.
public struct SecretKey: Sendable {
    let first: UInt64
    let second: UInt64

    /// - Parameters: two unpredictable words.
    public init(_ first: UInt64, _ second: UInt64) { (self.first, self.second) = (first, second) }
}

/// What the broker needs of chance when it starts; nothing of one can be learned from the other.
public struct BrokerSecrets: Sendable {
    /// Hashes the names that peers choose.
    public var names: SecretKey
    /// Scrambles the places in socket ids, which every client sees.
    public var socketIDs: SecretKey

    public init(names: SecretKey, socketIDs: SecretKey) { (self.names, self.socketIDs) = (names, socketIDs) }
}

/// SipHash-1-3 (Aumasson and Bernstein): who does not know the key can neither foresee a hash nor make two texts collide
/// more often than chance does.
struct SipHash {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    @inline(__always)
    private init(_ key: SecretKey) {
        v0 = key.first ^ 0x736F_6D65_7073_6575
        v1 = key.second ^ 0x646F_7261_6E64_6F6D
        v2 = key.first ^ 0x6C79_6765_6E65_7261
        v3 = key.second ^ 0x7465_6462_7974_6573
    }

    /// The hash of `bytes`.
    static func hash(_ bytes: Span<UInt8>, key: SecretKey) -> UInt64 {
        var state = SipHash(key)
        var offset = 0
        while offset &+ 8 <= bytes.count {
            state.absorb(word(bytes, at: offset))
            offset &+= 8
        }
        state.absorb(lastWord(of: bytes, from: offset))
        return state.finish()
    }

    /// The hash of one number below 2⁵⁶, as if it were seven bytes.
    static func hash(number: UInt64, key: SecretKey) -> UInt64 {
        var state = SipHash(key)
        state.absorb(7 << 56 | number)
        return state.finish()
    }

    /// The bytes behind the last whole word, little-endian, below the low byte of the length.
    @inline(__always)
    private static func lastWord(of bytes: Span<UInt8>, from offset: Int) -> UInt64 {
        let length = UInt64(truncatingIfNeeded: bytes.count) << 56
        let left = bytes.count &- offset
        guard left > 0 else { return length }
        if bytes.count >= 8 {
            // The last eight bytes end where the text ends; those that were absorbed already are shifted out.
            return length | word(bytes, at: bytes.count &- 8) >> (UInt64(8 &- left) &* 8)
        }
        var word = length
        for index in 0..<left { word |= UInt64(bytes[offset &+ index]) << (UInt64(index) &* 8) }
        return word
    }

    /// Eight bytes as one little-endian number. The caller has checked that they are there.
    @inline(__always)
    private static func word(_ bytes: Span<UInt8>, at offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    private mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        v0 ^= word
    }

    @inline(__always)
    private mutating func finish() -> UInt64 {
        v2 ^= 0xFF
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func round() {
        v0 &+= v1
        v1 = Self.rotate(v1, 13) ^ v0
        v0 = Self.rotate(v0, 32)
        v2 &+= v3
        v3 = Self.rotate(v3, 16) ^ v2
        v0 &+= v3
        v3 = Self.rotate(v3, 21) ^ v0
        v2 &+= v1
        v1 = Self.rotate(v1, 17) ^ v2
        v2 = Self.rotate(v2, 32)
    }

    @inline(__always)
    private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { word &<< bits | word &>> (64 &- bits) }
}
