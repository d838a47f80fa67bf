internal import Crypto
internal import Wire

/// The checks of single parameters (Pusher protocol §6.2).
extension APISignature {
    static func missing(_ name: StaticString) -> APIError {
        APIError(status: 401, text: "Missing parameter: \(name); API calls are signed, see the Pusher HTTP API")
    }

    static func keyIndex(_ query: APIQuery, _ keys: [AppKey]) throws(APIError) -> Int {
        guard let place = query.place("auth_key"), !place.isEmpty else { throw missing("auth_key") }
        let key = query.storage.span.extracting(place)
        guard let index = keys.firstIndex(named: key) else {
            let name = key.excerpt(bytesMax: 64)
            throw APIError(status: 401, text: "Unknown auth_key '\(name)': it is not an active key of this app")
        }
        return index
    }

    static func checkVersion(_ query: APIQuery) throws(APIError) {
        guard let place = query.place("auth_version"), !place.isEmpty else { throw missing("auth_version") }
        let version = query.storage.span.extracting(place)
        guard version.equals("1.0") else {
            let given = version.excerpt(bytesMax: 16)
            throw APIError(status: 401, text: "Unsupported auth_version '\(given)': use 1.0")
        }
    }

    static func checkTimestamp(_ query: APIQuery, nowSeconds: Int) throws(APIError) {
        guard let place = query.place("auth_timestamp"), !place.isEmpty else { throw missing("auth_timestamp") }
        let text = query.storage.span.extracting(place)
        var given = 0
        for offset in text.indices {
            let byte = text[offset]
            guard 0x30...0x39 ~= byte, text.count <= 12 else {
                let shown = text.excerpt(bytesMax: 32)
                throw APIError(
                    status: 401,
                    text: "auth_timestamp '\(shown)' is no Unix time in whole seconds; now it is \(nowSeconds)")
            }
            given = given * 10 + Int(byte - 0x30)
        }
        let (difference, overflowed) = given.subtractingReportingOverflow(nowSeconds)
        guard !overflowed, difference.magnitude < windowSeconds else {
            throw APIError(
                status: 401,
                text: "Timestamp expired: auth_timestamp \(given) (\(UTCTime.text(unixSeconds: given))) is not within "
                    + "\(windowSeconds) s of the server's time \(nowSeconds) (\(UTCTime.text(unixSeconds: nowSeconds)))"
                    + "; check both clocks")
        }
    }

    /// The signature covers the body by its digest only, so a body without one is unsigned.
    static func checkBody(_ query: APIQuery, _ body: Span<UInt8>) throws(APIError) {
        let place = query.place("body_md5") ?? 0..<0
        let given = query.storage.span.extracting(place)
        if body.isEmpty, given.isEmpty ? query.place("body_md5") == nil : isDigestOfNothing(given) { return }
        guard !given.isEmpty else { throw missing("body_md5") }
        let digest = Digest.md5(body)
        guard ConstantTime.equals(digest.span, hex: given) else {
            var expected: [UInt8] = []
            Hex.appendLowercase(digest.span, to: &expected)
            throw APIError(
                status: 401,
                text: "body_md5 '\(given.excerpt(bytesMax: 40))' is not the MD5 of the body's "
                    + "\(body.count) bytes, which is \(String(decoding: expected, as: UTF8.self)); "
                    + "send exactly the bytes that were signed")
        }
    }

    /// Python sends the MD5 of nothing even on GET (PW-129); soketi took the MD5 of `{}` for an empty body.
    private static func isDigestOfNothing(_ md5: Span<UInt8>) -> Bool {
        let nothing: [UInt8] = [], object = Array("{}".utf8)
        let ofNothing = Digest.md5(nothing.span), ofObject = Digest.md5(object.span)
        return ConstantTime.equals(ofNothing.span, hex: md5) || ConstantTime.equals(ofObject.span, hex: md5)
    }
}
