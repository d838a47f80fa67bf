import BrokerCore
import TestSupport
import Testing

@Suite("Subscriptions (Pusher protocol §3)") struct SubscriptionTests {
    /// What a refused subscribe is answered in one dialect.
    struct Refusal: Sendable {
        var dialect: AppSettings.SubscriptionErrorDialect
        var heard: [String]
    }

    static let dialects: [Row<Refusal>] = [
        Row("PW-063 soketi: on the channel", Refusal(dialect: .soketi, heard: ["refused AuthError 401"])),
        Row("PW-064 hosted: on the connection", Refusal(dialect: .hosted, heard: ["error null"])),
        Row("PW-064 both, the channel first", Refusal(dialect: .both, heard: ["refused AuthError 401", "error null"])),
    ]

    @Test(arguments: dialects) func aWrongSignatureIsAnsweredInTheAppsDialect(_ row: Row<Refusal>) throws {
        let fixture = BrokerFixture { $0.subscriptionErrors = row.value.dialect }
        let peer = fixture.connect()
        let wrong = fixture.signer.channel("private-a", socket: "1.1")
        #expect(fixture.say(peer, Text.subscribe("private-a", auth: wrong)).map(BrokerFixture.gist) == row.value.heard)
        try fixture.publish("e", ["private-a"])
        #expect(fixture.hear(peer).isEmpty, "PW-056: it is not subscribed")
        #expect(fixture.subscribe(peer, "private-a") == [Text.succeeded("private-a")], "PW-061: a right one follows")
    }

    /// A subscribe with parts to be filled in, and the gist of its answer in the `both` dialect.
    struct Case: Sendable {
        var channel: String
        var auth: String
        var data: String?
        var heard: [String]
    }

    private static let unauthorized = ["refused AuthError 401", "error null"]
    private static let badData = ["refused InvalidChannelData 4302", "error 4302"]

    static let refusals: [Row<Case>] = [
        Row("PW-057 no auth", Case(channel: "private-a", auth: "", heard: unauthorized)),
        Row("PW-057 no colon", Case(channel: "private-a", auth: "abc", heard: unauthorized)),
        Row("PW-058 another app's key", Case(channel: "private-a", auth: "OTHER", heard: unauthorized)),
        Row("PW-059 for another channel", Case(channel: "private-b", auth: "SIGNED private-a", heard: unauthorized)),
        Row("PW-065 encrypted without auth", Case(channel: "private-encrypted-a", auth: "", heard: unauthorized)),
        Row("PW-066 private cache without auth", Case(channel: "private-cache-a", auth: "", heard: unauthorized)),
        Row(
            "PW-066 encrypted cache without auth",
            Case(channel: "private-encrypted-cache-a", auth: "", heard: unauthorized)),
        Row("PW-067 presence without auth", Case(channel: "presence-a", auth: "", heard: unauthorized)),
        Row("PW-071 channel_data is missing", Case(channel: "presence-a", auth: "SIGNED presence-a", heard: badData)),
        Row(
            "PW-071 channel_data is not JSON",
            Case(channel: "presence-a", auth: "SIGNED presence-a", data: "{", heard: badData)),
        Row(
            "PW-071 no user_id", Case(channel: "presence-a", auth: "SIGNED presence-a", data: "{}", heard: badData)),
        Row(
            "PW-071 user_id is null",
            Case(channel: "presence-a", auth: "SIGNED presence-a", data: #"{"user_id":null}"#, heard: badData)),
        Row(
            "PW-079 channel_data is too large",
            Case(
                channel: "presence-a", auth: "SIGNED presence-a",
                data: #"{"user_id":"u","user_info":""# + String(repeating: "x", count: 2_048) + "\"}",
                heard: ["refused LimitReached 4301", "error 4301"])),
        Row(
            "user_id is too long",
            Case(
                channel: "presence-a", auth: "SIGNED presence-a",
                data: "{\"user_id\":\"" + String(repeating: "x", count: 129) + "\"}",
                heard: ["refused LimitReached 4301", "error 4301"])),
        Row(
            "PW-049 a space", Case(channel: "a b", auth: "", heard: ["refused InvalidChannelName 4009", "error null"])),
        Row(
            "PW-049 a lone #", Case(channel: "#a", auth: "", heard: ["refused InvalidChannelName 4009", "error null"])),
        Row(
            "PW-049 the mark of a watch",
            Case(channel: "!a", auth: "", heard: ["refused InvalidChannelName 4009", "error null"])),
        Row(
            "PW-048 201 bytes",
            Case(
                channel: String(repeating: "x", count: 201), auth: "",
                heard: ["refused LimitReached 4009", "error null"])),
        Row("PW-112 a user channel, not signed in", Case(channel: "#server-to-user-u1", auth: "", heard: unauthorized)),
    ]

    @Test(arguments: refusals) func refuses(_ row: Row<Case>) throws {
        let (fixture, test) = (BrokerFixture(), row.value)
        let peer = fixture.connect()
        var auth = test.auth
        if auth == "OTHER" {
            auth = "other:" + fixture.signer.channel(test.channel, socket: fixture.socket(peer)).dropFirst(4)
        }
        if auth.hasPrefix("SIGNED ") {
            auth = fixture.signer.channel(String(auth.dropFirst(7)), socket: fixture.socket(peer), data: test.data)
        }
        #expect(
            fixture.say(peer, Text.subscribe(test.channel, auth: auth, data: test.data)).map(BrokerFixture.gist)
                == test.heard)
        #expect(fixture.app.channelCount == 0)
        #expect(fixture.say(peer, #"{"event":"pusher:ping"}"#).count == 1, "it stays connected")
    }

    @Test func pw044ASecondSubscribeIsAnsweredAgainAndCountsOnce() throws {
        let fixture = BrokerFixture { $0.subscriptionCountEnabled = true }
        let peer = fixture.connect()
        #expect(fixture.subscribe(peer, "a") == [Text.succeeded("a"), Text.count("a", 1)])
        #expect(fixture.subscribe(peer, "a") == [Text.succeeded("a")])
        try fixture.publish("e", ["a"])
        #expect(fixture.hear(peer) == [Text.event("e", "a", data: "d")])
    }

    @Test func pw094AResubscribeReplaysTheCachedEvent() throws {
        let (fixture, event) = (BrokerFixture(), Text.event("e", "cache-a", data: "d"))
        let peer = fixture.connect()
        #expect(fixture.subscribe(peer, "cache-a") == [Text.succeeded("cache-a"), Text.cacheMiss("cache-a")])
        try fixture.publish("e", ["cache-a"])
        #expect(fixture.hear(peer) == [event])
        #expect(fixture.subscribe(peer, "cache-a") == [Text.succeeded("cache-a"), event])
        fixture.pass(milliseconds: 1_799_999)
        #expect(fixture.subscribe(peer, "cache-a") == [Text.succeeded("cache-a"), event])
        fixture.pass(milliseconds: 1)
        #expect(fixture.subscribe(peer, "cache-a") == [Text.succeeded("cache-a"), Text.cacheMiss("cache-a")], "PW-089")
    }

    @Test func theAnswerToARepeatedSubscribeDoesNotOutliveTheSubscription() {
        let fixture = BrokerFixture()
        let (peer, other) = (fixture.connect(), fixture.connect())
        fixture.subscribe(other, "a")
        fixture.subscribe(peer, "a")
        // All three before the loop takes what the first one queued.
        fixture.brokers[0].receive(peer.slot, Text.subscribe("a"))
        fixture.brokers[0].receive(peer.slot, Text.unsubscribe("a"))
        #expect(fixture.say(peer, Text.subscribe("a")) == [Text.succeeded("a")])
    }

    @Test func pw045NothingOfTheChannelFollowsAnUnsubscribe() throws {
        let fixture = BrokerFixture(loops: 2)
        let (stays, leaves) = (fixture.connect(loop: 1), fixture.connect())
        for peer in [stays, leaves] { fixture.subscribe(peer, "a") }
        #expect(fixture.say(leaves, Text.unsubscribe("a")).isEmpty)
        try fixture.publish("e", ["a"])
        #expect(fixture.hear(leaves).isEmpty && fixture.hear(stays).count == 1)
        #expect(fixture.say(leaves, Text.unsubscribe("a")).isEmpty, "PW-046")
    }

    @Test func aResubscribeAsAnotherUserIsRefused() {
        let fixture = BrokerFixture()
        let (peer, other) = (fixture.connect(), fixture.connect())
        fixture.subscribe(peer, "presence-a", data: #"{"user_id":"u1"}"#)
        fixture.subscribe(other, "presence-a", data: #"{"user_id":"u2"}"#)
        _ = fixture.hear(peer)
        for user in ["u2", "u3"] {
            let answer = fixture.subscribe(peer, "presence-a", data: "{\"user_id\":\"\(user)\"}")
            #expect(answer.map(BrokerFixture.gist) == Self.unauthorized)
        }
        #expect(fixture.roster("presence-a") == ["u1", "u2"] && fixture.hear(other).isEmpty)
    }

    @Test func pw078AFullPresenceChannelTakesAnExistingMemberOnly() {
        let fixture = BrokerFixture { $0.limits.presenceMembersMax = 2 }
        let peers = (0..<4).map { _ in fixture.connect() }
        let data = ["u1", "u2", "u3", "u1"].map { "{\"user_id\":\"\($0)\"}" }
        let answers = zip(peers, data).map { fixture.subscribe($0, "presence-a", data: $1).map(BrokerFixture.gist) }
        #expect(answers[2] == ["refused LimitReached 4100", "error 4100"])
        #expect(Simulation.snapshot(answers[3][0], of: "presence-a") == ["u1": "null", "u2": "null"], "PW-073")
        fixture.say(peers[1], Text.unsubscribe("presence-a"))
        #expect(fixture.subscribe(peers[2], "presence-a", data: data[2]).count == 1)
        #expect(fixture.roster("presence-a") == ["u1", "u3"])
    }

    @Test func pw082ASignedInConnectionNeedsNoChannelData() {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        fixture.signIn(peer, #"{"id":"u1","user_info":{"n":1}}"#)
        let answer = fixture.subscribe(peer, "presence-a")
        #expect(Simulation.snapshot(answer[0], of: "presence-a") == ["u1": #"{"n":1}"#])
    }

    @Test func theLimitsOfChannelsCountWhatTheClientAskedFor() {
        let fixture = BrokerFixture {
            $0.limits.channelsPerConnectionMax = 2
            $0.limits.channelsMax = 3
        }
        let (peer, other) = (fixture.connect(), fixture.connect())
        fixture.signIn(peer, #"{"id":"u1","watchlist":["u2","u3"]}"#)
        let full = ["refused LimitReached 4100", "error 4100"]
        #expect(["a", "b"].map { fixture.subscribe(peer, $0).count } == [1, 1])
        #expect(fixture.subscribe(peer, "c").map(BrokerFixture.gist) == full)
        #expect(fixture.subscribe(other, "c").count == 1 && fixture.app.channelCount == 3)
        #expect(fixture.subscribe(other, "d").map(BrokerFixture.gist) == full)
        fixture.say(peer, Text.unsubscribe("a"))
        #expect(fixture.subscribe(other, "d").count == 1 && fixture.app.channelCount == 3)
    }
}
