internal import COpenSSL

enum OpenSSL {
    /// Digests and the generator do not fail for reasons a peer controls; what remains is a broken installation.
    @inline(__always) static func require(_ result: CInt, _ call: StaticString) {
        precondition(result == 1, "\(call) failed: libcrypto is out of memory or misconfigured")
    }
}
