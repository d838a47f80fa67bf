#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import Testing
    import Wire

    /// One name of each page stays, so that no page is empty, and the table has many cells for few names.
    @Suite("A table whose names have left from everywhere") struct SparseTableTests {
        private static let page = PagedList<[UInt8]>.pageSize
        private static let names = (0..<64 * page).map { Array("room-\($0)".utf8) }

        @Test func hasCellsToGiveBack() {
            var table = NameTable(seed: 7)
            let ids = Self.names.map { table.insert($0) }
            for id in ids where id % UInt32(Self.page) != 0 { table.remove(id) }
            let (empty, hasUnused) = (table.names.emptyPages, table.hasUnused)
            #expect(empty == 0 && hasUnused)
            table.releaseUnused()
            let isDone = !table.hasUnused
            #expect(isDone)
            for number in stride(from: 0, to: Self.names.count, by: Self.page) {
                let name = Self.names[number]
                let found = table.find(name.span)
                #expect(found == ids[number])
            }
        }

        @Test func isSweptInItsShard() {
            var shard = ChannelShard(seed: 7)
            let kind = ChannelKind(access: .public, isCache: false)
            let ids = Self.names.map { name in
                let id = shard.findOrInsert(name.span, kind: kind)
                shard.records[id].subscriberCount = 1
                return id
            }
            let wasListed = shard.mustListForSweep()
            for id in ids where id % Self.page != 0 {
                shard.records[id].subscriberCount = 0
                shard.afterChange(of: id)
            }
            let (empty, isListed) = (shard.records.emptyPages, shard.mustListForSweep())
            #expect(!wasListed && empty == 0 && isListed)
            shard.releaseUnused()
            let isDone = shard.endSweep()
            #expect(isDone)
        }

        @Test func isListedOnItsLoop() {
            var table = ChannelTable(hashing: NameHashing(seed: 7))
            let kind = ChannelKind(access: .public, isCache: false)
            let places = Self.names.map { name in
                table.findOrInsert(name.span, hash: table.table.hash(of: name.span), role: .channel, kind: kind)
            }
            let wasListed = table.mustList()
            for place in places where Int(place.number) % Self.page != 0 { table.releaseIfUnused(place) }
            let (empty, isListed) = (table.channels.emptyPages, table.mustList())
            #expect(!wasListed && empty == 0 && isListed)
            table.releaseUnused()
            let isListedAgain = table.mustList()
            #expect(!isListedAgain)
        }
    }
#endif
