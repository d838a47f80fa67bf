internal import COpenSSL

/// One-shot digests. Any thread; no state is kept.
public enum Digest {
    /// MD5, 16 bytes: `body_md5` of the HTTP API (Pusher protocol §6.2). Not a security boundary; the HMAC over it is.
    public static func md5(_ bytes: Span<UInt8>) -> InlineArray<16, UInt8> {
        var digest = InlineArray<16, UInt8>(repeating: 0)
        compute(OpenSSL.md5, bytes, into: digest.mutableSpan)
        return digest
    }

    /// SHA-1, 20 bytes: the WebSocket handshake's accept value (RFC 6455 §4.2.2).
    public static func sha1(_ bytes: Span<UInt8>) -> InlineArray<20, UInt8> {
        var digest = InlineArray<20, UInt8>(repeating: 0)
        compute(OpenSSL.sha1, bytes, into: digest.mutableSpan)
        return digest
    }

    /// SHA-256, 32 bytes (FIPS 180-4).
    public static func sha256(_ bytes: Span<UInt8>) -> SHA256Digest {
        var digest = InlineArray<32, UInt8>(repeating: 0)
        compute(OpenSSL.sha256, bytes, into: digest.mutableSpan)
        return SHA256Digest(bytes: digest)
    }

    private static func compute(
        _ algorithm: OpaquePointer, _ bytes: Span<UInt8>, into out: consuming MutableSpan<UInt8>
    ) {
        bytes.withUnsafeBytes { bytes in
            out.withUnsafeMutableBufferPointer { out in
                OpenSSL.require(
                    EVP_Digest(bytes.baseAddress, bytes.count, out.baseAddress, nil, algorithm, nil), "EVP_Digest")
            }
        }
    }
}
