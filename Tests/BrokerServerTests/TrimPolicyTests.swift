#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("When the heap is trimmed") struct TrimPolicyTests {
        private static let megabyte = 1 << 20

        @Test func whenMuchWasFreedAndTheFreeingIsOver() {
            var policy = TrimPolicy()
            func isDue(_ held: Int, at milliseconds: UInt64) -> Bool {
                policy.isDue(heldBytes: held, milliseconds: milliseconds)
            }
            #expect(!isDue(8 * Self.megabyte, at: 0))
            #expect(!isDue(3 * Self.megabyte, at: 100), "they are still leaving")
            #expect(!isDue(Self.megabyte, at: 200), "they are still leaving")
            #expect(isDue(Self.megabyte, at: 300))
            #expect(!isDue(Self.megabyte, at: 400), "nothing was freed since")
        }

        @Test func notForLittle() {
            var policy = TrimPolicy()
            func isDue(_ held: Int, at milliseconds: UInt64) -> Bool {
                policy.isDue(heldBytes: held, milliseconds: milliseconds)
            }
            #expect(!isDue(Self.megabyte - 1, at: 0))
            #expect(!isDue(0, at: 100))
            #expect(!isDue(0, at: 200), "less than a megabyte")
            policy = TrimPolicy()
            #expect(!isDue(8 * Self.megabyte, at: 0))
            #expect(!isDue(5 * Self.megabyte, at: 100))
            #expect(!isDue(5 * Self.megabyte, at: 200), "more than half is still held")
        }

        @Test func atMostOnceInFiveSeconds() {
            var policy = TrimPolicy()
            var trims: [UInt64] = []
            for step in UInt64(0)..<300 {  // every 400 ms a wave of 8 MiB comes and goes
                let held = step % 4 < 2 ? 8 * Self.megabyte : 0
                if policy.isDue(heldBytes: held, milliseconds: step * 100) { trims.append(step * 100) }
            }
            #expect(trims == [300, 5_500, 10_700, 15_900, 21_100, 26_300])
        }
    }
#endif
