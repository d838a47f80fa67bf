#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    @Suite("Memory goes back when most have left") struct ReleaseTests {
        @Test(arguments: 0..<24) func aNameTableThatShrinksStillAgreesWithADictionary(seed: Int) {
            var random = SeededRandom(seed: seed)
            var table = NameTable(seed: random.next())
            var known: [[UInt8]: UInt32] = [:]
            var releases = 0
            for round in 0..<6 {
                for number in 0..<random.int(100...400) {
                    let name = Array("room-\(round)-\(number)".utf8)
                    known[name] = table.insert(name)
                }
                // A few stay, now and then one with a high number.
                for (name, id) in known.sorted(by: { $0.value < $1.value }) {
                    guard !random.oneIn(id < 30 ? 4 : 1_000) else { continue }
                    table.remove(id)
                    known[name] = nil
                }
                let before = table.names.count
                if table.releaseUnused(kept: 8) {
                    releases += 1
                    #expect(table.names.count <= before / 2)
                }
                #expect(table.count == known.count)
                #expect(known.allSatisfy { table.find($0.key.span) == $0.value })
                #expect(known.allSatisfy { table.names[Int($0.value)] == $0.key })
                #expect(Set(known.values).count == known.count)
            }
            for id in known.values { table.remove(id) }
            _ = table.releaseUnused(kept: 8)
            #expect(table.names.count <= 8 && table.count == 0)
            #expect(releases > 0)
        }

        @Test func aTableThatIsMoreThanAQuarterFullOrHasALateNameKeepsItsNumbers() {
            var table = NameTable(seed: 3)
            func release(kept: Int) -> Bool { table.releaseUnused(kept: kept) }
            let ids = (0..<100).map { table.insert(Array("n\($0)".utf8)) }
            for id in ids[..<70] { table.remove(id) }
            #expect(!release(kept: 8), "30 of 100 are in use")
            for id in ids[70..<99] { table.remove(id) }
            #expect(!release(kept: 8), "the last number is in use")
            table.remove(ids[99])
            #expect(!release(kept: 100), "so many are kept")
            #expect(release(kept: 8) && table.names.isEmpty)
        }

        /// Opens and subscribes, hangs up but the first few, and releases.
        private func crowd(_ desk: Desk, connections: Int, staying: Int) -> [Peer] {
            let peers = (0..<connections).map { _ in desk.connect() }
            for (number, peer) in peers.enumerated() { desk.subscribe(peer, "room-\(number)") }
            for peer in peers[staying...] { desk.hangUp(peer) }
            return Array(peers[..<staying])
        }

        @Test func aLoopForgetsPlacesAndRecordsThatNobodyNeeds() throws {
            let desk = Desk()
            let broker = desk.brokers[0]
            let staying = crowd(desk, connections: 1_500, staying: 3)
            for _ in 0..<ChannelRegistry.shardCount { broker.releaseUnused(slots: 3) }
            #expect(broker.connections.count == 3)
            #expect(broker.tables[0].channels.count == 3)
            #expect(desk.app.registry.shards.allSatisfy { $0.withLock { $0.records.count <= 32 } })
            #expect(InvariantWalker.fault(in: desk.brokers) == nil)
            for (number, peer) in staying.enumerated() {
                try desk.publish("e", ["room-\(number)"])
                #expect(desk.hear(peer).count == 1)
            }
        }

        @Test func aPlaceThatIsMadeAgainIsNotTheOneADeliveryMeant() {
            let desk = Desk()
            let broker = desk.brokers[0]
            _ = crowd(desk, connections: 600, staying: 1)
            let before = broker.tables[0].channels[599].generation
            broker.releaseUnused(slots: 1)
            #expect(broker.tables[0].channels.count == 1)
            _ = (1...600).map { desk.subscribe(desk.connect(), "again-\($0)") }
            #expect(broker.tables[0].channels[599].generation >= before)
            #expect(InvariantWalker.fault(in: desk.brokers) == nil)
        }

        @Test func placesStayWhileDeliveriesOrDeparturesAreOnTheirWay() throws {
            let desk = Desk()
            let broker = desk.brokers[0]
            let peers = (0..<600).map { _ in desk.connect() }
            for (number, peer) in peers.enumerated() { desk.subscribe(peer, "room-\(number)") }
            for peer in peers { broker.close(slot: peer.slot) }
            broker.releaseUnused(slots: 0)
            #expect(broker.tables[0].channels.count == 600 && broker.departuresWaiting == 600)
            broker.settleDepartures(limit: .max)
            broker.releaseUnused(slots: 0)
            #expect(broker.tables[0].channels.isEmpty && broker.connections.isEmpty)
        }

        @Test func aRosterThatEmptiesForgetsItsMembers() {
            var roster = Roster(seed: 5)
            let members = (0..<500).map { roster.join(Array("user-\($0)".utf8), userInfo: nil).member }
            for member in members[1...] { _ = roster.leave(member) }
            #expect(roster.count == 1 && roster.userIDs == [Array("user-0".utf8)])
            let (again, isNew) = roster.join(Array("user-7".utf8), userInfo: nil)
            #expect(isNew && again < 64, "the high numbers are gone")
            let left = roster.leave(again)
            #expect(left?.userID == Array("user-7".utf8))
        }

        /// What a random step does with a user or channel that has this number, or none: the tables are large now and nearly empty
        /// then, with the low numbers in use.
        private func comes(_ number: Int?, step: Int, _ random: inout SeededRandom) -> Bool? {
            let isTide = step % 3_000 < 500
            guard let number else { return isTide || step % 3_000 < 1_200 && random.oneIn(100) ? true : nil }
            return !isTide && number >= 20 || random.oneIn(10) ? false : nil
        }

        @Test(arguments: 0..<16) func aRosterAgreesWithADictionaryWhileItGrowsAndShrinks(seed: Int) {
            var random = SeededRandom(seed: seed)
            var roster = Roster(seed: random.next())
            var known: [[UInt8]: (member: UInt32, connections: Int)] = [:]
            var faults: [String] = []
            for step in 0..<6_000 {
                let user = Array("user-\(random.int(0...200))".utf8)
                let isAgain = known[user] != nil && random.oneIn(10)
                switch isAgain ? true : comes((known[user]?.member).map { Int($0) }, step: step, &random) {
                case true?:
                    let (member, isNew) = roster.join(user, userInfo: nil)
                    if isNew != (known[user] == nil) { faults.append("\(step): isNew \(isNew)") }
                    known[user, default: (member, 0)].connections += 1
                    if known[user]?.member != member { faults.append("\(step): member \(member)") }
                case false?:
                    guard let (member, connections) = known[user] else { continue }
                    if roster.userID(of: member) != user { faults.append("\(step): the id of \(member)") }
                    let left = roster.leave(member)
                    if left?.userID != (connections == 1 ? user : nil) { faults.append("\(step): \(member) left") }
                    known[user] = connections == 1 ? nil : (member, connections - 1)
                case nil: break
                }
                if roster.count != known.count { faults.append("\(step): \(roster.count) members") }
            }
            #expect(faults.isEmpty, "\(faults.prefix(3))")
            #expect(roster.connectionsByUser == known.mapValues(\.connections))
            #expect(known.allSatisfy { roster.find($0.key.span) == $0.value.member })
        }

        @Test(arguments: 0..<16) func aShardAgreesWithADictionaryWhileItGrowsAndShrinks(seed: Int) {
            var random = SeededRandom(seed: seed)
            var shard = ChannelShard(seed: random.next())
            let kind = ChannelKind(access: .open, isCache: false)
            var known: [[UInt8]: Int] = [:]
            var (faults, shrinks): ([String], Int) = ([], 0)
            for step in 0..<6_000 {
                let name = Array("room-\(random.int(0...200))".utf8)
                switch comes(known[name], step: step, &random) {
                case true?:
                    let id = shard.findOrInsert(name.span, kind: kind)
                    shard.records[id].subscriberCount = 1
                    // Some owe a count when they go.
                    shard.records[id].owesCount = random.oneIn(4)
                    shard.afterChange(of: id)
                    known[name] = id
                case false?:
                    guard let id = known[name] else { continue }
                    if shard.find(name.span) != id || shard.name(of: id) != name { faults.append("\(step): \(id)") }
                    shard.records[id].subscriberCount = 0
                    shard.afterChange(of: id)
                    known[name] = nil
                case nil: break
                }
                let before = shard.records.count
                shard.releaseUnused()
                if shard.records.count < before { shrinks += 1 }
                if shard.table.count != known.count || shard.records.count < known.count { faults.append("\(step)") }
            }
            #expect(faults.isEmpty, "\(faults.prefix(3))")
            #expect(shrinks > 0)
            #expect(known.allSatisfy { shard.find($0.key.span) == $0.value })
            #expect(known.allSatisfy { shard.records[$0.value].subscriberCount == 1 })
        }

        @Test func aLateNumberKeepsTheTableUntilItIsFreeAndThenItGoes() {
            var table = NameTable(seed: 9)
            let ids = (0..<1_000).map { table.insert(Array("n\($0)".utf8)) }
            for id in ids where id != 100 && id != 600 { table.remove(id) }
            func release() -> Bool { table.releaseUnused(kept: 8) }
            #expect(!release() && !release() && table.names.count == 1_000, "600 is in use")
            // A number behind it is used again, and goes again.
            let again = table.insert(Array("again".utf8))
            #expect(again > 600 && !release())
            table.remove(again)
            table.remove(600)
            #expect(release() && table.names.count == 101)
            #expect(table.find(Array("n100".utf8).span) == 100)
        }
    }
#endif
