#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    @Suite("What clients see says nothing about the hash of names") struct SecretTests {
        /// SipHash-1-3 of 0, 1, … length - 1 with the key 0, 1, … 15: from an implementation that also gives the published vectors of
        /// SipHash-2-4 and CPython's hashes.
        static let vectors: [(length: Int, hash: UInt64)] = [
            (0, 0xABAC_0158_050F_C4DC), (1, 0xC9F4_9BF3_7D57_CA93), (7, 0xD392_7D98_9BB1_1140),
            (8, 0x3690_9511_8D29_9A8E), (9, 0x25A4_8EB3_6C06_3DE4), (15, 0xD320_D86D_2A51_9956),
            (16, 0xCC4F_DD1A_7D90_8B66), (17, 0x9CF2_6890_63DB_D80C), (63, 0x9D19_9062_B7BB_B3A8),
        ]

        @Test(arguments: vectors) func namesAreHashedBySipHash13(_ vector: (length: Int, hash: UInt64)) {
            let key = SecretKey(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
            let bytes = (0..<vector.length).map { UInt8($0) }
            #expect(SipHash.hash(bytes.span, key: key) == vector.hash)
        }

        @Test func aNumberIsHashedLikeItsSevenBytes() {
            let key = SecretKey(1, 2)
            for number: UInt64 in [0, 1, 0xFFFF, 0x12_3456_789A_BCDE] {
                let bytes = (0..<7).map { UInt8(truncatingIfNeeded: number >> (UInt64($0) * 8)) }
                #expect(SipHash.hash(number: number, key: key) == SipHash.hash(bytes.span, key: key))
            }
        }

        private func highs(_ codec: SocketIDCodec, _ slots: Range<UInt32>) -> [UInt32] {
            slots.map { codec.socketID(loop: 0, slot: $0, random: 0).high }
        }

        @Test(arguments: 0..<8) func oneBitOfASlotChangesEveryBitOfItsSocketIDHalfOfTheTime(seed: Int) {
            var random = SeededRandom(seed: seed)
            let codec = SocketIDCodec(key: SecretKey(random.next(), random.next()))
            let plain = highs(codec, 0..<4_096)
            for slotBit in 0..<12 {
                for idBit in 0..<32 {
                    let flips = plain.indices.count { (plain[$0] ^ plain[$0 ^ 1 << slotBit]) >> UInt32(idBit) & 1 == 1 }
                    #expect((1_700...2_400).contains(flips), "slot bit \(slotBit), id bit \(idBit): \(flips) of 4,096")
                }
            }
        }

        @Test(arguments: 0..<8) func noTwoSocketIDsForetellAThird(seed: Int) {
            var random = SeededRandom(seed: seed)
            let codec = SocketIDCodec(key: SecretKey(random.next(), random.next()))
            let ids = highs(codec, 0..<4_096)
            #expect(Set(ids).count == ids.count)
            // Of an affine codec, whatever its arithmetic, every row of four would agree.
            var (sums, exclusives) = (0, 0)
            for at in 0..<4_092 {
                let (a, b, c, d) = (ids[at], ids[at + 1], ids[at + 2], ids[at + 3])
                if a &- b == c &- d { sums += 1 }
                if a ^ b == c ^ d { exclusives += 1 }
            }
            #expect(sums == 0 && exclusives == 0)
        }

        /// Three rounds can be told from chance by who asks in both directions, so the number is part of the promise.
        @Test func aSocketIDIsFourRoundsOfTheNetwork() {
            let key = SecretKey(11, 12)
            let codec = SocketIDCodec(key: key)
            for slot: UInt32 in [0, 1, 0xFFFF, 0x1_0000, 0x3FF_FFFF] {
                for loop in [0, 1, 63] {
                    let plain = UInt32(loop) << 26 | slot
                    var (left, right) = (plain >> 16, plain & 0xFFFF)
                    for round: UInt8 in 0..<4 {
                        let bytes = [UInt8(right & 0xFF), UInt8(right >> 8), round, 0, 0, 0, 0]
                        let mask = UInt32(truncatingIfNeeded: SipHash.hash(bytes.span, key: key) & 0xFFFF)
                        (left, right) = (right, left ^ mask)
                    }
                    #expect(
                        codec.socketID(loop: loop, slot: slot, random: 5) == SocketID(high: left << 16 | right, low: 5))
                }
            }
        }

        @Test func theTwoSecretsAreIndependent() {
            let names = SecretKey(1, 2)
            let brokers = [SecretKey(3, 4), SecretKey(5, 6)].map { ids in
                SharedBroker(
                    settings: [], loopCount: 1, secrets: BrokerSecrets(names: names, socketIDs: ids), headroomBytes: 0)
            }
            let name = Array("room".utf8)
            #expect(brokers[0].hashing.hash(of: name.span) == brokers[1].hashing.hash(of: name.span))
            #expect(highs(brokers[0].socketIDs, 0..<8) != highs(brokers[1].socketIDs, 0..<8))
            let other = SharedBroker(
                settings: [], loopCount: 1, secrets: BrokerSecrets(names: SecretKey(7, 8), socketIDs: SecretKey(3, 4)),
                headroomBytes: 0)
            #expect(other.hashing.hash(of: name.span) != brokers[0].hashing.hash(of: name.span))
            #expect(highs(other.socketIDs, 0..<8) == highs(brokers[0].socketIDs, 0..<8))
        }
    }

    @Suite("No choice of names makes a table slow") struct FloodTests {
        /// Names of one pattern each, none of which needs a secret.
        static let patterns: [Row<@Sendable (Int) -> [UInt8]>] = [
            Row("counted") { Array("room-\($0)".utf8) },
            Row("differing in their first byte words") { Array("\($0 &* 0x9E37_79B9)-abcdefghijklmnop".utf8) },
            Row("of one letter, of every length") { Array(repeating: UInt8(ascii: "a"), count: $0) },
            Row("differing in the high bits of a word") { number in
                (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * (7 - $0))) }
            },
            Row("in pairs whose words cancel") { number in
                let word = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
                return word + word
            },
        ]

        @Test(arguments: patterns) func theyLieNoFartherFromHomeThanChancePutsThem(
            _ pattern: Row<@Sendable (Int) -> [UInt8]>
        ) {
            let hashing = NameHashing(seed: 11)
            var table = NameTable(hashing: hashing)
            for number in 0..<20_000 { _ = table.insert(pattern.value(number)) }
            #expect(hashing.statistics.longestProbe < 400 && hashing.statistics.overlongProbes == 0)
        }

        @Test func whereHashesCollideAllTheSameTheTableGrowsAndSaysSo() {
            let hashing = NameHashing(seed: 11)
            var table = NameTable(hashing: hashing)
            // Homes in a row of a table of any size below 2²⁰: only growing parts them.
            for number in 0..<2_000 {
                _ = table.insert(Array("n\(number)".utf8), hash: UInt64(number % 4) << 18 | UInt64(number) << 20)
            }
            #expect(hashing.statistics.overlongProbes > 0)
            #expect(hashing.statistics.longestProbe >= NameTable.probesMax)
            for number in 0..<2_000 {
                let hash = UInt64(number % 4) << 18 | UInt64(number) << 20
                #expect(table.find(Array("n\(number)".utf8).span, hash: hash) == UInt32(number))
            }
        }

        @Test func namesThatNothingPartsDoNotMakeTheTableGrowWithoutABound() {
            let hashing = NameHashing(seed: 11)
            var table = NameTable(hashing: hashing)
            for number in 0..<1_000 { _ = table.insert(Array("n\(number)".utf8), hash: 7) }
            // From 1,024 cells to sixteen for each of the first 513 names; the others find those.
            #expect(hashing.statistics.overlongProbes == 4)
            #expect((0..<1_000).allSatisfy { table.find(Array("n\($0)".utf8).span, hash: 7) == UInt32($0) })
        }

        @Test func aSearchForWhatIsNotThereEndsAtTheLongestProbe() {
            var table = NameTable(hashing: NameHashing(seed: 1))
            // A run of cells that are each at home.
            for number in 0..<96 { _ = table.insert(Array("n\(number)".utf8), hash: UInt64(number)) }
            #expect(table.cellsLookedAt(for: 0xFFFF_0000) == 1)
        }

        @Test func theBrokerReportsItsTables() {
            let fixture = BrokerFixture()
            let before = fixture.shared.tableStatistics
            let peer = fixture.connect()
            for number in 0..<2_000 { fixture.subscribe(peer, "room-\(number)") }
            let held = fixture.shared.tableStatistics
            #expect(held.heldBytes - before.heldBytes > 2_000 * 500 && held.longestProbe > 0)
            #expect(held.overlongProbes == 0)
            fixture.hangUp(peer)
            sweep(fixture)
            #expect(fixture.shared.tableStatistics.heldBytes == before.heldBytes)
        }

        /// As many ticks as it takes until memory of names that are gone is given back.
        private func sweep(_ fixture: BrokerFixture) {
            for _ in 0...Housekeeping.ticksPerSweep {
                fixture.tick()
                for broker in fixture.brokers { broker.releaseUnused() }
            }
        }

        @Test func membersAndCachedEventsAreCountedAndForgotten() throws {
            let fixture = BrokerFixture { $0.limits.cacheSeconds = 1 }
            let before = fixture.shared.tableStatistics.heldBytes
            let peer = fixture.connect()
            let info = String(repeating: "x", count: 1_000)
            fixture.subscribe(peer, "presence-a", data: #"{"user_id":"u","user_info":{"t":"\#(info)"}}"#)
            #expect(fixture.shared.tableStatistics.heldBytes > before + 2_000)
            fixture.hangUp(peer)
            sweep(fixture)
            #expect(fixture.shared.tableStatistics.heldBytes == before)
            try fixture.publish("e", ["cache-a"], data: info)
            try fixture.publish("e", ["cache-a"], data: info)
            #expect((1_000...3_000).contains(fixture.shared.tableStatistics.heldBytes - before))
            fixture.pass(milliseconds: 1_001)
            sweep(fixture)
            #expect(fixture.shared.tableStatistics.heldBytes == before)
        }
    }
#endif
