#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    @Suite("A tick visits what has something to do") struct HousekeepingTests {
        private func sweep(_ fixture: BrokerFixture) {
            for _ in 0...Housekeeping.ticksPerSweep { fixture.tick() }
        }

        private func isIdle(_ fixture: BrokerFixture) -> Bool {
            fixture.brokers.allSatisfy { $0.housekeeping.owing.isEmpty && $0.housekeeping.sweeping.isEmpty }
        }

        @Test func anAppThatRestsHasNoShardAndIsOnNoList() throws {
            let fixture = BrokerFixture { $0.subscriptionCountEnabled = true }
            try fixture.publish("e", ["nobody-here"])
            #expect(fixture.app.registry.shardsInMemory == 0 && isIdle(fixture))
            let peer = fixture.connect()
            fixture.subscribe(peer, "room")
            #expect(fixture.app.registry.shardsInMemory == 1 && isIdle(fixture), "a quiet channel wants no visit")
            fixture.hangUp(peer)
            #expect(
                fixture.app.registry.shardsInMemory == 1 && !isIdle(fixture), "whoever comes back now allocates nothing"
            )
            sweep(fixture)
            #expect(fixture.app.registry.shardsInMemory == 0 && isIdle(fixture))
        }

        @Test(arguments: 1...3) func cachedEventsOfEveryShardExpire(loops: Int) throws {
            let fixture = BrokerFixture(loops: loops) { $0.limits.cacheSeconds = 1 }
            for number in 0..<1_000 { try fixture.publish("e", ["cache-\(number)"]) }
            #expect(fixture.app.registry.shardsInMemory == ChannelRegistry.shardCount)
            sweep(fixture)
            #expect(fixture.app.registry.shards.reduce(0) { $0 + $1.withLock { $0.table.count } } == 1_000)
            fixture.pass(milliseconds: 1_001)
            sweep(fixture)
            #expect(fixture.app.registry.shardsInMemory == 0 && isIdle(fixture))
        }

        @Test func aShardThatEmptiesAndFillsAgainIsOnOneListOnce() throws {
            let fixture = BrokerFixture(loops: 2) { $0.limits.cacheSeconds = 1 }
            for _ in 0..<5 {
                for number in 0..<1_000 { try fixture.publish("e", ["cache-\(number)"]) }
                let listed = fixture.brokers.reduce(0) { $0 + $1.housekeeping.sweeping.count }
                #expect(listed == ChannelRegistry.shardCount)
                fixture.pass(milliseconds: 1_001)
                sweep(fixture)
            }
        }

        /// Makes 101 subscribers of each of 200 channels, after which one more is not told to all at once.
        @Test func countsOwedInEveryShardArePaid() {
            let fixture = BrokerFixture { $0.subscriptionCountEnabled = true }
            let rooms = (0..<200).map { "room-\($0)" }
            let peers = (0..<103).map { _ in fixture.connect() }
            for peer in peers { for room in rooms { fixture.subscribe(peer, room) } }
            for peer in peers { _ = fixture.hear(peer) }
            fixture.tick()
            #expect(fixture.hear(peers[0]).isEmpty && !isIdle(fixture))
            fixture.pass(milliseconds: 5_001)
            fixture.tick()
            let heard = fixture.hear(peers[0])
            #expect(heard.count == rooms.count && heard.allSatisfy { $0.contains("subscription_count") })
            #expect(isIdle(fixture))
        }

        @Test func aShardThatOwesACountToNobodyAnyMoreIsForgotten() {
            let fixture = BrokerFixture { $0.subscriptionCountEnabled = true }
            let peers = (0..<103).map { _ in fixture.connect() }
            for peer in peers { fixture.subscribe(peer, "room") }
            for peer in peers { fixture.hangUp(peer) }
            fixture.tick()
            #expect(isIdle(fixture) && fixture.app.registry.shardsInMemory == 0)
        }

        /// Ticks until a sweep has come to every shard.
        private func ticks(of shards: Int, isDone: (Int) -> Bool) -> Int {
            var work = Housekeeping()
            for shard in 0..<shards { work.listForSweep(Housekeeping.Shard(app: UInt32(shard), number: 0)) }
            var (visited, ticks): (Set<UInt32>, Int) = ([], 0)
            while visited.count < shards, ticks < 1_000 {
                work.beginSlice()
                work.sweep { shard in
                    visited.insert(shard.app)
                    return isDone(Int(shard.app)) ? .over : .done
                }
                #expect(!work.isSweeping)
                ticks += 1
            }
            return ticks
        }

        @Test(arguments: [1, 31, 32, 33, 1_000, 64_000])
        func aSweepComesToEveryShardInItsTicksHoweverManyAreDone(shards: Int) {
            let most = Housekeeping.ticksPerSweep
            #expect(ticks(of: shards) { _ in false } <= most)
            #expect(ticks(of: shards) { _ in true } <= most)
            #expect(ticks(of: shards) { !$0.isMultiple(of: 3) } <= most)
            if shards >= 1_000 { #expect(ticks(of: shards) { _ in true } > most / 2, "in slices, not at once") }
        }

        /// Each visit does one part of four.
        @Test func aShardWithMuchToDoKeepsItsPlaceUntilItIsDone() {
            var work = Housekeeping()
            for shard in 0..<64 { work.listForSweep(Housekeeping.Shard(app: UInt32(shard), number: 0)) }
            var (visits, sweeps): ([Int], Int) = (Array(repeating: 0, count: 64), 0)
            for _ in 0..<Housekeeping.ticksPerSweep {
                work.beginSlice()
                repeat {
                    work.sweep { shard in
                        visits[Int(shard.app)] += 1
                        if visits[Int(shard.app)] < 4 { return .unfinished }
                        return shard.app.isMultiple(of: 2) ? .over : .done
                    }
                    sweeps += 1
                } while work.isSweeping
            }
            #expect(visits.allSatisfy { $0 == 4 }, "each is visited to its end once a round")
            #expect(sweeps > 64 * 3, "a sweep ends with an unfinished visit")
        }

        @Test func aSweepForgetsSoManyEventsAndTheTicksSweepForgetsAll() throws {
            let fixture = BrokerFixture {
                $0.limits.cacheSeconds = 1
                $0.limits.cacheChannelsMax = 100_000
            }
            let broker = fixture.brokers[0]
            broker.slices.sweeps = 10
            for number in 0..<5_000 { try fixture.publish("e", ["cache-\(number)"]) }
            fixture.pass(milliseconds: 1_001)
            func held() -> Int { fixture.app.registry.shards.reduce(0) { $0 + $1.withLock { $0.cachedCount } } }
            var (before, most) = (held(), 0)
            #expect(before == 5_000)
            for _ in 0..<Housekeeping.ticksPerSweep {
                broker.tick()
                while true {
                    let now = held()
                    (before, most) = (now, max(most, before - now))
                    guard broker.isSweeping else { break }
                    broker.sweep()
                }
            }
            #expect(held() == 0 && most == 9, "a look at the shard counts too")
        }

        @Test(arguments: 0..<8) func theShardsOfManyAppsAreFoundAmongEachOther(seed: Int) {
            var random = SeededRandom(seed: seed)
            let directory = ShardDirectory(hashing: NameHashing(seed: random.next()))
            // 4,001 apps share the stripes, so that a stripe holds many shards.
            let apps = (0..<400).map { _ in random.int(0...4_000) }
            var known: [Int: Set<String>] = [:]
            for _ in 0..<6_000 {
                let (app, number, room) = (random.pick(apps), random.int(0...3), "r\(random.int(0...2))")
                let (key, name) = (app * 64 + number, Array(room.utf8))
                directory.shard(number, app: app).withLock { state in
                    let here = Set((0..<3).map { "r\($0)" }.filter { state.find(Array($0.utf8).span) != nil })
                    #expect(here == known[key, default: []])
                    if let id = state.find(name.span) {
                        state.records[id].subscriberCount = 0
                        state.afterChange(of: id)
                        known[key]?.remove(room)
                    } else {
                        let id = state.findOrInsert(name.span, kind: .init(access: .public, isCache: false))
                        state.records[id].subscriberCount = 1
                        known[key, default: []].insert(room)
                    }
                }
            }
            #expect(directory.shardCount == known.values.count { !$0.isEmpty })
        }
    }
#endif
