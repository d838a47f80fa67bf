import Crypto
import PusherProtocol
import Testing

@Suite("Channel and user signatures (Pusher protocol §3.2, §5.1, appendix A)") struct ChannelAuthTests {
    static let socket = SocketID(high: 1234, low: 1234)

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String, channel: String, data: String?, digest: String
    }

    static let vectors = [
        Row(
            testDescription: "A2 private (PW-055)", channel: "private-foobar", data: nil,
            digest: "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"),
        Row(
            testDescription: "A3 presence, string id", channel: "presence-foobar",
            data: #"{"user_id":"10","user_info":{"name":"Mr. Pusher"}}"#,
            digest: "48dac51d2d7569e1e9c0f48c227d4b26f238fa68e5c0bb04222c966909c4f7c4"),
        Row(
            testDescription: "A4 presence, integer id", channel: "presence-foobar",
            data: #"{"user_id":10,"user_info":{"name":"Mr. Pusher"}}"#,
            digest: "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c"),
        Row(
            testDescription: "A5 presence, integer id, other name", channel: "presence-foobar",
            data: #"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#,
            digest: "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80"),
        Row(
            testDescription: "A6 presence without channel_data (PW-082)", channel: "presence-foobar", data: nil,
            digest: "71506e66e7fdca106571b8999a849ad34245bc653772e51e0026c1a2475b92ba"),
        Row(
            testDescription: "A7 encrypted (PW-065)", channel: "private-encrypted-foo", data: nil,
            digest: "e85caab4331194145d44feae15aea9539ea50631afacbc593a9555ceadc42357"),
    ]

    private func verify(
        _ auth: String, _ channel: String, _ data: String? = nil, socket: SocketID = ChannelAuthTests.socket,
        keys: [AppKey] = [otherKey, vectorKey]
    ) -> ChannelAuth.Outcome {
        let auth = Array(auth.utf8), channel = Array(channel.utf8)
        guard let data else {
            return ChannelAuth.verify(
                auth: auth.span, socketID: socket, channel: channel.span, channelData: nil, keys: keys)
        }
        let bytes = Array(data.utf8)
        return ChannelAuth.verify(
            auth: auth.span, socketID: socket, channel: channel.span, channelData: bytes.span, keys: keys)
    }

    @Test("Vectors A2…A7 hold, and nothing near them does", arguments: vectors)
    func vectorsHold(_ row: Row) {
        let auth = "\(vectorKeyText):\(row.digest)"
        #expect(verify(auth, row.channel, row.data) == .ok)
        #expect(verify(auth.uppercasedSignature, row.channel, row.data).isOK, "PW-060: upper-case hex")
        // PW-056, PW-059: another channel, socket or datum.
        #expect(!verify(auth, row.channel + "x", row.data).isOK)
        #expect(!verify(auth, row.channel, (row.data ?? "") + " ").isOK)
        #expect(!verify(auth, row.channel, row.data, socket: SocketID(high: 1234, low: 1235)).isOK)
        for offset in 0..<64 {
            var wrong = Array(auth.utf8)
            let index = wrong.count - 64 + offset
            wrong[index] = wrong[index] == 0x30 ? 0x31 : 0x30
            #expect(!verify(string(wrong), row.channel, row.data).isOK)
        }
    }

    @Test("A8: a user signature holds; it is no channel signature (PW-109, PW-110)")
    func userVector() {
        let auth = "\(vectorKeyText):4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"
        func check(_ auth: String, _ data: String) -> ChannelAuth.Outcome {
            let auth = Array(auth.utf8), data = Array(data.utf8)
            return ChannelAuth.verifyUser(
                auth: auth.span, socketID: Self.socket, userData: data.span, keys: [vectorKey])
        }
        #expect(check(auth, #"{"id":"12345"}"#) == .ok)
        #expect(!check(auth, #"{"id":"12346"}"#).isOK)
        #expect(check(String(auth.dropFirst(vectorKeyText.count + 1)), #"{"id":"12345"}"#) == .malformed)
    }

    @Test("PW-083: spaces and unicode escapes in channel_data do not affect verification")
    func dataIsTakenByteForByte() {
        for data in [#"{"user_id": "10",  "user_info": {"n": "\u00e9"}}"#, #"{"user_id":1e1}"#, #"{"a":"é"}"#] {
            let signature = hexSignature("1234.1234:presence-x:\(data)")
            #expect(verify("\(vectorKeyText):\(signature)", "presence-x", data).isOK)
        }
    }

    @Test("PW-062: channel_data on a private channel is part of what is signed")
    func privateChannelData() {
        let signature = hexSignature("1234.1234:private-x:data")
        #expect(verify("\(vectorKeyText):\(signature)", "private-x", "data").isOK)
        #expect(!verify("\(vectorKeyText):\(signature)", "private-x").isOK)
    }

    @Test("PW-062: channel_data that is present but empty may be signed with its colon, as hosted does, or without")
    func emptyChannelData() {
        for channel in ["private-x", "presence-x", "private-encrypted-x", "private-cache-x"] {
            let (bare, colon) = ("1234.1234:\(channel)", "1234.1234:\(channel):")
            for signed in [bare, colon] {
                #expect(verify("\(vectorKeyText):\(hexSignature(signed))", channel, "") == .ok)
            }
            for signed in [colon + ":", colon + " ", "1234.1234\(channel)", "1234.1234:\(channel.dropLast())"] {
                #expect(
                    verify("\(vectorKeyText):\(hexSignature(signed))", channel, "")
                        == .mismatch(stringSigned: Array(colon.utf8)), "the text shown is hosted's")
            }
            #expect(!verify("\(vectorKeyText):\(hexSignature(colon))", channel).isOK, "only when it is present")
            #expect(!verify("\(vectorKeyText):\(hexSignature(bare))", channel, "x").isOK)
            #expect(!verify("\(vectorKeyText):\(hexSignature(bare, otherKey))", channel, "").isOK)
        }
    }

    @Test("PW-057: missing, empty or shapeless auth is malformed; PW-058: another app's key is unknown")
    func refusals() {
        let digest = Self.vectors[0].digest
        let shapeless = [
            "", ":", digest, ":" + digest, "\(vectorKeyText):", "\(vectorKeyText):" + digest.dropLast(),
            "\(vectorKeyText):" + digest.dropLast() + "g", "\(vectorKeyText):x:" + digest,
            "\(vectorKeyText):\(digest)0", "\(vectorKeyText)::\(digest)",
        ]
        for auth in shapeless { #expect(verify(auth, "private-foobar") == .malformed, "\(auth)") }
        #expect(verify("nobody:\(digest)", "private-foobar") == .unknownKey)
        #expect(verify("\(vectorKeyText):\(digest)", "private-foobar", keys: [otherKey]) == .unknownKey)
        #expect(verify("\(vectorKeyText):\(digest)", "private-foobar", keys: []) == .unknownKey)
        // The right key with another active key's secret.
        let crossed = hexSignature("1234.1234:private-foobar", otherKey)
        #expect(
            verify("\(vectorKeyText):\(crossed)", "private-foobar")
                == .mismatch(stringSigned: Array("1234.1234:private-foobar".utf8)))
    }

    @Test("PW-182: messages show what to sign, never the secret or the expected signature")
    func messages() throws {
        let auth = "\(vectorKeyText):" + String(repeating: "0", count: 64), bytes = Array(auth.utf8)
        let outcome = verify(auth, "private-foobar")
        let found = ChannelAuth.message(outcome, auth: bytes.span, subject: "channel private-foobar")
        let message = try #require(found)
        #expect(message.contains("1234.1234:private-foobar"))
        #expect(!message.contains(Self.vectors[0].digest) && !message.contains("7ad3773142a6692b25b8"))
        let none: [UInt8] = []
        let missing = ChannelAuth.message(.malformed, auth: none.span, subject: "channel x")
        #expect(missing?.hasPrefix("Missing auth for channel x") == true)
        let malformed = ChannelAuth.message(.malformed, auth: bytes.span, subject: "user")
        #expect(malformed?.contains("key:signature") == true)
        let unknown = ChannelAuth.message(.unknownKey, auth: bytes.span, subject: "user")
        #expect(unknown?.contains("'\(vectorKeyText)'") == true)
        let fine = ChannelAuth.message(.ok, auth: bytes.span, subject: "user")
        #expect(fine == nil)
    }

    @Test("A13: the webhook body's signature (PW-168)") func webhookVector() {
        let body = Array(
            #"{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"test_channel"}]}"#.utf8)
        let expected = "709fdb84c03664445f7698120b0edf0acc1ab1c8c6e93a0368c61841d6b998aa"
        var digits: [UInt8] = []
        WebhookSignature.append(of: body.span, key: vectorKey, to: &digits)
        #expect(String(decoding: digits, as: UTF8.self) == expected && digits.count == WebhookSignature.digits)
        func isGenuine(_ text: String) -> Bool {
            let given = Array(text.utf8)
            return WebhookSignature.isGenuine(given.span, of: body.span, key: vectorKey)
        }
        #expect([expected, expected.uppercased()].allSatisfy(isGenuine))
        #expect(!["", expected + "0", String(expected.dropLast()) + "b"].contains(where: isGenuine))
    }
}

extension String {
    fileprivate var uppercasedSignature: String {
        let colon = firstIndex(of: ":") ?? startIndex
        return self[..<colon] + self[colon...].uppercased()
    }
}
