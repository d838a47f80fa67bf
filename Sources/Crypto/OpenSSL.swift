internal import COpenSSL

/// Which libraries this process runs with.
public enum Libraries {
    /// `3.0.17`, of the libcrypto that is linked. Any thread.
    public static var openSSLVersion: String { String(cString: OpenSSL_version(OPENSSL_VERSION_STRING)) }
}

enum OpenSSL {
    /// Digests and the generator do not fail for reasons a peer controls; what remains is a broken installation.
    @inline(__always) static func require(_ result: CInt, _ call: StaticString) {
        precondition(result == 1, "\(call) failed: libcrypto is out of memory or misconfigured")
    }
}
