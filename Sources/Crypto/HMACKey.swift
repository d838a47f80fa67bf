internal import COpenSSL

/// A secret made ready to sign: HMAC-SHA256 (RFC 2104) with both pads already hashed.
///
/// Built once per app key and read by every loop. Copying the two hashes costs two compressions less per signature than starting
/// from the secret.
public final class HMACKey: Sendable {
    private let inner: SHA256
    private let outer: SHA256

    /// Hashes the pads. `secret` may be any length, also empty; it is not kept. Any thread.
    public init(secret: Span<UInt8>) {
        var block = InlineArray<64, UInt8>(repeating: 0)
        if secret.count > 64 {
            let digest = Digest.sha256(secret)
            for index in digest.bytes.indices { block[index] = digest.bytes[index] }
        } else {
            for index in secret.indices { block[index] = secret[index] }
        }
        inner = Self.hash(absorbing: block, xor: 0x36)
        outer = Self.hash(absorbing: block, xor: 0x5C)
        var span = block.mutableSpan
        span.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    }

    /// Signs `message`. Any thread; nothing is allocated.
    public func sign(_ message: Span<UInt8>) -> SHA256Digest {
        var hash = inner
        hash.absorb(message)
        let digest = hash.finish()
        hash = outer
        hash.absorb(digest.bytes.span)
        return hash.finish()
    }

    private static func hash(absorbing block: borrowing InlineArray<64, UInt8>, xor mask: UInt8) -> SHA256 {
        var hash = SHA256()
        var pad = InlineArray<64, UInt8>(repeating: mask)
        for index in pad.indices { pad[index] ^= block[index] }
        hash.absorb(pad.span)
        var span = pad.mutableSpan
        span.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
        return hash
    }
}
