#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("Clients sent away while the server stops (PW-037)") struct DrainTests {
        @Test(arguments: [0, 1, 7, 79, 80, 81, 10_000], [0, 1, 10, 300])
        func eachIsSentAwayOnceEvenlyAndBeforeTheGraceIsOver(count: Int, graceSeconds: Int) {
            var drain = Drain()
            #expect(!drain.hasBegun)
            drain.begin(Array(0..<UInt32(count)), graceSeconds: graceSeconds)
            #expect(drain.hasBegun)
            var left: [Int] = []
            var seen: Set<UInt32> = []
            for _ in 0..<Drain.ticks(graceSeconds: graceSeconds) {
                let due = drain.tick()
                left.append(due.count)
                for slot in due { #expect(seen.insert(slot).inserted) }
            }
            #expect(seen.count == count && drain.tick().isEmpty)
            let most = left.max() ?? 0
            let ticks = Drain.ticks(graceSeconds: graceSeconds)
            #expect(most == (count + ticks - 1) / ticks, "no faster than it must be")
            #expect(
                left.prefix { $0 == most }.reduce(0, +) > count - max(1, most), "as many at each tick, but the last")
        }

        @Test func aFifthOfTheGraceIsLeftForTheClosingHandshakes() {
            #expect(Drain.ticks(graceSeconds: 10) == 80, "of a hundred ticks")
            #expect(Drain.ticks(graceSeconds: 0) == 1, "nobody is forgotten")
        }
    }
#endif
