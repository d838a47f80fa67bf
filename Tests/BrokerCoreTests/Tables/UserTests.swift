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
        let desk = Desk()
        let peer = desk.connect()
        #expect(desk.signIn(peer, row.value).map(Desk.gist) == ["error 4009"])
        #expect(desk.closed.isEmpty && !desk.brokers[0].isAuthorized(peer.slot))
    }

    @Test func pw110AWrongSignatureIsRefused() {
        let desk = Desk()
        let peer = desk.connect()
        let data = #"{"id":"u1"}"#
        let wrong = desk.signer.user(data, socket: "1.1")
        for auth in [wrong, "", "key", desk.signer.channel(data, socket: desk.socket(peer))] {
            #expect(desk.say(peer, Text.signIn(auth: auth, userData: data)).map(Desk.gist) == ["error 4009"])
        }
    }

    @Test func pw109AndPw111ASignInIsEchoedAndKeepsItsUser() throws {
        let desk = Desk()
        let peer = desk.connect()
        let data = #"{"id":"u1", "user_info":{"a":"\u0041\\"}}"#
        #expect(desk.signIn(peer, data) == [Text.signedIn(data)])
        #expect(desk.signIn(peer, #"{"id":"u2"}"#).map(Desk.gist) == ["error 4009"])
        #expect(desk.signIn(peer, #"{"id":"u1"}"#) == [Text.signedIn(#"{"id":"u1"}"#)])
        let channel = Model.userChannel("u1")
        #expect(desk.say(peer, Text.subscribe(channel)) == [Text.succeeded(channel)], "PW-112")
        try desk.publish("e", [channel, Model.userChannel("u2")])
        #expect(desk.hear(peer) == [Text.event("e", channel, data: "d")], "PW-113: once, though signed in twice")
    }

    @Test func pw113ToPw115UserEventsReachEverySignedInConnectionButTheExcluded() throws {
        let desk = Desk(loops: 2)
        let (first, second, stranger) = (desk.connect(), desk.connect(loop: 1), desk.connect(loop: 1))
        for peer in [first, second] { desk.signIn(peer, #"{"id":"u1"}"#) }
        desk.subscribe(stranger, "presence-a", data: #"{"user_id":"u1"}"#)
        _ = desk.hear(stranger)
        let channel = Model.userChannel("u1")
        try desk.publish("e", [channel])
        try desk.publish("f", [channel], except: desk.socket(first))
        #expect(desk.hear(first) == [Text.event("e", channel, data: "d")])
        #expect(desk.hear(second).count == 2 && desk.hear(stranger).isEmpty)
        #expect(desk.app.channelCount == 1, "PW-123: user channels are not counted")
    }

    @Test func pw116ToPw118TerminationEndsTheSignedInConnectionsOfThatMoment() {
        let desk = Desk(loops: 2)
        let (first, second, member, other) = (desk.connect(), desk.connect(loop: 1), desk.connect(), desk.connect())
        for peer in [first, second] { desk.signIn(peer, #"{"id":"u1"}"#) }
        desk.signIn(other, #"{"id":"u2"}"#)
        desk.subscribe(member, "presence-a", data: #"{"user_id":"u1"}"#)
        desk.terminate("nobody")
        #expect(desk.closed.isEmpty, "PW-117")
        desk.terminate("u1")
        #expect(desk.closed == [first: .unauthorized, second: .unauthorized])
        #expect(desk.hear(first).map(Desk.gist) == ["error 4009"])
        let again = desk.connect()
        #expect(desk.signIn(again, #"{"id":"u1"}"#).count == 1, "PW-118")
        // Posted, and not taken before someone else signs in.
        let id = Array("u1".utf8)
        desk.brokers[0].terminateConnections(of: id.span, app: desk.app)
        let late = desk.connect(loop: 1)
        #expect(desk.closed[again] == .unauthorized)
        #expect(desk.signIn(late, #"{"id":"u1"}"#).count == 1 && desk.closed[late] == nil)
    }

    @Test func aTerminationSparesWhoSignedInBeforeItWasTaken() {
        let desk = Desk()
        let (first, late) = (desk.connect(), desk.connect())
        desk.signIn(first, #"{"id":"u1"}"#)
        let id = Array("u1".utf8)
        desk.brokers[0].terminateConnections(of: id.span, app: desk.app)
        desk.signIn(late, #"{"id":"u1"}"#)
        #expect(desk.closed == [first: .unauthorized])
    }

    @Test func pw119AndPw120AWatcherHearsEachChangeOnce() {
        let desk = Desk(loops: 2)
        let (watcher, first, second) = (desk.connect(), desk.connect(loop: 1), desk.connect())
        let data = #"{"id":"w","watchlist":["u1","w"]}"#
        #expect(
            desk.signIn(watcher, data) == [Text.signedIn(data), Text.watchlist(online: ["w"], offline: ["u1"])],
            "it may watch itself")
        desk.signIn(first, #"{"id":"u1"}"#)
        desk.signIn(second, #"{"id":"u1"}"#)
        #expect(desk.hear(watcher) == [Text.watchlist(online: ["u1"], offline: [])])
        desk.hangUp(first)
        #expect(desk.hear(watcher).isEmpty)
        desk.hangUp(second)
        #expect(desk.hear(watcher) == [Text.watchlist(online: [], offline: ["u1"])])
        desk.signIn(watcher, #"{"id":"w"}"#)
        desk.signIn(desk.connect(), #"{"id":"u1"}"#)
        #expect(desk.hear(watcher).isEmpty, "the second sign-in replaced the watchlist by none")
    }

    @Test func pw121ALongWatchlistIsCutAndReported() {
        let desk = Desk { $0.limits.watchlistMax = 2 }
        let peer = desk.connect()
        let data = #"{"id":"w","watchlist":["u1","u2","u3"]}"#
        let heard = desk.signIn(peer, data)
        #expect(heard.prefix(2) == [Text.signedIn(data), Text.watchlist(online: [], offline: ["u1", "u2"])])
        #expect(heard.dropFirst(2).map(Desk.gist) == ["error 4302"])
        desk.signIn(desk.connect(), #"{"id":"u3"}"#)
        #expect(desk.hear(peer).isEmpty)
    }

    @Test func withoutTheFeatureAWatchlistIsIgnored() {
        let desk = Desk {
            $0.watchlistEnabled = false
            $0.limits.watchlistMax = 1
        }
        let data = #"{"id":"w","watchlist":["u1","u2"]}"#
        #expect(desk.signIn(desk.connect(), data) == [Text.signedIn(data)])
    }

    @Test func pw122SigningInOrAPrivateChannelAuthorizes() {
        let desk = Desk()
        let (idle, signed, member) = (desk.connect(), desk.connect(), desk.connect())
        desk.subscribe(idle, "open")
        desk.signIn(signed, #"{"id":"u1"}"#)
        desk.subscribe(member, "private-a")
        #expect([idle, signed, member].map { desk.brokers[0].isAuthorized($0.slot) } == [false, true, true])
    }
}
