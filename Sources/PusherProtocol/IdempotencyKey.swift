public import Crypto
internal import Wire

/// The name a caller gives to one publish, so that repeating it is harmless. Holding one is the proof that its length is legal.
public struct IdempotencyKey: Hashable, Sendable {
    /// Bytes of a key.
    public static let bytesMax = 128

    /// 1…`bytesMax` of any kind; a key is only compared.
    public let bytes: [UInt8]

    private init(_ bytes: [UInt8], label: String) throws(APIError) {
        guard 1...Self.bytesMax ~= bytes.count else {
            throw .invalid("\(label): must be a string of 1 to \(Self.bytesMax) bytes, not \(bytes.count)")
        }
        self.bytes = bytes
    }

    /// Reads the `idempotency_key` of a body; null is absent. Throws 400.
    static func read(_ value: JSONValue, in body: Span<UInt8>, label: String) throws(APIError) -> IdempotencyKey? {
        guard value.kind != .null else { return nil }
        guard value.kind == .string else {
            throw .invalid("\(label): must be a string of 1 to \(bytesMax) bytes, not \(value.kind.noun)")
        }
        var text: [UInt8] = []
        guard JSON.appendDecoded(value, in: body, to: &text) else {
            throw .invalid("\(label): \(loneSurrogateRule)")
        }
        return try IdempotencyKey(text, label: label)
    }

    /// The key of a request that has one in its `X-Idempotency-Key` header, in its body, or the same in both. Throws 400.
    public static func of(header: Span<UInt8>, body: IdempotencyKey?) throws(APIError) -> IdempotencyKey {
        var text: [UInt8] = []
        text.append(bytes: header)
        let key = try IdempotencyKey(text, label: "X-Idempotency-Key")
        guard body == nil || body == key else {
            throw .invalid("X-Idempotency-Key and \"idempotency_key\" differ: give one, or the same in both")
        }
        return key
    }
}

/// What a publish asks for, so that a key used again can be seen to mean the same; who asks and when is not part of it.
public enum PublishFingerprint {
    /// The routes that take a key.
    public enum Call: UInt8, Sendable { case event, batch, batchItem }

    /// Of a whole request: its route, its parameters in any order, its body byte by byte.
    public static func of(_ call: Call, query: APIQuery, body: Span<UInt8>) -> SHA256Digest {
        var text = [call.rawValue]
        query.withoutAuthentication.appendCanonical(to: &text)
        return of(text, body)
    }

    /// Of one event of a batch; its own bytes.
    public static func of(item: Span<UInt8>) -> SHA256Digest { of([Call.batchItem.rawValue], item) }

    private static func of(_ start: [UInt8], _ body: Span<UInt8>) -> SHA256Digest {
        var text = start
        // Of fixed length and last, so that no parameter can pass for part of a body.
        let digest = Digest.sha256(body)
        text.append(bytes: digest.bytes.span)
        return Digest.sha256(text.span)
    }
}
