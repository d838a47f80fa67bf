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
                let before = table.names.capacity
                table.releaseUnused()
                if table.names.capacity < before { releases += 1 }
                #expect(table.names.capacity <= known.count * PagedList<[UInt8]>.pageSize)
                #expect(!table.hasUnused && table.count == known.count && table.names.usedCount == known.count)
                #expect(known.allSatisfy { table.find($0.key.span) == $0.value })
                #expect(known.allSatisfy { table.names[Int($0.value)] == $0.key })
                #expect(Set(known.values).count == known.count)
            }
            for id in known.values { table.remove(id) }
            #expect(table.count == 0 && table.hasUnused)
            table.releaseUnused()
            #expect(table.names.capacity == 0 && !table.hasUnused)
            #expect(releases > 0)
        }

        /// Opens and subscribes, hangs up but the first few, and releases.
        private func crowd(_ fixture: BrokerFixture, connections: Int, staying: Int) -> [Peer] {
            let peers = (0..<connections).map { _ in fixture.connect() }
            for (number, peer) in peers.enumerated() { fixture.subscribe(peer, "room-\(number)") }
            for peer in peers[staying...] { fixture.hangUp(peer) }
            return Array(peers[..<staying])
        }

        /// All memory that connections, places and records have, in elements.
        private func held(_ fixture: BrokerFixture) -> (connections: Int, places: Int, records: Int) {
            let records = fixture.app.registry.shards.map { $0.withLock { $0.records.capacity } }
            return fixture.brokers.reduce((0, 0, records.reduce(0, +))) {
                ($0.0 + $1.memberships.connections.capacity, $0.1 + $1.memberships[app: 0].channels.capacity, $0.2)
            }
        }

        /// As many ticks as a sweep over everything takes.
        private func sweep(_ fixture: BrokerFixture) {
            for _ in 0...Housekeeping.ticksPerSweep {
                for broker in fixture.brokers {
                    broker.tick()
                    broker.releaseUnused()
                }
            }
        }

        @Test(arguments: [0, 7, 1_499])
        func aLoopForgetsPlacesAndRecordsThatNobodyNeedsWhoeverStays(survivor: Int) throws {
            let fixture = BrokerFixture()
            let peers = (0..<1_500).map { _ in fixture.connect() }
            // So many names that every shard has several pages of records.
            for (number, peer) in peers.enumerated() {
                for room in 0..<20 { fixture.subscribe(peer, "room-\(number)-\(room)") }
            }
            #expect(held(fixture).records >= 30_000 && held(fixture).connections >= 1_500)
            for (number, peer) in peers.enumerated() where number != survivor { fixture.hangUp(peer) }
            sweep(fixture)
            let left = held(fixture)
            let page = PagedList<LocalChannel>.pageSize
            #expect(left.connections <= page && left.places <= 2 * page && left.records <= 20 * page, "\(left)")
            #expect(InvariantWalker.fault(in: fixture.brokers) == nil)
            for room in 0..<20 { try fixture.publish("e", ["room-\(survivor)-\(room)"]) }
            #expect(fixture.hear(peers[survivor]).count == 20)
            fixture.hangUp(peers[survivor])
            sweep(fixture)
            #expect(held(fixture) == (0, 0, 0))
            #expect(fixture.shared.tableStatistics.heldBytes < 1_024)
            #expect(fixture.app.registry.shardsInMemory == 0)
        }

        @Test func recordsOfEveryShardAreGivenBackWhereEachKeepsOne() {
            let fixture = BrokerFixture()
            let (stays, leaves) = (fixture.connect(), fixture.connect())
            for number in 0..<9_600 { fixture.subscribe(number % 64 == 0 ? stays : leaves, "room-\(number)") }
            fixture.hangUp(leaves)
            sweep(fixture)
            for shard in fixture.app.registry.shards {
                let (held, used) = shard.withLock { ($0.records.capacity, $0.table.count) }
                #expect(held <= used * PagedList<ChannelRecord>.pageSize, "shard \(shard.number)")
            }
            let pages = fixture.app.registry.shards.reduce(0) { $0 + $1.withLock { $0.records.emptyPages } }
            #expect(pages == 0)
        }

        @Test func aPlaceThatIsMadeAgainIsNotTheOneADeliveryMeant() {
            let fixture = BrokerFixture()
            let broker = fixture.brokers[0]
            let peers = (0..<600).map { _ in fixture.connect() }
            for (number, peer) in peers.enumerated() { fixture.subscribe(peer, "room-\(number)") }
            for peer in peers[1...] { fixture.hangUp(peer) }
            let before = broker.memberships[app: 0].channels[599].generation
            broker.releaseUnused()
            #expect(broker.memberships[app: 0].channels[599].generation == 0, "its page is gone")
            #expect(broker.memberships[app: 0].channels.capacity <= PagedList<LocalChannel>.pageSize)
            for number in 1...600 { fixture.subscribe(fixture.connect(), "again-\(number)") }
            #expect(broker.memberships[app: 0].channels[599].generation >= before)
            #expect(InvariantWalker.fault(in: fixture.brokers) == nil)
        }

        @Test func aDeliveryToAPlaceThatIsGoneReachesNobodyAndPlacesOfDeparturesStay() throws {
            let fixture = BrokerFixture(loops: 2)
            let broker = fixture.brokers[1]
            let peers = (0..<600).map { _ in fixture.connect(loop: 1) }
            for (number, peer) in peers.enumerated() { fixture.subscribe(peer, "room-\(number)") }
            try fixture.postOnly("e", ["room-599"])
            for peer in peers { broker.close(slot: peer.slot) }
            broker.releaseUnused()
            #expect(broker.memberships[app: 0].channels.usedCount == 600 && broker.departuresWaiting == 600)
            #expect(broker.memberships.connections.capacity == 0)
            broker.settleDepartures(limit: .max)
            broker.releaseUnused()
            #expect(broker.memberships[app: 0].channels.capacity == 0)
            fixture.applyEffects()
            #expect(peers.allSatisfy { fixture.hear($0).isEmpty })
        }

        @Test func aRosterThatEmptiesForgetsItsMembers() {
            let roster = Roster(seed: 5)
            let members = (0..<500).map { roster.join(Array("user-\($0)".utf8), userInfo: nil).member }
            for member in members[1...] { _ = roster.leave(member) }
            #expect(roster.count == 1 && roster.userIDs == [Array("user-0".utf8)])
            let page = PagedList<Roster.Member>.pageSize
            #expect(roster.members.capacity <= page && roster.index.names.capacity <= page)
            let (again, isNew) = roster.join(Array("user-7".utf8), userInfo: nil)
            #expect(isNew)
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
            let roster = Roster(seed: random.next())
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
            let kind = ChannelKind(access: .public, isCache: false)
            var known: [[UInt8]: Int] = [:]
            var (faults, shrinks): ([String], Int) = ([], 0)
            for step in 0..<6_000 {
                let name = Array("room-\(random.int(0...200))".utf8)
                switch comes(known[name], step: step, &random) {
                case true?:
                    let id = shard.findOrInsert(name.span, kind: kind)
                    shard.records[id].subscriberCount = 1
                    // Some owe a count when they go.
                    shard.records[id].isCountPending = random.oneIn(4)
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
                let before = shard.records.capacity
                shard.releaseUnused()
                if shard.records.capacity < before { shrinks += 1 }
                if shard.table.count != known.count || shard.records.usedCount != known.count {
                    faults.append("\(step)")
                }
            }
            #expect(faults.isEmpty, "\(faults.prefix(3))")
            #expect(shrinks > 0)
            #expect(known.allSatisfy { shard.find($0.key.span) == $0.value })
            #expect(known.allSatisfy { shard.records[$0.value].subscriberCount == 1 })
        }

        @Test func aLateNumberKeepsItsPageOnly() {
            var table = NameTable(seed: 9)
            let ids = (0..<10_000).map { table.insert(Array("n\($0)".utf8)) }
            for id in ids where id != 9_999 { table.remove(id) }
            table.releaseUnused()
            #expect(table.names.capacity == PagedList<[UInt8]>.pageSize)
            #expect(table.find(Array("n9999".utf8).span) == 9_999)
            // A number whose page has gone is used again.
            let again = (0..<200).map { table.insert(Array("again-\($0)".utf8)) }
            #expect(Set(again).count == 200 && again.allSatisfy { $0 < 9_999 })
            #expect((0..<200).allSatisfy { table.find(Array("again-\($0)".utf8).span) == again[$0] })
        }

        @Test func aTableThatHasShrunkNumbersItsNextNamesFromBelow() {
            var table = NameTable(seed: 9)
            let page = PagedList<[UInt8]>.pageSize
            let ids = (0..<100 * page).map { table.insert(Array("n\($0)".utf8)) }
            for id in ids where id > 0 { table.remove(id) }
            table.releaseUnused()
            let next = (0..<2 * page).map { table.insert(Array("next-\($0)".utf8)) }
            #expect(next.allSatisfy { $0 < 3 * page } && table.names.pageCount <= 3)
        }

        @Test func aPagedListForgetsTheNumbersBehindItsLastPage() {
            var list = PagedList<[UInt8]>()
            let page = PagedList<[UInt8]>.pageSize
            for number in 0..<100 * page { list.take(number) }
            for number in 1..<100 * page { list.free(number) }
            #expect(list.emptyPages == 99)
            list.releasePages()
            #expect(list.pageCount == 1 && list.capacity == page && list.emptyPages == 0)
        }

        @Test func aPageThatIsUsedAgainIsNotEmpty() {
            var list = PagedList<[UInt8]>()
            for _ in 0..<3 {
                list.take(70)
                #expect(list.emptyPages == 0)
                list.free(70)
                #expect(list.emptyPages == 1)
            }
        }

        @Test(arguments: 0..<16) func aPagedListAgreesWithADictionaryWhilePagesComeAndGo(seed: Int) {
            var random = SeededRandom(seed: seed)
            var list = PagedList<[UInt8]>()
            var known: [Int: [UInt8]] = [:]
            for step in 0..<4_000 {
                let number = random.int(0...(step % 1_000 < 500 ? 700 : 70))
                if known[number] != nil {
                    #expect(list[number] == known[number])
                    list[number] = []
                    list.free(number)
                    known[number] = nil
                } else {
                    list.take(number)
                    known[number] = random.bytes(5)
                    list[number] = known[number] ?? []
                }
                if random.oneIn(100) { list.releasePages() }
            }
            list.releasePages()
            #expect(Array(list.indices) == known.keys.sorted() && list.usedCount == known.count)
            #expect(known.allSatisfy { list[$0.key] == $0.value })
            let pages = Set(known.keys.map { $0 / PagedList<[UInt8]>.pageSize }).count
            #expect(list.capacity <= pages * PagedList<[UInt8]>.pageSize && list.emptyPages == 0)
        }
    }
#endif
