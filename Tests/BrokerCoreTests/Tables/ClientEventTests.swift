import BrokerCore
import TestSupport
import Testing

@Suite("Client events (Pusher protocol §4)") struct ClientEventTests {
    struct Case: Sendable {
        var name = "client-e"
        var channel = "private-a"
        var data = "\"d\""
        var isEnabled = true
        /// Nil: taken, and another subscriber hears it.
        var error: String?
    }

    private static let long = "client-" + String(repeating: "x", count: 194)
    private static let large = "\"" + String(repeating: "x", count: 10_241) + "\""

    /// Each row breaks its own rule and all that come later, so the rows fix the order.
    static let rows: [Row<Case>] = [
        Row("PW-095 on a private channel", Case()),
        Row("PW-099 §4(4) on a presence channel", Case(channel: "presence-a")),
        Row(
            "PW-101 §4(1) switched off comes before everything",
            Case(name: long, channel: "open", data: large, isEnabled: false, error: "error 4301")),
        Row("PW-104 §4(2) 201 characters", Case(name: long, channel: "open", data: large, error: "error 4301")),
        Row("PW-104 200 characters", Case(name: String(long.dropLast()))),
        Row("PW-099 §4(4) on a public channel", Case(channel: "open", data: large, error: "error 4301")),
        Row("PW-099 on a cache channel", Case(channel: "cache-a", data: large, error: "error 4301")),
        Row("PW-099 on an encrypted channel", Case(channel: "private-encrypted-a", data: large, error: "error 4301")),
        Row("PW-099 on a user channel", Case(channel: "#server-to-user-u1", data: large, error: "error 4301")),
        Row("PW-100 §4(5) not subscribed", Case(channel: "private-other", data: large, error: "error null")),
        Row("PW-105 §4(6) too large", Case(data: large, error: "error 4301")),
        Row("PW-105 as large as may be", Case(data: "\"" + large.dropFirst(2))),
    ]

    @Test(arguments: rows) func followsTheOrderOfTheRules(_ row: Row<Case>) {
        let test = row.value
        let fixture = BrokerFixture { $0.clientEventsEnabled = test.isEnabled }
        let (sender, other) = (fixture.connect(), fixture.connect())
        for peer in [sender, other] {
            for channel in ["private-a", "private-encrypted-a", "open", "cache-a"] { fixture.subscribe(peer, channel) }
            fixture.subscribe(peer, "presence-a", data: "{\"user_id\":\"u\(peer.slot)\"}")
        }
        _ = fixture.hear(sender)
        let answer = fixture.say(sender, Text.clientEvent(test.name, test.channel, data: test.data))
        #expect(answer.map(BrokerFixture.gist) == (test.error.map { [$0] } ?? []))
        let heard = fixture.hear(other)
        #expect(heard.count == (test.error == nil ? 1 : 0))
        #expect(fixture.closed.isEmpty, "PW-108")
    }

    @Test(arguments: ["Client-x", "xclient-y", "client", "pusher:client-x"])
    func pw104OtherNamesAreNoClientEvents(name: String) {
        let fixture = BrokerFixture()
        let (sender, other) = (fixture.connect(), fixture.connect())
        for peer in [sender, other] { fixture.subscribe(peer, "private-a") }
        #expect(fixture.say(sender, Text.clientEvent(name, "private-a", data: "1")).isEmpty)
        #expect(fixture.hear(other).isEmpty)
    }

    @Test(arguments: [
        Row("PW-098 an object becomes a string", (#"{"a": [1, "x"]}"#, #""{\"a\":[1,\"x\"]}""#)),
        Row("PW-098 a string stays as it is", (#""a\u0041 \/""#, #""a\u0041 \/""#)),
        Row("null becomes \"null\"", ("null", #""null""#)),
    ])
    func dataIsAlwaysAString(_ row: Row<(String, String)>) {
        let fixture = BrokerFixture()
        let (sender, other) = (fixture.connect(), fixture.connect())
        for peer in [sender, other] { fixture.subscribe(peer, "private-a") }
        fixture.say(sender, Text.clientEvent("client-e", "private-a", data: row.value.0))
        #expect(fixture.hear(other) == [#"{"event":"client-e","channel":"private-a","data":\#(row.value.1)}"#])
    }

    @Test func pw096AndPw097TheUserIDIsTheServersWord() {
        let fixture = BrokerFixture(loops: 2)
        let (sender, other, tab) = (fixture.connect(), fixture.connect(loop: 1), fixture.connect(loop: 1))
        fixture.subscribe(other, "presence-a", data: #"{"user_id":"u2"}"#)
        for peer in [sender, tab] { fixture.subscribe(peer, "presence-a", data: #"{"user_id":10}"#) }
        for peer in [sender, other, tab] { _ = fixture.hear(peer) }
        let forged = #"{"event":"client-e","channel":"presence-a","data":"d","user_id":"u2"}"#
        #expect(fixture.say(sender, forged).isEmpty)
        let wanted = [Text.event("client-e", "presence-a", data: "d", user: "10")]
        #expect(fixture.hear(other) == wanted)
        #expect(fixture.hear(tab) == wanted, "PW-106: another tab of the same user hears it")
    }

    @Test func pw088AClientEventIsNotCached() {
        let fixture = BrokerFixture()
        let (sender, late) = (fixture.connect(), fixture.connect())
        fixture.subscribe(sender, "private-cache-a")
        fixture.say(sender, Text.clientEvent("client-e", "private-cache-a", data: "1"))
        #expect(fixture.subscribe(late, "private-cache-a").last == Text.cacheMiss("private-cache-a"))
    }

    @Test func pw102AndPw103EachConnectionHasTenASecond() {
        let fixture = BrokerFixture()
        let (sender, other) = (fixture.connect(), fixture.connect())
        for peer in [sender, other] { fixture.subscribe(peer, "private-a") }
        let event = Text.clientEvent("client-e", "private-a", data: "1")
        let answers = (0..<12).flatMap { _ in fixture.say(sender, event) }.map(BrokerFixture.gist)
        #expect(answers == ["error 4301", "error 4301"] && fixture.hear(other).count == 10)
        #expect(fixture.say(other, event).isEmpty, "PW-103")
        _ = fixture.hear(sender)
        fixture.pass(milliseconds: 99)
        #expect(fixture.say(sender, event).map(BrokerFixture.gist) == ["error 4301"])
        fixture.pass(milliseconds: 1)
        #expect(fixture.say(sender, event).isEmpty, "a tenth of a second is one event, also after a refusal in between")
        fixture.pass(milliseconds: 1_000)
        #expect((0..<11).flatMap { _ in fixture.say(sender, event) }.count == 1)
    }

    @Test func aFreeSlotsNextConnectionStartsWithAFullBucket() {
        let fixture = BrokerFixture { $0.limits.clientEventsPerSecondMax = 1 }
        let event = Text.clientEvent("client-e", "private-a", data: "1")
        let first = fixture.connect()
        fixture.subscribe(first, "private-a")
        #expect(fixture.say(first, event).isEmpty && fixture.say(first, event).count == 1)
        fixture.hangUp(first)
        _ = fixture.brokers[0].acquireConnectionQuota(of: fixture.app)
        fixture.brokers[0].open(slot: first.slot, app: fixture.app, random: 99)
        fixture.subscribe(first, "private-a")
        #expect(fixture.say(first, event).isEmpty)
    }
}
