import BrokerCore
import TestSupport
import Testing

@Suite("Subscription counts (Pusher protocol §3.9, PW-181)") struct CountThrottleTests {
    private static func counts(_ frames: [String]) -> [Int] {
        frames.compactMap { Text.between(#"subscription_count\":"#, "}", in: $0).flatMap { Int($0) } }
    }

    private func crowd(_ size: Int) -> (Desk, [Peer]) {
        let desk = Desk(loops: 2) { $0.subscriptionCountEnabled = true }
        let peers = (0..<size).map { desk.connect(loop: $0 % 2) }
        for peer in peers { desk.subscribe(peer, "a") }
        return (desk, peers)
    }

    @Test func upToAHundredEveryChangeIsSent() {
        let (desk, peers) = crowd(100)
        #expect(Self.counts(desk.hear(peers[0])) == Array(2...100))
        desk.say(peers[99], Text.unsubscribe("a"))
        desk.hangUp(peers[98])
        #expect(Self.counts(desk.hear(peers[0])) == [99, 98])
    }

    @Test func fromAHundredAndOneAtMostOneInFiveSeconds() {
        let (desk, peers) = crowd(100)
        _ = desk.hear(peers[0])
        let more = (0..<4).map { _ in desk.connect() }
        desk.subscribe(more[0], "a")
        desk.subscribe(more[1], "a")
        desk.tick()
        #expect(Self.counts(desk.hear(peers[0])) == [], "101 and 102 are owed")
        desk.pass(milliseconds: 4_999)
        desk.tick()
        #expect(Self.counts(desk.hear(peers[0])) == [])
        desk.pass(milliseconds: 1)
        desk.tick()
        #expect(Self.counts(desk.hear(peers[0])) == [102])
        desk.pass(milliseconds: 60_000)
        desk.tick()
        #expect(Self.counts(desk.hear(peers[0])) == [], "nothing changed")
        desk.subscribe(more[2], "a")
        desk.subscribe(more[3], "a")
        #expect(Self.counts(desk.hear(peers[0])) == [103], "due at once; the next is owed")
        for peer in more { desk.hangUp(peer) }
        #expect(Self.counts(desk.hear(peers[0])) == [100], "at a hundred changes are sent again")
        desk.pass(milliseconds: 60_000)
        desk.tick()
        #expect(Self.counts(desk.hear(peers[0])) == [], "what was owed is paid")
    }

    @Test(arguments: [
        Row("presence channels", ("presence-a", true)), Row("user channels", (Model.userChannel("u1"), true)),
        Row("apps without the feature", ("a", false)),
    ])
    func thereAreNoneFor(_ row: Row<(String, Bool)>) {
        let desk = Desk { $0.subscriptionCountEnabled = row.value.1 }
        let peers = [desk.connect(), desk.connect()]
        for peer in peers {
            desk.signIn(peer, #"{"id":"u1"}"#)
            #expect(Self.counts(desk.subscribe(peer, row.value.0)).isEmpty)
        }
        #expect(Self.counts(desk.hear(peers[0])).isEmpty)
    }
}
