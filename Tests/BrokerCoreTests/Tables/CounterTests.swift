#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    @Suite("Counters and quotas") struct CounterTests {
        struct Take: Sendable {
            var amount: Int
            var window: UInt64
            var succeeds: Bool

            init(_ amount: Int, _ window: UInt64, _ succeeds: Bool) {
                (self.amount, self.window, self.succeeds) = (amount, window, succeeds)
            }
        }

        static let rows: [Row<[Take]>] = [
            Row("up to the limit and no further", [Take(3, 9, true), Take(2, 9, true), Take(1, 9, false)]),
            Row("a refused take takes nothing", [Take(6, 9, false), Take(5, 9, true)]),
            Row("a new window is empty", [Take(5, 9, true), Take(5, 10, true)]),
            Row(
                "a loop that is one window behind counts in the one the others are in",
                [Take(5, 10, true), Take(1, 9, false), Take(1, 10, false)]),
            Row("a clock that was set back far starts anew", [Take(5, 100, true), Take(5, 10, true)]),
            Row("nothing can always be taken", [Take(0, 0, true), Take(5, 0, true), Take(0, 0, true)]),
        ]

        @Test(arguments: rows) func aWindowHoldsFive(_ row: Row<[Take]>) {
            let counter = WindowCounter()
            for take in row.value {
                #expect(counter.acquire(take.amount, window: take.window, limit: 5) == take.succeeds)
            }
        }

        @Test func aDayMayHaveMoreMessagesThan32BitsCount() {
            let counter = WindowCounter()
            #expect(counter.acquire(5_000_000_000, window: 20_778, limit: 6_000_000_000))
            #expect(!counter.acquire(1_000_000_001, window: 20_778, limit: 6_000_000_000))
            #expect(counter.acquire(1_000_000_000, window: 20_778, limit: 6_000_000_000))
            #expect(counter.acquire(1_000_000_000_000, window: 20_779, limit: 1_000_000_000_000))
            #expect(!counter.acquire(1, window: 20_779, limit: 1_000_000_000_000))
            #expect(!counter.acquire(WindowCounter.countMax, window: 20_779, limit: .max))
        }

        @Test func whatIsGivenBackCanBeTakenAgainInItsWindowOnly() {
            let counter = WindowCounter()
            #expect(counter.acquire(5, window: 7, limit: 5))
            counter.release(2, window: 7)
            #expect(counter.acquire(2, window: 7, limit: 5))
            #expect(!counter.acquire(1, window: 7, limit: 5))
            #expect(counter.acquire(4, window: 8, limit: 5))
            counter.release(3, window: 7)
            #expect(!counter.acquire(2, window: 8, limit: 5))
        }

        @Test func threadsTogetherTakeExactlyTheLimit() {
            let (counter, taken) = (WindowCounter(), Quota())
            Threads.run(4) { _ in
                for _ in 0..<5_000 where counter.acquire(1, window: 3, limit: 10_000) { _ = taken.acquire(limit: nil) }
            }
            #expect(taken.count == 10_000)
        }

        @Test func aQuotaCountsToItsLimitAndBack() {
            let quota = Quota()
            #expect(quota.acquire(limit: 2) && quota.acquire(limit: 2))
            #expect(!quota.acquire(limit: 2) && quota.count == 2)
            #expect(quota.acquire(limit: nil) && quota.count == 3)
            for _ in 0..<3 { quota.release() }
            #expect(quota.count == 0 && !quota.acquire(limit: 0) && quota.count == 0)
        }

        @Test func attemptsThatFailLeaveNoTraceInAQuota() {
            let quota = Quota()
            Threads.run(4) { _ in
                for _ in 0..<5_000 where quota.acquire(limit: 2) { quota.release() }
            }
            #expect(quota.count == 0)
        }

        @Test(arguments: 0..<50) func aSocketIDNamesItsPlace(seed: Int) {
            var random = SeededRandom(seed: seed)
            let codec = SocketIDCodec(key: SecretKey(random.next(), random.next()))
            for _ in 0..<200 {
                let loop = random.int(0...63), slot = UInt32(random.int(0...(1 << 26) - 1))
                let low = UInt32(truncatingIfNeeded: random.next())
                let place = codec.place(of: codec.socketID(loop: loop, slot: slot, random: low))
                #expect(place.loop == loop && place.connection == ConnectionTag(slot: slot, tag: low))
            }
        }

        @Test func anySocketIDHasAPlaceAndNoneTraps() {
            let codec = SocketIDCodec(key: SecretKey(.max, .max))
            for high in [0, 1, UInt32.max, 1 << 31] {
                let place = codec.place(of: SocketID(high: high, low: 0))
                #expect(0...63 ~= place.loop && place.connection.slot < 1 << 26)
            }
        }
    }
#endif
