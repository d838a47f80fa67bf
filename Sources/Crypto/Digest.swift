internal import COpenSSL

/// One-shot digests. Any thread; no state is kept, nothing is allocated.
public enum Digest {
    /// MD5, 16 bytes: `body_md5` of the HTTP API (Pusher protocol §6.2). Not a security boundary; the HMAC over it is.
    public static func md5(_ bytes: Span<UInt8>) -> InlineArray<16, UInt8> {
        var context = MD5_CTX()
        var digest = InlineArray<16, UInt8>(repeating: 0)
        OpenSSL.require(MD5_Init(&context), "MD5_Init")
        bytes.withUnsafeBytes { OpenSSL.require(MD5_Update(&context, $0.baseAddress, $0.count), "MD5_Update") }
        var out = digest.mutableSpan
        out.withUnsafeMutableBufferPointer { OpenSSL.require(MD5_Final($0.baseAddress, &context), "MD5_Final") }
        return digest
    }

    /// SHA-1, 20 bytes: the WebSocket handshake's accept value (RFC 6455 §4.2.2).
    public static func sha1(_ bytes: Span<UInt8>) -> InlineArray<20, UInt8> {
        var context = SHA_CTX()
        var digest = InlineArray<20, UInt8>(repeating: 0)
        OpenSSL.require(SHA1_Init(&context), "SHA1_Init")
        bytes.withUnsafeBytes { OpenSSL.require(SHA1_Update(&context, $0.baseAddress, $0.count), "SHA1_Update") }
        var out = digest.mutableSpan
        out.withUnsafeMutableBufferPointer { OpenSSL.require(SHA1_Final($0.baseAddress, &context), "SHA1_Final") }
        return digest
    }

    /// SHA-256, 32 bytes (FIPS 180-4).
    public static func sha256(_ bytes: Span<UInt8>) -> SHA256Digest {
        var hash = SHA256()
        hash.absorb(bytes)
        return hash.finish()
    }
}

/// A SHA-256 under way: a plain value, so that what many messages begin with is hashed once and copied.
struct SHA256: Sendable {
    private var context = SHA256_CTX()

    init() { OpenSSL.require(SHA256_Init(&context), "SHA256_Init") }

    mutating func absorb(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { OpenSSL.require(SHA256_Update(&context, $0.baseAddress, $0.count), "SHA256_Update") }
    }

    consuming func finish() -> SHA256Digest {
        var digest = InlineArray<32, UInt8>(repeating: 0)
        var out = digest.mutableSpan
        out.withUnsafeMutableBufferPointer { OpenSSL.require(SHA256_Final($0.baseAddress, &context), "SHA256_Final") }
        return SHA256Digest(bytes: digest)
    }
}
