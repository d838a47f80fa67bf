internal import Crypto
internal import Wire

/// Authentication of an HTTP API call (Pusher protocol §6.2–§6.4, PW-124…PW-137).
///
///     METHOD "\n" PATH "\n" k1=v1&k2=v2…      signed with HMAC-SHA256, as hex, in auth_signature
///
/// Libraries disagree on what PATH and the values are, and proxies change the path on its way, so several readings are tried, the
/// common one first.
public enum APISignature {
    /// What a check found.
    public enum Outcome: Sendable, Equatable {
        /// Nothing is wrong with what was looked at.
        case ok
        /// Refused: always 401, with a sentence that says what to change.
        case failure(status: Int, text: String)
    }

    /// `auth_timestamp` must be nearer to the server's clock than this.
    public static let windowSeconds = 600

    /// The checks that need no body, in this order: key, version, timestamp, signature; the first that fails is told. The signature
    /// covers the body by its digest in the query; `verifyBody` looks at that when the body is there.
    ///
    /// `method` and `rawPath` are as on the wire; `prefix` is the configured path prefix (`/pusher`) or empty; `keys` are
    /// the app's; `nowSeconds` is Unix time. Any thread.
    public static func verifyHead(
        method: Span<UInt8>, rawPath: Span<UInt8>, query: APIQuery, prefix: Span<UInt8>, keys: [AppKey],
        nowSeconds: Int
    ) -> Outcome {
        do throws(APIError) {
            let key = try keyIndex(query, keys)
            try checkVersion(query)
            try checkTimestamp(query, nowSeconds: nowSeconds)
            guard let signature = query.place("auth_signature"), !signature.isEmpty else {
                throw missing("auth_signature")
            }
            let call = Call(query: query, signature: signature, secret: keys[key].secret)
            guard isSigned(call, method, rawPath, query, prefix) else {
                throw mismatch(method, SignedPaths.collapsed(rawPath).span, query, keys[key])
            }
            return .ok
        } catch {
            return .failure(status: error.status, text: error.text)
        }
    }

    /// Whether a body is the one whose digest was signed. After `verifyHead`.
    public static func verifyBody(_ body: Span<UInt8>, query: APIQuery) -> Outcome {
        do throws(APIError) {
            try checkBody(query, body)
            return .ok
        } catch {
            return .failure(status: error.status, text: error.text)
        }
    }

    /// Whether some body was signed at all: before one that is announced but not here yet.
    public static func verifyDigestIsGiven(query: APIQuery) -> Outcome {
        guard let place = query.place("body_md5"), !place.isEmpty else {
            let error = missing("body_md5")
            return .failure(status: error.status, text: error.text)
        }
        return .ok
    }

    private struct Call {
        let query: APIQuery
        /// Where it stands in the query.
        let signature: Range<Int>
        let secret: HMACKey

        func signs(_ text: [UInt8]) -> Bool {
            let given = query.storage.span.extracting(signature)
            return secret.sign(text.span).equalsHex(given)
        }
    }

    /// The readings A…E of Pusher protocol §6.4; only a wrong signature costs more than the first.
    ///
    /// Each is the whole text of a call to this very route, so that a further reading accepts no other call.
    private static func isSigned(
        _ call: Call, _ method: Span<UInt8>, _ path: Span<UInt8>, _ query: APIQuery, _ prefix: Span<UInt8>
    ) -> Bool {
        if call.signs(canonical(method, path, query)) { return true }  // A
        let paths = SignedPaths(path, prefix: prefix).all
        for path in paths.dropFirst() where call.signs(canonical(method, path.span, query)) { return true }  // B
        for path in paths where Percent.containsEscapes(path.span) {
            guard let decoded = Percent.decode(path.span) else { break }
            if call.signs(canonical(method, decoded.span, query)) { return true }  // C
        }
        if query.hasPlus {
            let spaced = query.withPlusAsSpace
            for path in paths where call.signs(canonical(method, path.span, spaced)) { return true }  // D
        }
        guard query.hasElements else { return false }
        for path in paths where call.signs(canonical(method, path.span, query, isCollapsed: true)) { return true }  // E
        return false
    }

    private static func canonical(
        _ method: Span<UInt8>, _ path: Span<UInt8>, _ query: APIQuery, isCollapsed: Bool = false
    ) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(method.count + path.count + query.storage.count + 16)
        text.append(bytes: method)
        text.append(UInt8(ascii: "\n"))
        text.append(bytes: path)
        text.append(UInt8(ascii: "\n"))
        if isCollapsed { query.appendCollapsed(to: &text) } else { query.appendCanonical(to: &text) }
        return text
    }

    private static func mismatch(
        _ method: Span<UInt8>, _ path: Span<UInt8>, _ query: APIQuery, _ key: AppKey
    ) -> APIError {
        let text = canonical(method, path, query)
        return APIError(
            status: 401,
            text: "Invalid signature: auth_signature must be the HMAC-SHA256, as hex, made with the secret of key "
                + "'\(key.key.span.excerpt(bytesMax: 64))' over these three lines:\n"
                + text.span.excerpt(bytesMax: 4_096))
    }
}
