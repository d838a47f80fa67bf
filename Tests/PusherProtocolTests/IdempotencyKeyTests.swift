import Crypto
@testable import PusherProtocol
import Testing

@Suite("Keys of publishes") struct IdempotencyKeyTests {
    private func event(_ member: String) throws -> PublishRequest {
        let body = Array(#"{"name":"e","channel":"c","data":"d"\#(member)}"#.utf8)
        return try PublishRequest.parse(body: body.span, query: APIQuery(), limits: PayloadLimits())
    }

    private func batch(_ member: String, item: String = "") throws -> BatchRequest {
        let body = Array(#"{"batch":[{"name":"e","channel":"c","data":"d"\#(item)}]\#(member)}"#.utf8)
        return try BatchRequest.parse(body: body.span, limits: PayloadLimits())
    }

    private func key(_ text: String) throws -> IdempotencyKey {
        let bytes = Array(text.utf8)
        return try IdempotencyKey.of(header: bytes.span, body: nil)
    }

    static let legal: [(json: String, key: String)] = [
        (#""k""#, "k"), (#""\u006b\n""#, "k\n"), (#""é""#, "é"), (#"" k ""#, " k "),
        ("\"\(String(repeating: "k", count: 128))\"", String(repeating: "k", count: 128)),
        ("\"\(String(repeating: "é", count: 64))\"", String(repeating: "é", count: 64)),
    ]

    @Test(arguments: legal) func aStringIsAKey(json: String, text: String) throws {
        #expect(try event(",\"idempotency_key\":\(json)").idempotencyKey == key(text))
        #expect(try batch(",\"idempotency_key\":\(json)").idempotencyKey == key(text))
        #expect(try batch("", item: ",\"idempotency_key\":\(json)").events[0].idempotencyKey == key(text))
    }

    @Test(arguments: ["", ",\"idempotency_key\":null"]) func absentOrNullIsNone(member: String) throws {
        #expect(try event(member).idempotencyKey == nil)
        #expect(try batch(member, item: member).idempotencyKey == nil)
        #expect(try batch(member, item: member).events[0].idempotencyKey == nil)
    }

    @Test(arguments: [
        #""""#, "5", "true", "false", "{}", "[]", #"["k"]"#, "\"\(String(repeating: "k", count: 129))\"",
        "\"\(String(repeating: "é", count: 65))\"",
    ]) func anythingElseIsRefused(json: String) {
        let member = ",\"idempotency_key\":\(json)"
        for refused in [
            { _ = try event(member) }, { _ = try batch(member) }, { _ = try batch("", item: member) },
        ] {
            #expect { try refused() } throws: { error in
                guard let error = error as? APIError else { return false }
                return error.status == 400 && error.text.contains("idempotency_key") && error.text.contains("128")
            }
        }
    }

    @Test func givenTwiceIsRefused() {
        let member = #","idempotency_key":"a","idempotency_key":"a""#
        for refused in [
            { _ = try event(member) }, { _ = try batch(member) }, { _ = try batch("", item: member) },
        ] {
            #expect(throws: APIError(status: 400, text: #""idempotency_key": given twice"#)) {
                do { try refused() } catch let error as APIError {
                    throw APIError(status: error.status, text: error.text.replacing("batch[0].", with: ""))
                }
            }
        }
    }

    @Test func headerAndBodyMustAgree() throws {
        let header = Array("k".utf8)
        #expect(try IdempotencyKey.of(header: header.span, body: nil) == key("k"))
        #expect(try IdempotencyKey.of(header: header.span, body: key("k")) == key("k"))
        #expect(throws: APIError.self) { try IdempotencyKey.of(header: header.span, body: key("K")) }
    }

    @Test(arguments: [0, 129, 4_000]) func aHeaderOfNoOrTooManyBytesIsRefused(count: Int) {
        let header = [UInt8](repeating: 0x6B, count: count)
        #expect(throws: APIError.self) { try IdempotencyKey.of(header: header.span, body: nil) }
    }

    // MARK: Fingerprints

    private func fingerprint(_ call: PublishFingerprint.Call, _ query: String, _ body: String) -> String {
        let (query, body) = (Array(query.utf8), Array(body.utf8))
        var hex: [UInt8] = []
        PublishFingerprint.of(call, query: APIQuery(query.span), body: body.span).appendHex(to: &hex)
        return String(decoding: hex, as: UTF8.self)
    }

    @Test func whoAsksAndWhenIsNotPartOfWhatIsAsked() {
        let first = "auth_key=a&auth_timestamp=1&auth_version=1.0&body_md5=x&auth_signature=s&name=e&info=user_count"
        let again = "info=user_count&auth_signature=t&auth_timestamp=2&auth_key=b&name=e&auth_version=1.0&body_md5=x"
        #expect(fingerprint(.event, first, "b") == fingerprint(.event, again, "b"))
    }

    @Test func routeParametersAndBodyAre() {
        let all = [
            fingerprint(.event, "name=e", "b"), fingerprint(.batch, "name=e", "b"), fingerprint(.event, "name=f", "b"),
            fingerprint(.event, "", "b"), fingerprint(.event, "name=e", "c"), fingerprint(.event, "name=e", ""),
            fingerprint(.event, "name=eb", ""),
        ]
        #expect(Set(all).count == all.count)
    }
}
