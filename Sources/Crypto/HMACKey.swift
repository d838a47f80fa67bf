internal import COpenSSL

/// A secret made ready to sign: HMAC-SHA256 (RFC 2104) with both pads already hashed.
///
/// Built once per app key and read by every loop. Copying the two precomputed contexts costs two compressions less
/// per signature than starting from the secret.
public final class HMACKey: @unchecked Sendable {
    // SAFETY: both contexts are written in `init` only; `EVP_MD_CTX_copy_ex` takes its source as const and touches
    // nothing shared in it but atomic reference counts.
    private let inner: OpaquePointer
    private let outer: OpaquePointer

    /// Hashes the pads. `secret` may be any length, also empty; it is not kept. Any thread.
    public init(secret: Span<UInt8>) {
        var block = InlineArray<64, UInt8>(repeating: 0)
        if secret.count > 64 {
            let digest = Digest.sha256(secret)
            for index in digest.bytes.indices { block[index] = digest.bytes[index] }
        } else {
            for index in secret.indices { block[index] = secret[index] }
        }
        inner = Self.context(absorbing: block, xor: 0x36)
        outer = Self.context(absorbing: block, xor: 0x5C)
        var span = block.mutableSpan
        span.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    }

    deinit {
        EVP_MD_CTX_free(inner)
        EVP_MD_CTX_free(outer)
    }

    /// Signs `message`. Thread: the one that owns `workspace`.
    public func sign(_ message: Span<UInt8>, using workspace: HMACWorkspace) -> SHA256Digest {
        let context = workspace.context
        var digest = InlineArray<32, UInt8>(repeating: 0)
        message.withUnsafeBytes { bytes in
            OpenSSL.require(EVP_MD_CTX_copy_ex(context, inner), "EVP_MD_CTX_copy_ex")
            OpenSSL.require(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count), "EVP_DigestUpdate")
        }
        var out = digest.mutableSpan
        out.withUnsafeMutableBufferPointer { out in
            OpenSSL.require(EVP_DigestFinal_ex(context, out.baseAddress, nil), "EVP_DigestFinal_ex")
            OpenSSL.require(EVP_MD_CTX_copy_ex(context, outer), "EVP_MD_CTX_copy_ex")
            OpenSSL.require(EVP_DigestUpdate(context, out.baseAddress, out.count), "EVP_DigestUpdate")
            OpenSSL.require(EVP_DigestFinal_ex(context, out.baseAddress, nil), "EVP_DigestFinal_ex")
        }
        return SHA256Digest(bytes: digest)
    }

    private static func context(absorbing block: borrowing InlineArray<64, UInt8>, xor mask: UInt8) -> OpaquePointer {
        let context = OpenSSL.newDigestContext()
        var pad = InlineArray<64, UInt8>(repeating: mask)
        for index in pad.indices { pad[index] ^= block[index] }
        var span = pad.mutableSpan
        span.withUnsafeMutableBytes { bytes in
            OpenSSL.require(EVP_DigestInit_ex2(context, OpenSSL.sha256, nil), "EVP_DigestInit_ex2")
            OpenSSL.require(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count), "EVP_DigestUpdate")
            OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        }
        return context
    }
}

/// The scratch context that `HMACKey.sign` works in: one per loop, used from that loop's thread only.
public final class HMACWorkspace {
    let context: OpaquePointer

    /// Allocates the context; make one per thread and keep it.
    public init() { context = OpenSSL.newDigestContext() }

    deinit { EVP_MD_CTX_free(context) }
}

@available(*, unavailable) extension HMACWorkspace: Sendable {}
