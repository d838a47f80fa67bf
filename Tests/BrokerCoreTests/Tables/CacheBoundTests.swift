#if DEBUG
    @testable import BrokerCore
#else
    import BrokerCore
#endif
import PusherProtocol
import TestSupport
import Testing

@Suite("Cache channels are bounded") struct CacheBoundTests {
    @Test func newNamesPushOutTheOldestEvents() throws {
        // 64 is one event for each shard of the registry.
        let fixture = BrokerFixture { $0.limits.cacheChannelsMax = 64 }
        for number in 0..<1_000 { try fixture.publish("e", ["cache-\(number)"]) }
        var kept = 0
        for number in 0..<1_000 {
            let peer = fixture.connect()
            let heard = fixture.subscribe(peer, "cache-\(number)")
            kept += heard.contains { $0.contains("cache_miss") } ? 0 : 1
        }
        #expect((1...64).contains(kept))
        let last = fixture.connect()
        #expect(fixture.subscribe(last, "cache-999").count == 2, "the newest event is never the one that goes")
        #expect(!fixture.subscribe(fixture.connect(), "cache-999").contains { $0.contains("cache_miss") })
    }

    @Test func aKnownChannelReplacesItsEventAndPushesOutNone() throws {
        let fixture = BrokerFixture { $0.limits.cacheChannelsMax = 64 }
        try fixture.publish("first", ["cache-a"])
        for number in 0..<100 { try fixture.publish("e\(number)", ["cache-a"]) }
        let heard = fixture.subscribe(fixture.connect(), "cache-a")
        #expect(heard.contains { $0.contains("e99") })
    }

    #if DEBUG
        /// Records of the app, in all shards.
        private func records(_ fixture: BrokerFixture) -> Int {
            fixture.app.registry.shards.reduce(0) { $0 + $1.withLock { $0.cachedCount } }
        }

        @Test(arguments: [1, 3, 4]) func whatIsOverIsForgottenInEveryShard(loops: Int) throws {
            let fixture = BrokerFixture(loops: loops) { $0.limits.cacheSeconds = 10 }
            for number in 0..<2_000 { try fixture.publish("e", ["cache-\(number)"]) }
            #expect(fixture.app.registry.shards.allSatisfy { $0.withLock { $0.cachedCount } > 0 })
            fixture.pass(milliseconds: 9_999)
            for _ in 0..<64 { fixture.tick() }
            #expect(records(fixture) == 2_000)
            fixture.pass(milliseconds: 1)
            for _ in 0..<64 { fixture.tick() }
            #expect(records(fixture) == 0)
            #expect(InvariantWalker.fault(in: fixture.brokers) == nil)
        }

        @Test func aTickForgetsABoundedNumberUnderTheLock() {
            var shard = ChannelShard(seed: 1)
            for number in 0..<1_000 { Self.cache("cache-\(number)", expires: 10, in: &shard, countMax: .max) }
            shard.expireCache(nowMilliseconds: 10, limit: 300)
            #expect(shard.cachedCount == 700)
            shard.expireCache(nowMilliseconds: 9, limit: 300)
            #expect(shard.cachedCount == 700)
            for _ in 0..<3 { shard.expireCache(nowMilliseconds: 10, limit: 300) }
            #expect(shard.cachedCount == 0 && shard.records.usedCount == 0)
        }

        @Test(arguments: 0..<16) func theOrderOfExpiryAgreesWithAList(seed: Int) {
            var random = SeededRandom(seed: seed)
            var shard = ChannelShard(seed: 7)
            var model: [(name: String, expires: UInt64)] = []
            var now: UInt64 = 0
            let countMax = random.int(1...20)
            for _ in 0..<3_000 {
                now += UInt64(random.int(0...3))
                if random.oneIn(4) {
                    let limit = random.int(0...3)
                    shard.expireCache(nowMilliseconds: now, limit: limit)
                    model.removeFirst(min(limit, model.prefix { $0.expires <= now }.count))
                } else {
                    let name = "cache-\(random.int(0...30))"
                    let isKnown = model.contains { $0.name == name }
                    model.removeAll { $0.name == name }
                    if !isKnown, model.count == countMax { model.removeFirst() }
                    model.append((name, now + 20))
                    Self.cache(name, expires: now + 20, in: &shard, countMax: countMax)
                }
                let kept = (0...30).map { "cache-\($0)" }.filter { name in
                    let bytes = Array(name.utf8)
                    return shard.find(bytes.span).map { shard.records[$0].cache != nil } ?? false
                }
                #expect(kept.count == shard.cachedCount && Set(kept) == Set(model.map(\.name)))
            }
        }

        private static func cache(_ name: String, expires: UInt64, in shard: inout ChannelShard, countMax: Int) {
            let bytes = Array(name.utf8)
            let id = shard.findOrInsert(bytes.span, kind: ChannelKind(access: .public, isCache: true))
            shard.cache(CachedEvent(json: [], data: 0..<0, expiresMilliseconds: expires), for: id, countMax: countMax)
        }
    #endif
}
