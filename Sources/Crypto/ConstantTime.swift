internal import COpenSSL

/// Comparison of secrets.
public enum ConstantTime {
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
