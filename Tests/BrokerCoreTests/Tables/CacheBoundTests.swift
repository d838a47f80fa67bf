import BrokerCore
import Testing

@Suite("Cache channels are bounded") struct CacheBoundTests {
    @Test func newNamesPushOutTheOldestEvents() throws {
        // 64 is one event for each shard of the registry.
        let desk = Desk { $0.limits.cacheChannelsMax = 64 }
        for number in 0..<1_000 { try desk.publish("e", ["cache-\(number)"]) }
        var kept = 0
        for number in 0..<1_000 {
            let peer = desk.connect()
            let heard = desk.subscribe(peer, "cache-\(number)")
            kept += heard.contains { $0.contains("cache_miss") } ? 0 : 1
        }
        #expect((1...64).contains(kept))
        let last = desk.connect()
        #expect(desk.subscribe(last, "cache-999").count == 2, "the newest event is never the one that goes")
        #expect(!desk.subscribe(desk.connect(), "cache-999").contains { $0.contains("cache_miss") })
    }

    @Test func aKnownChannelReplacesItsEventAndPushesOutNone() throws {
        let desk = Desk { $0.limits.cacheChannelsMax = 64 }
        try desk.publish("first", ["cache-a"])
        for number in 0..<100 { try desk.publish("e\(number)", ["cache-a"]) }
        let heard = desk.subscribe(desk.connect(), "cache-a")
        #expect(heard.contains { $0.contains("e99") })
    }
}
