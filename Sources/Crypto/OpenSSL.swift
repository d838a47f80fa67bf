internal import COpenSSL

/// Which libraries this process runs with.
public enum Libraries {
    /// `3.0.17`, of the libcrypto that is linked. Any thread.
    public static var openSSLVersion: String { String(cString: OpenSSL_version(OPENSSL_VERSION_STRING)) }
}

/// The algorithms, fetched once: an implicit fetch per digest costs more than hashing a short message.
enum OpenSSL {
    // SAFETY: an EVP_MD is immutable once fetched, is reference-counted atomically, and these are never freed.
    nonisolated(unsafe) static let md5 = fetch("MD5")
    nonisolated(unsafe) static let sha1 = fetch("SHA1")
    nonisolated(unsafe) static let sha256 = fetch("SHA256")

    /// Digests do not fail for reasons a peer controls; what remains is no memory or a broken installation.
    @inline(__always) static func require(_ result: CInt, _ call: StaticString) {
        precondition(result == 1, "\(call) failed: libcrypto is out of memory or misconfigured")
    }

    static func newDigestContext() -> OpaquePointer {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("EVP_MD_CTX_new: out of memory") }
        return context
    }

    private static func fetch(_ name: String) -> OpaquePointer {
        guard let digest = EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure("libcrypto has no \(name); is a FIPS-only configuration active?")
        }
        return digest
    }
}
