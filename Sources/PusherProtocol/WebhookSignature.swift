internal import Crypto

/// The signature of a webhook (Pusher protocol §7.1): HMAC-SHA256 of the very bytes of its body, as 64 hex digits. Any thread.
public enum WebhookSignature {
    /// How long one is as text.
    public static let digits = 64

    /// Appends what stands in `X-Pusher-Signature` of a request with that body.
    public static func append(of body: Span<UInt8>, key: AppKey, to out: inout [UInt8]) {
        key.secret.sign(body).appendHex(to: &out)
    }

    /// Whether the text is the body's signature under that key, in hex of either case. Takes constant time.
    public static func isGenuine(_ signature: Span<UInt8>, of body: Span<UInt8>, key: AppKey) -> Bool {
        key.secret.sign(body).equalsHex(signature)
    }
}
