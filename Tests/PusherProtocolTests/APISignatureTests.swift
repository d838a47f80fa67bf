import Crypto
import PusherProtocol
import Testing

@Suite("HTTP API authentication (Pusher protocol §6.2–§6.4, appendix A)") struct APISignatureTests {
    static let now = 1_353_088_179
    static let eventBody = #"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#
    static let auth = "auth_key=\(vectorKeyText)&auth_timestamp=1353088179&auth_version=1.0"

    struct Call: Sendable {
        var method = "POST", path = "/apps/3/events", query = "", body = "", prefix = ""
        var now = APISignatureTests.now
        var keys = [otherKey, vectorKey]

        /// As the server does: the head first, then the body.
        func verify() -> APISignature.Outcome {
            let method = Array(method.utf8), path = Array(path.utf8), query = Array(query.utf8)
            let body = Array(body.utf8), prefix = Array(prefix.utf8)
            let given = APIQuery(query.span)
            let head = APISignature.verifyHead(
                method: method.span, rawPath: path.span, query: given, prefix: prefix.span, keys: keys, nowSeconds: now)
            return head == .ok ? APISignature.verifyBody(body.span, query: given) : head
        }

        /// The sentence of a refusal; nil when accepted.
        var refusal: String? {
            guard case .failure(let status, let text) = verify() else { return nil }
            return status == 401 ? text : "status \(status)"
        }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let call: Call

        init(_ name: String, _ call: Call) { (testDescription, self.call) = (name, call) }
    }

    static let vectors = [
        Row(
            "A1 REST POST (PW-124)",
            Call(
                query: auth + "&body_md5=ec365a775a4cd0599faeb73354201b6f"
                    + "&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
                body: eventBody)),
        Row(
            "A9 REST GET, raw comma (PW-130)",
            Call(
                method: "GET", path: "/apps/3/channels",
                query: auth + "&filter_by_prefix=presence-&info=user_count,subscription_count"
                    + "&auth_signature=ff97d40ab3fbbd15394386a29c12998c33635305357b2e2abd18dc67efe3f87d")),
        Row(
            "A9 REST GET, escaped comma, random order (PW-130, PW-131)",
            Call(
                method: "GET", path: "/apps/3/channels",
                query: "info=user_count%2Csubscription_count&auth_version=1%2e0&filter_by_prefix=presence%2D"
                    + "&auth_signature=ff97d40ab3fbbd15394386a29c12998c33635305357b2e2abd18dc67efe3f87d"
                    + "&auth_timestamp=1353088179&auth_key=\(vectorKeyText)")),
        Row(
            "A10 Python-style GET (PW-129)",
            Call(
                method: "GET", path: "/apps/3/channels",
                query: auth + "&body_md5=d41d8cd98f00b204e9800998ecf8427e"
                    + "&auth_signature=5c3cd75022c4f62c35ad22f6a9cce366c860477a3b7092ca790ecfc17e6af302")),
        Row(
            "A11 GET users",
            Call(
                method: "GET", path: "/apps/3/channels/presence-foobar/users",
                query: auth + "&auth_signature=5567dd30e7f8575e66be615d2aac3f608a0c311c31ddab8513a278b022e9597e")),
        Row(
            "A12 terminate",
            Call(
                path: "/apps/3/users/42/terminate_connections",
                query: auth + "&body_md5=99914b932bd37a50b983c5e7c90ae93b"
                    + "&auth_signature=2829710742ff5f799010258297d09016e2366257e3e954039eeda349073a2bcf",
                body: "{}")),
    ]

    @Test("Vectors A1, A9…A12 are accepted", arguments: vectors)
    func vectorsHold(_ row: Row) {
        #expect(row.call.verify() == .ok)
        var call = row.call
        call.path += "x"
        #expect(call.refusal?.hasPrefix("Invalid signature") == true)
        call = row.call
        call.method = "PUT"
        #expect(call.refusal?.hasPrefix("Invalid signature") == true)
        call = row.call
        call.query += "&extra=1"
        #expect(call.refusal?.hasPrefix("Invalid signature") == true)
    }

    /// A call as a library makes it: `signed` is what it signs, `sent` what goes on the wire.
    static func call(
        method: String = "GET", path: String = "/apps/3/channels", signedPath: String? = nil, signed: String,
        sent: String? = nil, body: String = "", prefix: String = "", key: AppKey = vectorKey
    ) -> Call {
        let signature = hexSignature("\(method)\n\(signedPath ?? path)\n\(signed)", key)
        return Call(
            method: method, path: path, query: "\(sent ?? signed)&auth_signature=\(signature)", body: body,
            prefix: prefix)
    }

    static let readings = [
        Row(
            "PW-131: auth_signature first",
            {
                let plain = call(signed: auth), parts = plain.query.split(separator: "&").reversed()
                return Call(method: "GET", path: plain.path, query: parts.joined(separator: "&"))
            }()),
        Row(
            "PW-132: upper-case names are lower-cased",
            call(signed: auth + "&info=a", sent: auth.uppercasedNames + "&INFO=a")),
        Row(
            "PW-133: PHP arrays, signed as a comma list",
            call(signed: "\(auth)&channels=a,b", sent: "channels[0]=a&channels[1]=b&\(auth)")),
        Row(
            "PW-133: PHP arrays, brackets escaped",
            call(signed: "\(auth)&channels=a,b", sent: "channels%5B0%5D=a&channels%5B1%5D=b&\(auth)")),
        Row(
            "PW-133: Ruby arrays, signed as sent",
            call(signed: "\(auth)&channels[]=a&channels[]=b", sent: "channels[]=a&channels[]=b&\(auth)")),
        Row("PW-137: path signed with the prefix", call(path: "/ws/apps/3/channels", signed: auth, prefix: "/ws")),
        Row(
            "PW-137: path signed without the prefix (PHP)",
            call(path: "/ws/apps/3/channels", signedPath: "/apps/3/channels", signed: auth, prefix: "/ws")),
        Row(
            "PHP: without the prefix, and arrays",
            call(
                path: "/ws/apps/3/channels", signedPath: "/apps/3/channels", signed: "\(auth)&info=a,b",
                sent: "\(auth)&info[0]=a&info[1]=b", prefix: "/ws")),
        Row(
            "a proxy took the prefix away, and it is signed",
            call(path: "/apps/3/channels", signedPath: "/ws/apps/3/channels", signed: auth, prefix: "/ws")),
        Row("a proxy doubled the slash", call(path: "//apps/3/channels", signedPath: "/apps/3/channels", signed: auth)),
        Row("a base URL with a slash at its end, signed as sent", call(path: "//apps/3/channels", signed: auth)),
        Row(
            "a proxy replaced the prefix by a slash, and it is signed",
            call(path: "//apps/3/channels", signedPath: "/ws/apps/3/channels", signed: auth, prefix: "/ws")),
        Row(
            "a proxy replaced the prefix by a slash, and it is not signed (PHP)",
            call(path: "//apps/3/channels", signedPath: "/apps/3/channels", signed: auth, prefix: "/ws")),
        Row(
            "doubled behind the prefix, signed once",
            call(path: "/ws//apps/3/channels", signedPath: "/ws/apps/3/channels", signed: auth, prefix: "/ws")),
        Row(
            "doubled behind the prefix, signed without it",
            call(path: "/ws//apps/3/channels", signedPath: "/apps/3/channels", signed: auth, prefix: "/ws")),
        Row(
            "doubled, and PHP's arrays",
            call(
                path: "//apps/3/channels", signedPath: "/ws/apps/3/channels", signed: "\(auth)&info=a,b",
                sent: "\(auth)&info[0]=a&info[1]=b", prefix: "/ws")),
        Row(
            "doubled, and a form encoder",
            call(
                path: "//apps/3/channels", signedPath: "/apps/3/channels", signed: "\(auth)&info=a b",
                sent: "\(auth)&info=a+b")),
        Row(
            "doubled, and signed decoded",
            call(path: "//apps/3/channels/a%2Cb", signedPath: "/apps/3/channels/a,b", signed: auth)),
        Row(
            "escaped path signed decoded (Node, Go)",
            call(path: "/apps/3/channels/a%2Cb", signedPath: "/apps/3/channels/a,b", signed: auth)),
        Row("escaped path signed raw", call(path: "/apps/3/channels/a%2Cb", signed: auth)),
        Row("form encoding: + signed as a space", call(signed: "\(auth)&info=a b", sent: "\(auth)&info=a+b")),
        Row("a + signed as a +", call(signed: "\(auth)&info=a+b")),
        Row(
            "Python's terminate path, signed as sent",
            call(method: "POST", path: "/users/42/terminate_connections", signed: auth)),
        Row("duplicate names keep their order", call(signed: "\(auth)&x=2&x=1")),
        Row("a parameter without a value", call(signed: "\(auth)&x=", sent: "x&&\(auth)")),
        Row("a malformed escape is taken as it stands", call(signed: "\(auth)&x=%zz")),
        Row(
            "empty body with the MD5 of {} (soketi)",
            call(method: "POST", signed: "\(auth)&body_md5=99914b932bd37a50b983c5e7c90ae93b")),
        Row(
            "body_md5 in upper case",
            call(method: "POST", signed: "\(auth)&body_md5=99914B932BD37A50B983C5E7C90AE93B", body: "{}")),
    ]

    @Test("Every reading of §6.4 is accepted, and only with its signature", arguments: readings)
    func libraryReadings(_ row: Row) {
        #expect(row.call.verify() == .ok)
        var call = row.call
        call.query = call.query.replacing("1353088179", with: "1353088178")
        #expect(call.refusal?.hasPrefix("Invalid signature") == true)
    }

    /// A path that would be routed differently, or to nothing, or that only looks alike, is never what was signed.
    @Test(
        "No other path than the one that is called is accepted",
        arguments: [
            ("/apps/3/channels", "/apps/3/channels/", ""), ("/apps/3/channels/", "/apps/3/channels", ""),
            ("/apps/3/channels", "apps/3/channels", ""), ("/apps/3/channels", "//apps/3/channels", ""),
            ("//apps/3/channels", "/ws/apps/3/channels", ""), ("/apps/3/channels", "/other/apps/3/channels", "/ws"),
            ("/ws/apps/3/channels", "/channels", "/ws"), ("/wsapps/3/channels", "/apps/3/channels", "/ws"),
            ("/ws/ws/apps/3/channels", "/apps/3/channels", "/ws"), ("/apps/3/channels", "/ws//apps/3/channels", "/ws"),
            ("//apps//3//channels", "/apps/3", ""), ("//apps/3/channels", "", ""), ("//apps/3/channels", "/", ""),
            ("/APPS/3/channels", "/apps/3/channels", ""), ("/ws", "", "/ws"),
        ]) func otherPathsAreRefused(_ path: String, _ signedPath: String, _ prefix: String)
    {
        let call = Self.call(path: path, signedPath: signedPath, signed: Self.auth, prefix: prefix)
        #expect(call.refusal?.hasPrefix("Invalid signature") == true)
    }

    @Test("Whoever signs wrong is shown the path without the slashes that a proxy doubled")
    func shownPathIsCollapsed() throws {
        let refusal = try #require(Self.call(path: "//apps/3/channels", signedPath: "/x", signed: Self.auth).refusal)
        #expect(refusal.hasSuffix("GET\n/apps/3/channels\n\(Self.auth)"))
    }

    @Test(
        "PW-125: each missing parameter is named",
        arguments: ["auth_key", "auth_version", "auth_timestamp", "auth_signature"])
    func missingParameters(_ name: String) {
        var call = Self.vectors[0].call
        let parts = call.query.split(separator: "&")
        call.query = parts.filter { !$0.hasPrefix(name + "=") }.joined(separator: "&")
        #expect(call.refusal?.hasPrefix("Missing parameter: \(name)") == true)
        call.query += "&\(name)="
        #expect(call.refusal?.hasPrefix("Missing parameter: \(name)") == true)
    }

    @Test("PW-126: 599 s away is accepted, 600 s and more is not; the text names both times", arguments: [-1, 1])
    func timestampWindow(direction: Int) throws {
        var call = Self.vectors[0].call
        call.now = Self.now + 599 * direction
        #expect(call.refusal == nil)
        for seconds in [600, 601, 1_000_000] {
            call.now = Self.now + seconds * direction
            #expect(call.refusal?.hasPrefix("Timestamp expired") == true)
        }
        call.now = 1_353_088_179 + 86_400
        let refusal = try #require(call.refusal)
        #expect(refusal.contains("1353088179 (2012-11-16 17:49:39 UTC)"))
        #expect(refusal.contains("1353174579 (2012-11-17 17:49:39 UTC)"))
    }

    @Test(
        "A timestamp that is no number is refused before the signature",
        arguments: ["abc", "1353088179.5", "-1353088179", "1353088179000", "99999999999999999999999", "+1", "１"])
    func malformedTimestamps(_ text: String) {
        let call = Self.call(signed: Self.auth.replacing("1353088179", with: text))
        #expect(call.refusal?.contains(text.contains("000") ? "1353088179000" : "auth_timestamp") == true)
    }

    @Test(
        "The calendar is right on its corners",
        arguments: zip(
            [0, 951_782_400, 951_868_799, 1_709_164_800, 4_107_542_400, 253_402_300_799],
            [
                "1970-01-01 00:00:00", "2000-02-29 00:00:00", "2000-02-29 23:59:59", "2024-02-29 00:00:00",
                "2100-03-01 00:00:00", "9999-12-31 23:59:59",
            ]))
    func calendar(_ seconds: Int, _ expected: String) {
        var call = Self.vectors[0].call
        call.now = seconds
        #expect(call.refusal?.contains("\(seconds) (\(expected) UTC)") == true)
    }

    @Test("PW-127: another version is refused") func version() {
        let call = Self.call(signed: Self.auth.replacing("=1.0", with: "=2.0"))
        #expect(call.refusal == "Unsupported auth_version '2.0': use 1.0")
    }

    @Test("PW-128: a body without, with a wrong, or with another body's digest is refused")
    func bodyDigest() {
        let missing = Self.call(method: "POST", signed: Self.auth, body: "{}")
        #expect(missing.refusal?.hasPrefix("Missing parameter: body_md5") == true)
        let wrong = Self.call(method: "POST", signed: "\(Self.auth)&body_md5=\(md5("x"))", body: "{}")
        #expect(wrong.refusal?.contains("99914b932bd37a50b983c5e7c90ae93b") == true)
        var altered = Self.vectors[0].call
        altered.body = altered.body.replacing("foo", with: "bar")
        #expect(altered.refusal?.hasPrefix("body_md5 'ec365a775a4cd0599faeb73354201b6f' is not the MD5") == true)
        let empty = Self.call(signed: "\(Self.auth)&body_md5=\(md5("x"))")
        #expect(empty.refusal?.hasPrefix("body_md5") == true)
    }

    @Test("PW-134: another app's key is unknown here; another active key's secret does not sign for this one")
    func keys() {
        var call = Self.vectors[0].call
        call.keys = [otherKey]
        #expect(call.refusal == "Unknown auth_key '\(vectorKeyText)': it is not an active key of this app")
        #expect(Self.call(signed: Self.auth, key: otherKey).refusal?.hasPrefix("Invalid signature") == true)
    }

    @Test("PW-182: a mismatch shows the text to sign, not the secret or the signature; the order of checks is §6.4's")
    func mismatchText() throws {
        var call = Self.vectors[1].call
        call.query = call.query.replacing("ff97", with: "0000")
        let refusal = try #require(call.refusal)
        #expect(
            refusal.hasSuffix(
                "GET\n/apps/3/channels\n\(Self.auth)&filter_by_prefix=presence-&info=user_count,subscription_count"))
        #expect(!refusal.contains("ff97d40ab3fbbd") && !refusal.contains("7ad3773142a6692b25b8"))
        call.now += 1_000
        #expect(call.refusal?.hasPrefix("Timestamp") == true)
        call.query = call.query.replacing("=1.0", with: "=3")
        #expect(call.refusal?.hasPrefix("Unsupported auth_version") == true)
        call.query = call.query.replacing(vectorKeyText, with: "nobody")
        #expect(call.refusal?.hasPrefix("Unknown auth_key 'nobody'") == true)
    }

    @Test("List parameters are found in all three forms (PW-133)") func listParameters() {
        let raw = Array("Channels[]=a&channels[0]=b&channels=c%2Cd&channelsx=e&channels[x]=f&e=1&E=2".utf8)
        let query = APIQuery(raw.span)
        #expect(query.values("channels").map(string) == ["a", "b", "c,d"])
        #expect(query.value("e").map(string) == "1")
        #expect(query.value("none") == nil)
    }
}

extension String {
    fileprivate var uppercasedNames: String {
        split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1)
            return parts[0].uppercased() + "=" + parts[1]
        }.joined(separator: "&")
    }

    /// The standard library's `replacing` lives in a module these tests do not import.
    fileprivate func replacing(_ old: String, with new: String) -> String {
        var result = "", rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(old) {
                result += new
                rest = rest.dropFirst(old.count)
            } else {
                result.append(rest.removeFirst())
            }
        }
        return result
    }
}
