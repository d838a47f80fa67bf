#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("When the heap is trimmed") struct TrimPolicyTests {
        private static let megabyte = 1 << 20

        /// The ticks, 100 ms apart, at which a trim is due while a loop holds so much.
        private func trims(_ held: [Int]) -> [Int] {
            var policy = TrimPolicy()
            return held.indices.filter { policy.isDue(heldBytes: held[$0], milliseconds: UInt64($0) * 100) }
        }

        @Test func onceWhenMuchWasFreedAndTheFreeingIsOver() {
            let held = [8, 8, 8, 6, 3, 1].map { $0 * Self.megabyte }
            let after = Array(repeating: Self.megabyte, count: 200)
            #expect(trims(held + after) == [held.count - 1 + TrimPolicy.quietTicksMin])
        }

        @Test func notForLittleOfWhatIsHeld() {
            let calm = Array(repeating: 0, count: 100)
            #expect(trims([Self.megabyte - 1] + calm).isEmpty)
            #expect(trims([Self.megabyte] + calm) == [TrimPolicy.quietTicksMin + 1])
            // One part in sixteen of what is left is worth a walk over all of it.
            #expect(trims([64 * Self.megabyte] + calm.map { _ in 61 * Self.megabyte }).isEmpty)
            #expect(
                trims([64 * Self.megabyte] + calm.map { _ in 60 * Self.megabyte }) == [TrimPolicy.quietTicksMin + 1])
        }

        @Test func atMostOnceInFiveSeconds() {
            // Every 1.6 s a wave of 8 MiB comes and goes.
            let waves = (0..<300).map { $0 % 16 < 8 ? 8 * Self.megabyte : 0 }
            #expect(trims(waves) == [13, 63, 125, 175, 237, 287])
        }
    }
#endif
