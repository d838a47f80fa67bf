import BrokerCore
import PusherProtocol
import TestSupport
import Testing

/// One rule for user ids wherever they come from: who can sign in can be published to, watched, joined as and terminated.
@Suite("User ids (Pusher protocol §3.7, §3.11, §5)") struct UserIDTests {
    /// Characters of one to four bytes, so that a rule that counts bytes somewhere is seen.
    private static let characters = ["a", "é", "€", "😀"]

    @Test(arguments: characters, [1, 5, 128]) func theLongestIDWorksEverywhere(_ character: String, limit: Int) throws {
        let fixture = BrokerFixture { $0.limits.userIDCharactersMax = limit }
        let id = String(repeating: character, count: limit)
        let (user, watcher, member) = (fixture.connect(), fixture.connect(), fixture.connect())
        let watching = #"{"id":"w","watchlist":["\#(id)"]}"#
        #expect(
            fixture.signIn(watcher, watching) == [Text.signedIn(watching), Text.watchlist(online: [], offline: [id])])
        #expect(
            fixture.signIn(user, #"{"id":"\#(id)"}"#).map(BrokerFixture.gist) == [Text.signedIn(#"{"id":"\#(id)"}"#)])
        #expect(fixture.hear(watcher) == [Text.watchlist(online: [id], offline: [])])
        let channel = Model.userChannel(id)
        #expect(fixture.say(user, Text.subscribe(channel)) == [Text.succeeded(channel)])
        try fixture.publish("e", [channel])
        #expect(fixture.hear(user) == [Text.event("e", channel, data: "d")])
        #expect(fixture.subscribe(member, "presence-a", data: #"{"user_id":"\#(id)"}"#).count == 1)
        #expect(fixture.roster("presence-a") == [id])
        #expect(try terminate(fixture, id) == nil)
        #expect(fixture.closed == [user: .unauthorized])
    }

    /// A rule that is broken, and what every place says of it.
    struct Case: Sendable {
        /// As JSON text without quotes.
        var id: String
        var says: String
        /// Bytes, where they are not the same.
        var raw: [UInt8]?
    }

    static let broken: [Row<Case>] =
        characters.map { Row("129 times \($0)", Case(id: String(repeating: $0, count: 129), says: "128 characters")) }
        + [
            Row("a newline", Case(id: #"a\nb"#, says: "0x0A", raw: [0x61, 0x0A, 0x62])),
            Row("NUL", Case(id: #"\u0000"#, says: "0x00", raw: [0])), Row("DEL", Case(id: "a\u{7F}", says: "0x7F")),
        ]

    @Test(arguments: broken) func aBrokenRuleIsRefusedEverywhere(_ row: Row<Case>) throws {
        let (fixture, id, says) = (BrokerFixture(), row.value.id, row.value.says)
        let peer = fixture.connect()
        func refused(_ heard: [String], _ gist: [String], _ place: String) {
            #expect(
                heard.map(BrokerFixture.gist) == gist && heard.allSatisfy { $0.contains(says) }, "\(place): \(heard)")
        }
        refused(fixture.signIn(peer, #"{"id":"\#(id)"}"#), ["error 4009"], "sign-in")
        refused(fixture.signIn(peer, #"{"id":"u","watchlist":["v","\#(id)"]}"#), ["error 4009"], "watchlist")
        #expect(!fixture.brokers[0].isAuthorized(peer.slot))
        let isLong = says == "128 characters"
        refused(
            fixture.subscribe(peer, "presence-a", data: #"{"user_id":"\#(id)"}"#),
            isLong ? ["refused LimitReached 4301", "error 4301"] : ["refused InvalidChannelData 4302", "error 4302"],
            "presence")
        #expect(fixture.app.channelCount == 0)
        let channel = ##"{"event":"pusher:subscribe","data":{"channel":"#server-to-user-\##(id)"}}"##
        let heard = fixture.say(peer, channel)
        #expect(
            heard.map(BrokerFixture.gist) == [
                "refused \(isLong ? "LimitReached" : "InvalidChannelName") 4009", "error null",
            ])
        #expect(heard.allSatisfy { $0.contains(says.dropFirst(says == "0x0A" || says == "0x00" ? 3 : 0)) }, "\(heard)")
        #expect(throws: APIError.self) { try publish(fixture, id) }
        let error = try terminate(fixture, id, raw: row.value.raw)
        #expect(error?.status == 400 && error?.text.contains(says) == true)
    }

    @Test func aNumberIsMeasuredAsItsDigits() {
        let fixture = BrokerFixture { $0.limits.userIDCharactersMax = 3 }
        let peer = fixture.connect()
        #expect(
            fixture.subscribe(peer, "presence-a", data: #"{"user_id":1000}"#).map(BrokerFixture.gist)
                == ["refused LimitReached 4301", "error 4301"])
        #expect(fixture.subscribe(peer, "presence-a", data: #"{"user_id":999.0}"#).count == 1)
        #expect(fixture.roster("presence-a") == ["999"])
    }

    @Test func anIDThatIsNoTextIsRefusedWithThatReason() {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        for (heard, gist) in [
            (fixture.signIn(peer, #"{"id":"ab\ud83d"}"#), ["error 4009"]),
            (fixture.signIn(peer, #"{"id":"u","watchlist":["\udc00"]}"#), ["error 4009"]),
            (
                fixture.subscribe(peer, "presence-a", data: #"{"user_id":"ab\ud83d"}"#),
                ["refused InvalidChannelData 4302", "error 4302"]
            ),
        ] {
            #expect(heard.map(BrokerFixture.gist) == gist)
            #expect(heard.allSatisfy { $0.contains("half of a surrogate pair") })
        }
    }

    /// What a path with the id, percent-encoded, is refused with; nil when it was carried out.
    private func terminate(_ fixture: BrokerFixture, _ id: String, raw: [UInt8]? = nil) throws -> APIError? {
        let segment = (raw ?? Array(id.utf8)).flatMap { byte in
            Array((byte < 0x10 ? "%0" : "%").utf8) + Array(String(byte, radix: 16).utf8)
        }
        do throws(APIError) {
            let user = try StateRequest.userID(
                segment: segment.span, charactersMax: fixture.app.settings.limits.userIDCharactersMax)
            try fixture.terminate(String(decoding: user, as: UTF8.self))
            return nil
        } catch {
            return error
        }
    }

    private func publish(_ fixture: BrokerFixture, _ id: String) throws {
        let body = Array(##"{"name":"e","channel":"#server-to-user-\##(id)","data":"d"}"##.utf8), none: [UInt8] = []
        _ = try PublishRequest.parse(body: body.span, query: APIQuery(none.span), limits: PayloadLimits())
    }
}
