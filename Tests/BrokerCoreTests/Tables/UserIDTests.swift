import BrokerCore
import PusherProtocol
import TestSupport
import Testing

/// One rule for user ids wherever they come from: who can sign in can be published to, watched, joined as and terminated.
@Suite("User ids (Pusher protocol §3.7, §3.11, §5)") struct UserIDTests {
    /// Characters of one to four bytes, so that a rule that counts bytes somewhere is seen.
    private static let characters = ["a", "é", "€", "😀"]

    @Test(arguments: characters, [1, 5, 128]) func theLongestIDWorksEverywhere(_ character: String, limit: Int) throws {
        let desk = Desk { $0.limits.userIDCharactersMax = limit }
        let id = String(repeating: character, count: limit)
        let (user, watcher, member) = (desk.connect(), desk.connect(), desk.connect())
        let watching = #"{"id":"w","watchlist":["\#(id)"]}"#
        #expect(
            desk.signIn(watcher, watching) == [Text.signedIn(watching), Text.watchlist(online: [], offline: [id])])
        #expect(desk.signIn(user, #"{"id":"\#(id)"}"#).map(Desk.gist) == [Text.signedIn(#"{"id":"\#(id)"}"#)])
        #expect(desk.hear(watcher) == [Text.watchlist(online: [id], offline: [])])
        let channel = Model.userChannel(id)
        #expect(desk.say(user, Text.subscribe(channel)) == [Text.succeeded(channel)])
        try desk.publish("e", [channel])
        #expect(desk.hear(user) == [Text.event("e", channel, data: "d")])
        #expect(desk.subscribe(member, "presence-a", data: #"{"user_id":"\#(id)"}"#).count == 1)
        #expect(desk.roster("presence-a") == [id])
        #expect(try terminate(desk, id) == nil)
        #expect(desk.closed == [user: .unauthorized])
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
        let (desk, id, says) = (Desk(), row.value.id, row.value.says)
        let peer = desk.connect()
        func refused(_ heard: [String], _ gist: [String], _ place: String) {
            #expect(heard.map(Desk.gist) == gist && heard.allSatisfy { $0.contains(says) }, "\(place): \(heard)")
        }
        refused(desk.signIn(peer, #"{"id":"\#(id)"}"#), ["error 4009"], "sign-in")
        refused(desk.signIn(peer, #"{"id":"u","watchlist":["v","\#(id)"]}"#), ["error 4009"], "watchlist")
        #expect(!desk.brokers[0].isAuthorized(peer.slot))
        let isLong = says == "128 characters"
        refused(
            desk.subscribe(peer, "presence-a", data: #"{"user_id":"\#(id)"}"#),
            isLong ? ["refused LimitReached 4301", "error 4301"] : ["refused InvalidChannelData 4302", "error 4302"],
            "presence")
        #expect(desk.app.channelCount == 0)
        let channel = ##"{"event":"pusher:subscribe","data":{"channel":"#server-to-user-\##(id)"}}"##
        let heard = desk.say(peer, channel)
        #expect(
            heard.map(Desk.gist) == ["refused \(isLong ? "LimitReached" : "InvalidChannelName") 4009", "error null"])
        #expect(heard.allSatisfy { $0.contains(says.dropFirst(says == "0x0A" || says == "0x00" ? 3 : 0)) }, "\(heard)")
        #expect(throws: APIError.self) { try publish(desk, id) }
        let error = try terminate(desk, id, raw: row.value.raw)
        #expect(error?.status == 400 && error?.text.contains(says) == true)
    }

    @Test func aNumberIsMeasuredAsItsDigits() {
        let desk = Desk { $0.limits.userIDCharactersMax = 3 }
        let peer = desk.connect()
        #expect(
            desk.subscribe(peer, "presence-a", data: #"{"user_id":1000}"#).map(Desk.gist)
                == ["refused LimitReached 4301", "error 4301"])
        #expect(desk.subscribe(peer, "presence-a", data: #"{"user_id":999.0}"#).count == 1)
        #expect(desk.roster("presence-a") == ["999"])
    }

    @Test func anIDThatIsNoTextIsRefusedWithThatReason() {
        let desk = Desk()
        let peer = desk.connect()
        for (heard, gist) in [
            (desk.signIn(peer, #"{"id":"ab\ud83d"}"#), ["error 4009"]),
            (desk.signIn(peer, #"{"id":"u","watchlist":["\udc00"]}"#), ["error 4009"]),
            (
                desk.subscribe(peer, "presence-a", data: #"{"user_id":"ab\ud83d"}"#),
                ["refused InvalidChannelData 4302", "error 4302"]
            ),
        ] {
            #expect(heard.map(Desk.gist) == gist)
            #expect(heard.allSatisfy { $0.contains("half of a surrogate pair") })
        }
    }

    /// What a path with the id, percent-encoded, is refused with; nil when it was carried out.
    private func terminate(_ desk: Desk, _ id: String, raw: [UInt8]? = nil) throws -> APIError? {
        let segment = (raw ?? Array(id.utf8)).flatMap { byte in
            Array((byte < 0x10 ? "%0" : "%").utf8) + Array(String(byte, radix: 16).utf8)
        }
        do throws(APIError) {
            let user = try StateRequest.userID(
                segment: segment.span, charactersMax: desk.app.settings.limits.userIDCharactersMax)
            desk.terminate(String(decoding: user, as: UTF8.self))
            return nil
        } catch {
            return error
        }
    }

    private func publish(_ desk: Desk, _ id: String) throws {
        let body = Array(##"{"name":"e","channel":"#server-to-user-\##(id)","data":"d"}"##.utf8), none: [UInt8] = []
        _ = try PublishRequest.parse(body: body.span, query: APIQuery(none.span), limits: PayloadLimits())
    }
}
