#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("Clients sent away, spread over a time (PW-037)") struct SpreadClosingTests {
        /// Lets ticks of 100 ms pass and takes who is due.
        private func leave(
            _ closing: inout SpreadClosing, from start: UInt64, ticks: ClosedRange<Int>
        ) -> [[UInt32]] {
            ticks.map { tick in
                closing.tick(milliseconds: start + UInt64(tick) * 100)
                var gone: [UInt32] = []
                while let slot = closing.next() { gone.append(slot) }
                return gone
            }
        }

        @Test(arguments: [0, 1, 7, 79, 80, 81, 10_000], [0, 100, 1_000, 8_000, 240_000])
        func eachIsSentAwayOnceEvenlyAndBeforeTheWindowEnds(count: Int, window: Int) {
            var closing = SpreadClosing(seed: 7)
            closing.begin(Array(0..<UInt32(count)), milliseconds: 5_000, windowMilliseconds: UInt64(window))
            let ticks = max(1, window / 100)
            let left = leave(&closing, from: 5_000, ticks: 1...ticks)
            #expect(left.joined().sorted() == Array(0..<UInt32(count)))
            #expect(closing.isEmpty && !closing.isDue)
            let fewest = count / ticks
            #expect(left.allSatisfy { (fewest...fewest + 2).contains($0.count) }, "as many at each tick")
        }

        @Test func nobodyIsDueBeforeTimePasses() {
            var closing = SpreadClosing(seed: 7)
            closing.begin([1, 2, 3], milliseconds: 1_000, windowMilliseconds: 800)
            closing.tick(milliseconds: 1_000)
            let nobody = closing.next()
            #expect(!closing.isDue && nobody == nil && !closing.isEmpty)
        }

        @Test func whoGoesFirstIsRandom() {
            let slots = Array(0..<UInt32(1_000))
            let orders = [UInt64(1), 2].map { seed in
                var closing = SpreadClosing(seed: seed)
                closing.begin(slots, milliseconds: 0, windowMilliseconds: 10_000)
                return Array(leave(&closing, from: 0, ticks: 1...100).joined())
            }
            #expect(orders[0] != orders[1])
            for order in orders {
                let stayed = zip(order, slots).count { $0 == $1 }
                let firstHalf = order.prefix(500).count { $0 < 500 }
                #expect(stayed < 20 && (200...300).contains(firstHalf), "neither the order of arrival nor its reverse")
            }
        }

        @Test func aTickThatComesLateLosesNobody() {
            var closing = SpreadClosing(seed: 7)
            closing.begin(Array(0..<100), milliseconds: 0, windowMilliseconds: 1_000)
            closing.tick(milliseconds: 500)
            var first = 0
            while closing.next() != nil { first += 1 }
            closing.tick(milliseconds: 60_000)
            var rest = 0
            while closing.next() != nil { rest += 1 }
            #expect(first == 50 && rest == 50)
        }

        @Test func whoWaitsGetsNoMoreTimeByOthersWhoJoin() {
            var closing = SpreadClosing(seed: 7)
            closing.begin(Array(0..<100), milliseconds: 0, windowMilliseconds: 1_000)
            var waiting = Set<UInt32>(0..<100)
            for round in 1...100 {
                let now = UInt64(round) * 100
                for slot in leave(&closing, from: now - 100, ticks: 1...1).joined() { waiting.remove(slot) }
                if waiting.isEmpty { break }
                closing.begin(waiting.sorted(), milliseconds: now, windowMilliseconds: 1_000)
            }
            #expect(waiting.isEmpty, "a new beginning in every tick does not hold them back")
            closing.begin([5], milliseconds: 100_000, windowMilliseconds: 1_000)
            closing.tick(milliseconds: 100_500)
            #expect(!closing.isDue, "the rate is forgotten with the last of them")
        }

        @Test func whoComesMeanwhileGoesByTheSameTime() {
            var closing = SpreadClosing(seed: 7)
            closing.begin([], milliseconds: 0, windowMilliseconds: 1_000)
            closing.add(9)
            #expect(leave(&closing, from: 0, ticks: 1...9).joined().isEmpty)
            #expect(Array(leave(&closing, from: 0, ticks: 10...10).joined()) == [9])
            closing.add(8)
            #expect(Array(leave(&closing, from: 0, ticks: 11...11).joined()) == [8], "and at once when that is over")
        }

        @Test func nobodyGoesAfterItWasCalledOff() {
            var closing = SpreadClosing(seed: 7)
            closing.begin([1, 2, 3], milliseconds: 0, windowMilliseconds: 100)
            closing.tick(milliseconds: 100)
            #expect(closing.isDue)
            closing.cancel()
            closing.tick(milliseconds: 200)
            let nobody = closing.next()
            #expect(!closing.isDue && closing.isEmpty && nobody == nil)
        }
    }
#endif
