import BrokerCore
import PusherProtocol
import TestSupport
import Testing

@Suite("Sign-in, watchlists, termination (Pusher protocol §5)") struct UserTests {
    static let refusals: [Row<String>] = [
        Row("PW-110 user_data is not JSON", "{"), Row("PW-110 no id", "{}"),
        Row("PW-110 id is empty", #"{"id":""}"#), Row("PW-110 id is a number", #"{"id":1}"#),
        Row("id is too long", "{\"id\":\"" + String(repeating: "x", count: 129) + "\"}"),
        Row("the watchlist is no list", #"{"id":"u1","watchlist":"u2"}"#),
        Row("the watchlist holds a number", #"{"id":"u1","watchlist":[1]}"#),
    ]

    @Test(arguments: refusals) func aSignInIsRefused(_ row: Row<String>) {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        #expect(fixture.signIn(peer, row.value).map(BrokerFixture.gist) == ["error 4009"])
        #expect(fixture.closed.isEmpty && !fixture.brokers[0].isAuthorized(peer.slot))
    }

    @Test func pw110AWrongSignatureIsRefused() {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        let data = #"{"id":"u1"}"#
        let wrong = fixture.signer.user(data, socket: "1.1")
        for auth in [wrong, "", "key", fixture.signer.channel(data, socket: fixture.socket(peer))] {
            #expect(
                fixture.say(peer, Text.signIn(auth: auth, userData: data)).map(BrokerFixture.gist) == ["error 4009"])
        }
    }

    @Test func pw109AndPw111ASignInIsEchoedAndKeepsItsUser() throws {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        let data = #"{"id":"u1", "user_info":{"a":"\u0041\\"}}"#
        #expect(fixture.signIn(peer, data) == [Text.signedIn(data)])
        #expect(fixture.signIn(peer, #"{"id":"u2"}"#).map(BrokerFixture.gist) == ["error 4009"])
        #expect(fixture.signIn(peer, #"{"id":"u1"}"#) == [Text.signedIn(#"{"id":"u1"}"#)])
        let channel = Model.userChannel("u1")
        #expect(fixture.say(peer, Text.subscribe(channel)) == [Text.succeeded(channel)], "PW-112")
        try fixture.publish("e", [channel, Model.userChannel("u2")])
        #expect(fixture.hear(peer) == [Text.event("e", channel, data: "d")], "PW-113: once, though signed in twice")
    }

    @Test func pw113ToPw115UserEventsReachEverySignedInConnectionButTheExcluded() throws {
        let fixture = BrokerFixture(loops: 2)
        let (first, second, stranger) = (fixture.connect(), fixture.connect(loop: 1), fixture.connect(loop: 1))
        for peer in [first, second] { fixture.signIn(peer, #"{"id":"u1"}"#) }
        fixture.subscribe(stranger, "presence-a", data: #"{"user_id":"u1"}"#)
        _ = fixture.hear(stranger)
        let channel = Model.userChannel("u1")
        try fixture.publish("e", [channel])
        try fixture.publish("f", [channel], except: fixture.socket(first))
        #expect(fixture.hear(first) == [Text.event("e", channel, data: "d")])
        #expect(fixture.hear(second).count == 2 && fixture.hear(stranger).isEmpty)
        #expect(fixture.app.channelCount == 1, "PW-123: user channels are not counted")
    }

    @Test func pw116ToPw118TerminationEndsTheSignedInConnectionsOfThatMoment() throws {
        let fixture = BrokerFixture(loops: 2)
        let (first, second, member, other) = (
            fixture.connect(), fixture.connect(loop: 1), fixture.connect(), fixture.connect()
        )
        for peer in [first, second] { fixture.signIn(peer, #"{"id":"u1"}"#) }
        fixture.signIn(other, #"{"id":"u2"}"#)
        fixture.subscribe(member, "presence-a", data: #"{"user_id":"u1"}"#)
        try fixture.terminate("nobody")
        #expect(fixture.closed.isEmpty, "PW-117")
        try fixture.terminate("u1")
        #expect(fixture.closed == [first: .unauthorized, second: .unauthorized])
        #expect(fixture.hear(first).map(BrokerFixture.gist) == ["error 4009"])
        let again = fixture.connect()
        #expect(fixture.signIn(again, #"{"id":"u1"}"#).count == 1, "PW-118")
        // Posted, and not taken before someone else signs in.
        let id = Array("u1".utf8)
        try fixture.brokers[0].terminateConnections(of: id.span, app: fixture.app)
        let late = fixture.connect(loop: 1)
        #expect(fixture.closed[again] == .unauthorized)
        #expect(fixture.signIn(late, #"{"id":"u1"}"#).count == 1 && fixture.closed[late] == nil)
    }

    @Test func aTerminationSparesWhoSignedInBeforeItWasTaken() throws {
        let fixture = BrokerFixture()
        let (first, late) = (fixture.connect(), fixture.connect())
        fixture.signIn(first, #"{"id":"u1"}"#)
        let id = Array("u1".utf8)
        try fixture.brokers[0].terminateConnections(of: id.span, app: fixture.app)
        fixture.signIn(late, #"{"id":"u1"}"#)
        #expect(fixture.closed == [first: .unauthorized])
    }

    @Test func pw119AndPw120AWatcherHearsEachChangeOnce() {
        let fixture = BrokerFixture(loops: 2)
        let (watcher, first, second) = (fixture.connect(), fixture.connect(loop: 1), fixture.connect())
        let data = #"{"id":"w","watchlist":["u1","w"]}"#
        #expect(
            fixture.signIn(watcher, data) == [Text.signedIn(data), Text.watchlist(online: ["w"], offline: ["u1"])],
            "it may watch itself")
        fixture.signIn(first, #"{"id":"u1"}"#)
        fixture.signIn(second, #"{"id":"u1"}"#)
        #expect(fixture.hear(watcher) == [Text.watchlist(online: ["u1"], offline: [])])
        fixture.hangUp(first)
        #expect(fixture.hear(watcher).isEmpty)
        fixture.hangUp(second)
        #expect(fixture.hear(watcher) == [Text.watchlist(online: [], offline: ["u1"])])
        fixture.signIn(watcher, #"{"id":"w"}"#)
        fixture.signIn(fixture.connect(), #"{"id":"u1"}"#)
        #expect(fixture.hear(watcher).isEmpty, "the second sign-in replaced the watchlist by none")
    }

    @Test func pw121ALongWatchlistIsCutAndReported() {
        let fixture = BrokerFixture { $0.limits.watchlistMax = 2 }
        let peer = fixture.connect()
        let data = #"{"id":"w","watchlist":["u1","u2","u3"]}"#
        let heard = fixture.signIn(peer, data)
        #expect(heard.prefix(2) == [Text.signedIn(data), Text.watchlist(online: [], offline: ["u1", "u2"])])
        #expect(heard.dropFirst(2).map(BrokerFixture.gist) == ["error 4302"])
        fixture.signIn(fixture.connect(), #"{"id":"u3"}"#)
        #expect(fixture.hear(peer).isEmpty)
    }

    @Test func withoutTheFeatureAWatchlistIsIgnored() {
        let fixture = BrokerFixture {
            $0.watchlistEnabled = false
            $0.limits.watchlistMax = 1
        }
        let data = #"{"id":"w","watchlist":["u1","u2"]}"#
        #expect(fixture.signIn(fixture.connect(), data) == [Text.signedIn(data)])
    }

    @Test func pw122SigningInOrAPrivateChannelAuthorizes() {
        let fixture = BrokerFixture()
        let (idle, signed, member) = (fixture.connect(), fixture.connect(), fixture.connect())
        fixture.subscribe(idle, "open")
        fixture.signIn(signed, #"{"id":"u1"}"#)
        fixture.subscribe(member, "private-a")
        #expect([idle, signed, member].map { fixture.brokers[0].isAuthorized($0.slot) } == [false, true, true])
    }
}
