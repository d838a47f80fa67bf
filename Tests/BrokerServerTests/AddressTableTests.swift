#if DEBUG
    @testable import BrokerServer
    import Reactor
    import Synchronization
    import TestSupport
    import Testing

    @Suite("What addresses have (a value under manual time)") struct AddressTableTests {
        private static func ms(_ count: UInt64) -> UInt64 { 1_000_000_000_000 + count * 1_000_000 }
        private static let rate = AddressLimits(perSecond: 4)
        private static let open = AddressLimits(connections: 2)

        private static func block(_ text: String) throws -> AddressBlock {
            let peer = try #require(PeerAddress.parse(host: text))
            return try #require(AddressBlock(peer))
        }
        private static func block(_ number: Int) -> AddressBlock {
            let peer = PeerAddress(family: .ipv4, port: 0, high: 0, low: UInt64(number))
            guard let block = AddressBlock(peer) else { preconditionFailure("it has an address") }
            return block
        }

        // MARK: Blocks

        @Test(arguments: [
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("::1", "0.0.0.1", false), ("::1", "0.0.0.0", false),
        ])
        func oneAddressOrOneNetworkIsOne(_ first: String, _ second: String, _ isSame: Bool) throws {
            #expect((try Self.block(first) == Self.block(second)) == isSame)
        }

        @Test func portsMakeNoDifferenceAndALocalSocketHasNone() throws {
            let one = try #require(PeerAddress.parse(host: "192.0.2.1", port: 1))
            let other = try #require(PeerAddress.parse(host: "192.0.2.1", port: 2))
            #expect(AddressBlock(one) == AddressBlock(other) && AddressBlock(PeerAddress()) == nil)
            #expect(try Self.block("192.0.2.1").description == "192.0.2.1")
            #expect(try Self.block("2001:db8:1:2:3::4").description == "2001:db8:1:2::/64")
        }

        // MARK: The rate

        /// How many of `count` at once are let in.
        private func admitted(_ table: inout AddressTable, _ count: Int, now: UInt64, _ limits: AddressLimits = rate)
            -> Int
        {
            (0..<count).count { _ in table.claim(Self.block(1), limits, now: now) == .admitted }
        }

        @Test func aSecondsWorthAtOnceAndThenOneAfterTheOther() {
            var table = AddressTable(entriesMax: 8)
            #expect(admitted(&table, 9, now: Self.ms(0)) == 4)
            #expect(table.claim(Self.block(1), Self.rate, now: Self.ms(0)) == .over(.rate))
            #expect(admitted(&table, 9, now: Self.ms(249)) == 0)
            #expect(admitted(&table, 9, now: Self.ms(250)) == 1)
            #expect(admitted(&table, 9, now: Self.ms(750)) == 2, "what was not used is saved")
            #expect(admitted(&table, 9, now: Self.ms(60_000)) == 4, "but not more than a second's worth")
            #expect(table.fault == nil)
        }

        @Test(arguments: [1, 2, 3, 7, 100, 999, 1_000]) func exactlySoManyAtOnce(_ rate: Int) {
            var table = AddressTable(entriesMax: 8)
            #expect(admitted(&table, rate + 50, now: Self.ms(0), .init(perSecond: rate)) == rate)
        }

        @Test func whoIsRefusedPaysNothing() {
            var table = AddressTable(entriesMax: 8)
            #expect(admitted(&table, 1_000, now: Self.ms(0)) == 4)
            #expect(admitted(&table, 1_000, now: Self.ms(1_000)) == 4)
        }

        @Test func aClockThatIsBehindLetsNobodyInTwice() {
            var table = AddressTable(entriesMax: 8)
            #expect(admitted(&table, 9, now: Self.ms(10)) == 4)
            #expect(admitted(&table, 9, now: Self.ms(5)) == 0)
        }

        @Test func whatIsForgivenMayBeTakenAgain() {
            var table = AddressTable(entriesMax: 8)
            #expect(admitted(&table, 9, now: Self.ms(0)) == 4)
            table.forgive(Self.block(1), Self.rate, now: Self.ms(0))
            #expect(admitted(&table, 9, now: Self.ms(0)) == 1)
            for _ in 0..<20 { table.forgive(Self.block(1), Self.rate, now: Self.ms(0)) }
            #expect(admitted(&table, 9, now: Self.ms(0)) == 4, "nobody gets more than a second's worth")
        }

        @Test func anotherAddressHasItsOwn() {
            var table = AddressTable(entriesMax: 8)
            #expect(admitted(&table, 9, now: Self.ms(0)) == 4)
            #expect(table.claim(Self.block(2), Self.rate, now: Self.ms(0)) == .admitted)
        }

        // MARK: Open connections

        @Test func soManyAreOpenAtOnce() {
            var table = AddressTable(entriesMax: 8)
            #expect(admitted(&table, 5, now: Self.ms(0), Self.open) == 2)
            #expect(
                table.claim(Self.block(1), Self.open, now: Self.ms(9_000)) == .over(.connections),
                "time changes nothing")
            table.leave(Self.block(1), now: Self.ms(9_000))
            #expect(admitted(&table, 5, now: Self.ms(9_000), Self.open) == 1)
            for _ in 0..<2 { table.leave(Self.block(1), now: Self.ms(9_000)) }
            #expect(table[Self.block(1)] == nil && table.entries.isEmpty, "who has nothing is forgotten")
            table.leave(Self.block(1), now: Self.ms(9_000))
            #expect(admitted(&table, 5, now: Self.ms(9_000), Self.open) == 2)
        }

        @Test func whoIsAboveOneLimitTakesNothingOfTheOther() {
            var table = AddressTable(entriesMax: 8)
            let both = AddressLimits(connections: 1, perSecond: 4)
            #expect(admitted(&table, 5, now: Self.ms(0), both) == 1)
            table.leave(Self.block(1), now: Self.ms(0))
            #expect(admitted(&table, 1, now: Self.ms(0), both) == 1)
            #expect(table[Self.block(1)]?.wholeAt == Self.ms(500))
        }

        @Test func withoutALimitForThemOpenOnesAreNotCounted() {
            var table = AddressTable(entriesMax: 8)
            #expect(admitted(&table, 3, now: Self.ms(0)) == 3)
            #expect(table[Self.block(1)]?.open == 0)
        }

        @Test func soManyMayWaitToBeTold() {
            var table = AddressTable(entriesMax: 8)
            let most = Int(AddressTable.waitingMax)
            let waiting = (0..<most + 5).count { _ in table.wait(Self.block(1), now: Self.ms(0)) }
            #expect(waiting == most)
            table.endWait(Self.block(1), now: Self.ms(0))
            #expect(table.wait(Self.block(1), now: Self.ms(0)) == true)
            #expect(table.wait(Self.block(1), now: Self.ms(0)) == false)
            #expect(table.wait(Self.block(2), now: Self.ms(0)) == true)
            for _ in 0..<most { table.endWait(Self.block(1), now: Self.ms(0)) }
            #expect(table[Self.block(1)] == nil)
        }

        @Test func refusalsAreCountedWhileTheAddressIsKnown() {
            var table = AddressTable(entriesMax: 8)
            _ = admitted(&table, 2, now: Self.ms(0), Self.open)
            for count in 1...3 { #expect(table.refuse(Self.block(1)) == count) }
            #expect(table.refuse(Self.block(2)) == 1)
            #expect(table[Self.block(2)] == nil)
        }

        // MARK: The table

        @Test func whenItIsFullNewcomersAreLetInUncounted() {
            var table = AddressTable(entriesMax: 4)
            for number in 0..<4 { _ = table.claim(Self.block(number), Self.open, now: Self.ms(0)) }
            for _ in 0..<3 { #expect(table.claim(Self.block(9), Self.open, now: Self.ms(0)) == .uncounted) }
            #expect(table.uncounted == 3 && table.entries.count == 4 && table.fault == nil)
            #expect(table.wait(Self.block(9), now: Self.ms(0)) == false)
            #expect(table.claim(Self.block(2), Self.open, now: Self.ms(0)) == .admitted, "who is known is counted on")
            table.leave(Self.block(3), now: Self.ms(0))
            #expect(table.claim(Self.block(9), Self.open, now: Self.ms(0)) == .admitted)
        }

        @Test func whoHasBecomeIdleMakesRoom() {
            var table = AddressTable(entriesMax: 4)
            for number in 0..<4 { _ = table.claim(Self.block(number), Self.rate, now: Self.ms(0)) }
            #expect(table.claim(Self.block(9), Self.rate, now: Self.ms(249)) == .uncounted)
            #expect(table.claim(Self.block(9), Self.rate, now: Self.ms(250)) == .admitted)
            #expect(table[Self.block(9)] != nil && table.fault == nil)
        }

        @Test func aFloodOfAddressesIsForgottenByThoseWhoComeLater() {
            var table = AddressTable(entriesMax: 10_000)
            for number in 0..<5_000 { _ = table.claim(Self.block(number), Self.rate, now: Self.ms(0)) }
            #expect(table.entries.count == 5_000)
            for number in 10_000..<15_100 {
                _ = table.claim(Self.block(number), Self.rate, now: Self.ms(UInt64(number)))
            }
            #expect(table.entries.count < 400, "\(table.entries.count)")
            #expect(table.fault == nil)
        }

        /// Against a model without bounds or shortcuts.
        @Test(arguments: 0..<40) func anyStepsKeepTheBooks(seed: Int) {
            var (random, now) = (SeededRandom(seed: seed), Self.ms(0))
            var table = AddressTable(entriesMax: random.pick([3, 8, 64]))
            let limits = AddressLimits(connections: random.pick([nil, 1, 3]), perSecond: random.pick([nil, 1, 5]))
            var (open, waiting) = ([Int: Int](), [Int: Int]())
            for _ in 0..<600 {
                let number = random.int(0...9)
                switch random.int(0...9) {
                case 0...4:
                    let verdict = table.claim(Self.block(number), limits, now: now)
                    if case .admitted = verdict, limits.connections != nil { open[number, default: 0] += 1 }
                    if case .over = verdict, table.wait(Self.block(number), now: now) {
                        waiting[number, default: 0] += 1
                    }
                    #expect(limits.connections.map { open[number, default: 0] <= $0 } ?? true)
                case 5...6:
                    guard open[number, default: 0] > 0 else { continue }
                    open[number, default: 0] -= 1
                    table.leave(Self.block(number), now: now)
                case 7:
                    guard waiting[number, default: 0] > 0 else { continue }
                    waiting[number, default: 0] -= 1
                    table.endWait(Self.block(number), now: now)
                case 8: table.forgive(Self.block(number), limits, now: now)
                default: now += UInt64(random.int(0...700)) * 1_000_000
                }
                #expect(table.fault == nil)
                for number in 0...9 {
                    let entry = table[Self.block(number)]
                    #expect(Int(entry?.open ?? 0) == open[number, default: 0], "the open ones of \(number)")
                    #expect(Int(entry?.waiting ?? 0) == waiting[number, default: 0], "the waiting ones of \(number)")
                }
            }
        }

        // MARK: All loops

        @Test func manyLoopsTogetherAdmitExactlySoMany() throws {
            let (book, block) = (AddressBook(), Self.block(7))
            let limits = AddressLimits(connections: 100, perSecond: 1_000)
            let admitted = Atomic<Int>(0)
            Threads.run(4) { _ in
                for _ in 0..<200 where book.with(block, { $0.claim(block, limits, now: Self.ms(0)) }) == .admitted {
                    admitted.wrappingAdd(1, ordering: .relaxed)
                }
            }
            #expect(admitted.load(ordering: .relaxed) == 100)
            #expect(book.facts.known == 1 && book.facts.uncounted == 0)
        }
    }
#endif
