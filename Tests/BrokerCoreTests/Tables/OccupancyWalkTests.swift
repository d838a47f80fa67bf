@testable import BrokerCore
import PusherProtocol
import Testing

/// What a consumer reads of the registry when edges are not enough.
@Suite("Walks of what is occupied") struct OccupancyWalkTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Channels by name, each with its sorted members; steps; and the highest number of a step.
    private func walk(_ app: App) -> (channels: [String: [String]], users: Set<String>, steps: Int, twice: Int) {
        var walk = OccupancyWalk(of: app)
        var slice = OccupancySlice()
        var (channels, users, steps, twice): ([String: [String]], Set<String>, Int, Int) = ([:], [], 0, 0)
        var more = true
        while more {
            more = walk.next(into: &slice)
            steps += 1
            for channel in slice.channels {
                let name = String(decoding: channel.name, as: UTF8.self)
                let members = channel.members.map { String(decoding: $0, as: UTF8.self) }.sorted()
                if channels.updateValue(members, forKey: name) != nil { twice += 1 }
                if channel.isUser { users.insert(name) }
            }
        }
        #expect(!walk.next(into: &slice) && slice.channels.isEmpty, "a walk that is over stays so")
        return (channels, users, steps, twice)
    }

    @Test func everyOccupiedChannelIsReadOnceWithItsMembers() throws {
        let fixture = BrokerFixture(loops: 2)
        let peers = [fixture.connect(), fixture.connect(loop: 1), fixture.connect()]
        fixture.subscribe(peers[0], "open")
        fixture.subscribe(peers[1], "open")
        fixture.subscribe(peers[0], "presence-a", data: #"{"user_id":"u1"}"#)
        fixture.subscribe(peers[1], "presence-a", data: #"{"user_id":"u2"}"#)
        fixture.subscribe(peers[2], "presence-a", data: #"{"user_id":"u1"}"#)
        fixture.signIn(peers[2], #"{"id":"u3","watchlist":["u4"]}"#)
        // A record with nobody in it.
        try fixture.publish("e", ["cache-a"])
        let (channels, users, _, twice) = walk(fixture.app)
        #expect(channels == ["open": [], "presence-a": ["u1", "u2"], "#server-to-user-u3": []] && twice == 0)
        #expect(users == ["#server-to-user-u3"])
        #expect(fixture.app.occupancy(of: bytes("presence-a")).channel?.members.count == 2)
        #expect(fixture.app.occupancy(of: bytes("#server-to-user-u3")).channel?.isUser == true)
        for name in ["cache-a", "#server-to-user-u4", "nowhere"] {
            #expect(fixture.app.occupancy(of: bytes(name)).channel == nil, "\(name)")
        }
    }

    @Test func aLargeShardIsReadInSteps() {
        let fixture = BrokerFixture { $0.limits.channelsPerConnectionMax = 100_000 }
        let peer = fixture.connect()
        let empty = walk(fixture.app).steps
        for number in 0..<66_000 { fixture.subscribe(peer, "open-\(number)") }
        let (channels, _, steps, twice) = walk(fixture.app)
        #expect(channels.count == 66_000 && twice == 0)
        #expect(empty == 64 && steps >= 64 * 2, "about a thousand records a shard, and 512 of them a step")
    }

    @Test func theNumberSaysWhichEdgesAreContained() throws {
        let fixture = BrokerFixture()
        let registered = fixture.shared.registerConsumer(queueBytesMax: 1 << 20, wake: {})
        let consumer = try #require(registered)
        consumer.setInterest([.occupied, .vacated], in: fixture.app)
        let peer = fixture.connect()
        fixture.subscribe(peer, "open-a")
        fixture.subscribe(peer, "open-b")
        let (channel, number) = fixture.app.occupancy(of: bytes("open-a"))
        #expect(channel?.name == bytes("open-a") && number == 2 && OccupancyWalk(of: fixture.app).number == 2)
        fixture.say(peer, Text.unsubscribe("open-a"))
        #expect(fixture.app.occupancy(of: bytes("open-a")).number == 3)
        var numbers: [UInt64] = []
        consumer.take { edge, _ in numbers.append(edge.number) }
        #expect(numbers == [1, 2, 3])
    }
}
