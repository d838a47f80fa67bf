import BrokerCore
import TestSupport
import Testing

@Suite("Subscription counts (Pusher protocol §3.9, PW-181)") struct CountThrottleTests {
    private static func counts(_ frames: [String]) -> [Int] {
        frames.compactMap { Text.between(#"subscription_count\":"#, "}", in: $0).flatMap { Int($0) } }
    }

    private func crowd(_ size: Int) -> (BrokerFixture, [Peer]) {
        let fixture = BrokerFixture(loops: 2) { $0.subscriptionCountEnabled = true }
        let peers = (0..<size).map { fixture.connect(loop: $0 % 2) }
        for peer in peers { fixture.subscribe(peer, "a") }
        return (fixture, peers)
    }

    @Test func upToAHundredEveryChangeIsSent() {
        let (fixture, peers) = crowd(100)
        #expect(Self.counts(fixture.hear(peers[0])) == Array(2...100))
        fixture.say(peers[99], Text.unsubscribe("a"))
        fixture.hangUp(peers[98])
        #expect(Self.counts(fixture.hear(peers[0])) == [99, 98])
    }

    @Test func fromAHundredAndOneAtMostOneInFiveSeconds() {
        let (fixture, peers) = crowd(100)
        _ = fixture.hear(peers[0])
        let more = (0..<4).map { _ in fixture.connect() }
        fixture.subscribe(more[0], "a")
        fixture.subscribe(more[1], "a")
        fixture.tick()
        #expect(Self.counts(fixture.hear(peers[0])) == [], "101 and 102 are owed")
        fixture.pass(milliseconds: 4_999)
        fixture.tick()
        #expect(Self.counts(fixture.hear(peers[0])) == [])
        fixture.pass(milliseconds: 1)
        fixture.tick()
        #expect(Self.counts(fixture.hear(peers[0])) == [102])
        fixture.pass(milliseconds: 60_000)
        fixture.tick()
        #expect(Self.counts(fixture.hear(peers[0])) == [], "nothing changed")
        fixture.subscribe(more[2], "a")
        fixture.subscribe(more[3], "a")
        #expect(Self.counts(fixture.hear(peers[0])) == [103], "due at once; the next is owed")
        for peer in more { fixture.hangUp(peer) }
        #expect(Self.counts(fixture.hear(peers[0])) == [100], "at a hundred changes are sent again")
        fixture.pass(milliseconds: 60_000)
        fixture.tick()
        #expect(Self.counts(fixture.hear(peers[0])) == [], "what was owed is paid")
    }

    @Test(arguments: [
        Row("presence channels", ("presence-a", true)), Row("user channels", (Model.userChannel("u1"), true)),
        Row("apps without the feature", ("a", false)),
    ])
    func thereAreNoneFor(_ row: Row<(String, Bool)>) {
        let fixture = BrokerFixture { $0.subscriptionCountEnabled = row.value.1 }
        let peers = [fixture.connect(), fixture.connect()]
        for peer in peers {
            fixture.signIn(peer, #"{"id":"u1"}"#)
            #expect(Self.counts(fixture.subscribe(peer, row.value.0)).isEmpty)
        }
        #expect(Self.counts(fixture.hear(peers[0])).isEmpty)
    }
}
