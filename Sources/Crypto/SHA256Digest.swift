/// The 32 bytes of a SHA-256 or an HMAC-SHA256; a plain value, so no allocation follows it about.
public struct SHA256Digest: Sendable, Equatable {
    /// The digest, most significant byte first (FIPS 180-4 §6.2).
    public var bytes: InlineArray<32, UInt8>

    /// Wraps 32 bytes computed elsewhere.
    public init(bytes: InlineArray<32, UInt8>) { self.bytes = bytes }

    /// Appends 64 lower-case hex digits, the form every Pusher signature has on the wire (Pusher protocol §3.2).
    public func appendHex(to out: inout [UInt8]) {
        let raw = bytes.span.bytes
        for offset in stride(from: 0, to: 32, by: 4) {
            let four = raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
            withUnsafeBytes(of: HexDigits.of(UInt32(littleEndian: four)).digits.littleEndian) {
                out.append(contentsOf: $0)
            }
        }
    }

    /// Whether `text` is this digest in hex of either case (PW-060), in time that does not depend on where they differ.
    public func equalsHex(_ text: Span<UInt8>) -> Bool {
        ConstantTime.equals(bytes.span, hex: text)
    }

    /// Compares in constant time, because one side may be a peer's guess.
    public static func == (a: Self, b: Self) -> Bool { ConstantTime.equals(a.bytes.span, b.bytes.span) }
}
