internal import Crypto
internal import Wire

/// The checks of single parameters (Pusher protocol §6.2).
extension APISignature {
    static func missing(_ name: StaticString) -> APIError {
        APIError(status: 401, text: "Missing parameter: \(name); API calls are signed, see the Pusher HTTP API")
    }

    static func keyIndex(_ query: APIQuery, _ keys: [AppKey]) throws(APIError) -> Int {
        guard let key = query.value("auth_key"), !key.isEmpty else { throw missing("auth_key") }
        guard let index = keys.firstIndex(named: key.span) else {
            let name = key.span.excerpt(bytesMax: 64)
            throw APIError(status: 401, text: "Unknown auth_key '\(name)': it is not an active key of this app")
        }
        return index
    }

    static func checkVersion(_ query: APIQuery) throws(APIError) {
        guard let version = query.value("auth_version"), !version.isEmpty else { throw missing("auth_version") }
        guard version.span.equals("1.0") else {
            let given = version.span.excerpt(bytesMax: 16)
            throw APIError(status: 401, text: "Unsupported auth_version '\(given)': use 1.0")
        }
    }

    static func checkTimestamp(_ query: APIQuery, nowSeconds: Int) throws(APIError) {
        guard let text = query.value("auth_timestamp"), !text.isEmpty else { throw missing("auth_timestamp") }
        var given = 0
        for byte in text {
            guard 0x30...0x39 ~= byte, text.count <= 12 else {
                let shown = text.span.excerpt(bytesMax: 32)
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
        let given = query.value("body_md5")
        if body.isEmpty, given.map({ isDigestOfNothing($0) }) ?? true { return }
        guard let given, !given.isEmpty else { throw missing("body_md5") }
        var expected: [UInt8] = []
        let digest = Digest.md5(body)
        Hex.appendLowercase(digest.span, to: &expected)
        guard ConstantTime.equals(lowercased(given).span, expected.span) else {
            throw APIError(
                status: 401,
                text: "body_md5 '\(given.span.excerpt(bytesMax: 40))' is not the MD5 of the body's "
                    + "\(body.count) bytes, which is \(String(decoding: expected, as: UTF8.self)); "
                    + "send exactly the bytes that were signed")
        }
    }

    /// Python sends the MD5 of nothing even on GET (PW-129); soketi took the MD5 of `{}` for an empty body.
    private static func isDigestOfNothing(_ md5: [UInt8]) -> Bool {
        let text = lowercased(md5)
        return text.span.equals("d41d8cd98f00b204e9800998ecf8427e")
            || text.span.equals("99914b932bd37a50b983c5e7c90ae93b")
    }

    private static func lowercased(_ text: [UInt8]) -> [UInt8] {
        text.map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }
    }
}
