#if DEBUG
    @testable import BrokerCore
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
            #expect(left == Array("user-7".utf8))
        }
    }
#endif
