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
        let desk = Desk { $0.subscriptionErrors = row.value.dialect }
        let peer = desk.connect()
        let wrong = desk.signer.channel("private-a", socket: "1.1")
        #expect(desk.say(peer, Text.subscribe("private-a", auth: wrong)).map(Desk.gist) == row.value.heard)
        try desk.publish("e", ["private-a"])
        #expect(desk.hear(peer).isEmpty, "PW-056: it is not subscribed")
        #expect(desk.subscribe(peer, "private-a") == [Text.succeeded("private-a")], "PW-061: a right one follows")
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
        let (desk, test) = (Desk(), row.value)
        let peer = desk.connect()
        var auth = test.auth
        if auth == "OTHER" {
            auth = "other:" + desk.signer.channel(test.channel, socket: desk.socket(peer)).dropFirst(4)
        }
        if auth.hasPrefix("SIGNED ") {
            auth = desk.signer.channel(String(auth.dropFirst(7)), socket: desk.socket(peer), data: test.data)
        }
        #expect(desk.say(peer, Text.subscribe(test.channel, auth: auth, data: test.data)).map(Desk.gist) == test.heard)
        #expect(desk.app.channelCount == 0)
        #expect(desk.say(peer, #"{"event":"pusher:ping"}"#).count == 1, "it stays connected")
    }

    @Test func pw044ASecondSubscribeIsAnsweredAgainAndCountsOnce() throws {
        let desk = Desk { $0.subscriptionCountEnabled = true }
        let peer = desk.connect()
        #expect(desk.subscribe(peer, "a") == [Text.succeeded("a"), Text.count("a", 1)])
        #expect(desk.subscribe(peer, "a") == [Text.succeeded("a")])
        try desk.publish("e", ["a"])
        #expect(desk.hear(peer) == [Text.event("e", "a", data: "d")])
    }

    @Test func pw094AResubscribeReplaysTheCachedEvent() throws {
        let (desk, event) = (Desk(), Text.event("e", "cache-a", data: "d"))
        let peer = desk.connect()
        #expect(desk.subscribe(peer, "cache-a") == [Text.succeeded("cache-a"), Text.cacheMiss("cache-a")])
        try desk.publish("e", ["cache-a"])
        #expect(desk.hear(peer) == [event])
        #expect(desk.subscribe(peer, "cache-a") == [Text.succeeded("cache-a"), event])
        desk.pass(milliseconds: 1_799_999)
        #expect(desk.subscribe(peer, "cache-a") == [Text.succeeded("cache-a"), event])
        desk.pass(milliseconds: 1)
        #expect(desk.subscribe(peer, "cache-a") == [Text.succeeded("cache-a"), Text.cacheMiss("cache-a")], "PW-089")
    }

    @Test func theAnswerToARepeatedSubscribeDoesNotOutliveTheSubscription() {
        let desk = Desk()
        let (peer, other) = (desk.connect(), desk.connect())
        desk.subscribe(other, "a")
        desk.subscribe(peer, "a")
        // All three before the loop takes what the first one queued.
        desk.brokers[0].receive(peer.slot, Text.subscribe("a"))
        desk.brokers[0].receive(peer.slot, Text.unsubscribe("a"))
        #expect(desk.say(peer, Text.subscribe("a")) == [Text.succeeded("a")])
    }

    @Test func pw045NothingOfTheChannelFollowsAnUnsubscribe() throws {
        let desk = Desk(loops: 2)
        let (stays, leaves) = (desk.connect(loop: 1), desk.connect())
        for peer in [stays, leaves] { desk.subscribe(peer, "a") }
        #expect(desk.say(leaves, Text.unsubscribe("a")).isEmpty)
        try desk.publish("e", ["a"])
        #expect(desk.hear(leaves).isEmpty && desk.hear(stays).count == 1)
        #expect(desk.say(leaves, Text.unsubscribe("a")).isEmpty, "PW-046")
    }

    @Test func aResubscribeAsAnotherUserIsRefused() {
        let desk = Desk()
        let (peer, other) = (desk.connect(), desk.connect())
        desk.subscribe(peer, "presence-a", data: #"{"user_id":"u1"}"#)
        desk.subscribe(other, "presence-a", data: #"{"user_id":"u2"}"#)
        _ = desk.hear(peer)
        for user in ["u2", "u3"] {
            let answer = desk.subscribe(peer, "presence-a", data: "{\"user_id\":\"\(user)\"}")
            #expect(answer.map(Desk.gist) == Self.unauthorized)
        }
        #expect(desk.roster("presence-a") == ["u1", "u2"] && desk.hear(other).isEmpty)
    }

    @Test func pw078AFullPresenceChannelTakesAnExistingMemberOnly() {
        let desk = Desk { $0.limits.presenceMembersMax = 2 }
        let peers = (0..<4).map { _ in desk.connect() }
        let data = ["u1", "u2", "u3", "u1"].map { "{\"user_id\":\"\($0)\"}" }
        let answers = zip(peers, data).map { desk.subscribe($0, "presence-a", data: $1).map(Desk.gist) }
        #expect(answers[2] == ["refused LimitReached 4100", "error 4100"])
        #expect(Simulation.snapshot(answers[3][0], of: "presence-a") == ["u1": "null", "u2": "null"], "PW-073")
        desk.say(peers[1], Text.unsubscribe("presence-a"))
        #expect(desk.subscribe(peers[2], "presence-a", data: data[2]).count == 1)
        #expect(desk.roster("presence-a") == ["u1", "u3"])
    }

    @Test func pw082ASignedInConnectionNeedsNoChannelData() {
        let desk = Desk()
        let peer = desk.connect()
        desk.signIn(peer, #"{"id":"u1","user_info":{"n":1}}"#)
        let answer = desk.subscribe(peer, "presence-a")
        #expect(Simulation.snapshot(answer[0], of: "presence-a") == ["u1": #"{"n":1}"#])
    }

    @Test func theLimitsOfChannelsCountWhatTheClientAskedFor() {
        let desk = Desk {
            $0.limits.channelsPerConnectionMax = 2
            $0.limits.channelsMax = 3
        }
        let (peer, other) = (desk.connect(), desk.connect())
        desk.signIn(peer, #"{"id":"u1","watchlist":["u2","u3"]}"#)
        let full = ["refused LimitReached 4100", "error 4100"]
        #expect(["a", "b"].map { desk.subscribe(peer, $0).count } == [1, 1])
        #expect(desk.subscribe(peer, "c").map(Desk.gist) == full)
        #expect(desk.subscribe(other, "c").count == 1 && desk.app.channelCount == 3)
        #expect(desk.subscribe(other, "d").map(Desk.gist) == full)
        desk.say(peer, Text.unsubscribe("a"))
        #expect(desk.subscribe(other, "d").count == 1 && desk.app.channelCount == 3)
    }
}
