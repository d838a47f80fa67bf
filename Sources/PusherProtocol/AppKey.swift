public import Crypto

/// An app's key with its secret made ready to sign. Read-only, shared by all loops.
public struct AppKey: Sendable {
    /// The public half, as it stands in URLs and in `auth`.
    public let key: [UInt8]
    /// The secret half; there is no way back to its text.
    public let secret: HMACKey

    /// The same key with the same secret, which shows in what it signs.
    public func isSame(as other: AppKey) -> Bool {
        guard key == other.key else { return false }
        var (mine, its): ([UInt8], [UInt8]) = ([], [])
        secret.sign(key.span).appendHex(to: &mine)
        other.secret.sign(key.span).appendHex(to: &its)
        return mine == its
    }

    /// Prepares a key. Configuration does it once.
    public init(key: String, secret: String) {
        self.key = Array(key.utf8)
        self.secret = HMACKey(secret: Array(secret.utf8).span)
    }
}
