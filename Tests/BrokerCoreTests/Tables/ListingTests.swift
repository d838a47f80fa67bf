import BrokerCore
import PusherProtocol
import Testing

@Suite("The occupied channels of an app") struct ListingTests {
    /// What is listed under a prefix: `name subscriptions users`, sorted.
    private func listed(_ prefix: String, _ fixture: BrokerFixture) -> [String] {
        let bytes = Array(prefix.utf8)
        var (listing, found): (ChannelListing, [String]) = (ChannelListing(), [])
        for part in 0..<LoopBroker.channelParts {
            _ = fixture.brokers[0].occupiedChannels(app: fixture.app, part: part, prefix: bytes.span, into: &listing)
            listing.forEach { name, subscriptions, users in
                let name = name.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
                found.append("\(name) \(subscriptions) \(users)")
            }
        }
        return found.sorted()
    }

    @Test func areThoseWithSubscribersWhoseNamesBeginSoAndNoUsers() throws {
        let fixture = BrokerFixture()
        let peers = (0..<2).map { _ in fixture.connect() }
        for peer in peers {
            fixture.signIn(peer, #"{"id":"u1"}"#)
            fixture.subscribe(peer, "presence-a", data: #"{"user_id":"u1"}"#)
            fixture.subscribe(peer, "room")
        }
        fixture.subscribe(peers[0], "roof")
        fixture.subscribe(peers[0], "r")
        try fixture.publish("e", ["cache-nobody-here"])
        #expect(listed("", fixture) == ["presence-a 2 1", "r 1 0", "roof 1 0", "room 2 0"])
        #expect(listed("roo", fixture) == ["roof 1 0", "room 2 0"])
        #expect(listed("room", fixture) == ["room 2 0"])
        #expect(listed("rooms", fixture).isEmpty && listed("oom", fixture).isEmpty && listed("#", fixture).isEmpty)
    }

    @Test func areCountedAsWorkAlsoWhereNoneIsListed() throws {
        let fixture = BrokerFixture()
        let names = (0..<500).map { "cache-\($0)" }
        for name in names { try fixture.publish("e", [name]) }
        let prefix = Array("x".utf8)
        var listing = ChannelListing()
        let work = (0..<LoopBroker.channelParts).map {
            fixture.brokers[0].occupiedChannels(app: fixture.app, part: $0, prefix: prefix.span, into: &listing)
        }
        #expect(work.reduce(0, +) == names.count)
    }
}
