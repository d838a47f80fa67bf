#if DEBUG
    @testable import BrokerCore
    import TestSupport
    import Testing

    @Suite("Name table") struct NameTableTests {
        @Test(arguments: 0..<24) func agreesWithADictionary(seed: Int) {
            var random = SeededRandom(seed: seed)
            var table = NameTable(seed: random.next())
            var known: [[UInt8]: UInt32] = [:]
            // Few names, so that most steps meet one that is there or was there.
            let names = (0..<random.int(1...80)).map { _ in random.bytes(random.int(1...20)) }
            for _ in 0..<2_000 {
                let name = random.pick(names)
                if let id = known[name] {
                    #expect(table.find(name.span) == id)
                    guard random.oneIn(2) else { continue }
                    table.remove(id)
                    known[name] = nil
                    #expect(table.find(name.span) == nil)
                } else {
                    #expect(table.find(name.span) == nil)
                    let id = table.insert(name)
                    #expect(!known.values.contains(id), "a number is given to one name at a time")
                    #expect(table.names[Int(id)] == name)
                    known[name] = id
                }
                #expect(table.count == known.count)
            }
            for (name, id) in known { #expect(table.find(name.span) == id) }
            for id in known.values { table.remove(id) }
            #expect(table.count == 0 && table.names.allSatisfy(\.isEmpty))
        }

        @Test func namesThatShareAPrefixOrDifferInAZeroByteAreDifferent() {
            var table = NameTable(seed: 1)
            let names: [[UInt8]] = [
                [], [0], [0, 0], Array("aaaaaaaa".utf8), Array("aaaaaaaaa".utf8), [1, 0], [0, 1],
            ]
            let ids = names.map { table.insert($0) }
            #expect(Set(ids).count == names.count)
            for (name, id) in zip(names, ids) { #expect(table.find(name.span) == id) }
        }

        @Test func theHashDependsOnItsSeed() {
            let name = Array("private-room".utf8)
            let hashes = Set((0..<64).map { NameHash.hash64(name.span, seed: UInt64($0)) })
            #expect(hashes.count == 64)
        }

        @Test func channelsSpreadOverTheShards() {
            let registry = ChannelRegistry(seed: 99)
            var perShard = Array(repeating: 0, count: ChannelRegistry.shardCount)
            for number in 0..<6_400 {
                let name = Array("room-\(number)".utf8)
                guard let shard = registry.shards.firstIndex(where: { $0 === registry.shard(of: name.span) }) else {
                    continue
                }
                perShard[shard] += 1
            }
            #expect(perShard.allSatisfy { 40...180 ~= $0 }, "\(perShard)")
        }
    }
#endif
