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
            #expect(table.count == 0 && table.names.usedCount == 0)
            table.releaseUnused()
            #expect(table.names.count == 0)
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

        @Test func theHashDependsOnEveryPartOfItsKey() {
            let name = Array("private-room".utf8)
            let keys = (0..<64).flatMap { [SecretKey(1 << $0, 0), SecretKey(0, 1 << $0)] } + [SecretKey(0, 0)]
            #expect(Set(keys.map { SipHash.hash(name.span, key: $0) }).count == 129)
        }

        @Test func channelsSpreadOverTheShards() {
            let registry = ChannelRegistry(app: 0, directory: ShardDirectory(hashing: NameHashing(seed: 99)))
            var perShard = Array(repeating: 0, count: ChannelRegistry.shardCount)
            for number in 0..<6_400 {
                let name = Array("room-\(number)".utf8)
                perShard[registry.shard(of: name.span).number] += 1
            }
            #expect(perShard.allSatisfy { 40...180 ~= $0 }, "\(perShard)")
        }
    }
#endif
