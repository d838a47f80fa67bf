#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("How long a request may take") struct RequestDeadlineTests {
        private let keepAlive: UInt32 = 20_000, limit = RequestDeadline.requestMilliseconds

        @Test(arguments: [UInt32(0), UInt32.max - 100])
        func aConnectionWithoutARequestIsClosedWithoutAWord(start: UInt32) {
            let deadline = RequestDeadline(now: start)
            #expect(
                deadline.check(now: start &+ 19_999, keepAliveMilliseconds: keepAlive) == .wait(milliseconds: 1))
            #expect(deadline.check(now: start &+ 20_000, keepAliveMilliseconds: keepAlive) == .close)
        }

        @Test(arguments: [UInt32(0), UInt32.max - 100])
        func aRequestCountsFromItsFirstByteAndNotFromTheNext(start: UInt32) {
            var deadline = RequestDeadline(now: start)
            var armed = deadline.began(.rest, now: start &+ 3_000)
            #expect(armed == limit)
            armed = deadline.began(.rest, now: start &+ 9_000)
            #expect(armed == nil, "each byte of a dribble would buy time")
            #expect(
                deadline.check(now: start &+ 10_999, keepAliveMilliseconds: keepAlive) == .wait(milliseconds: 1))
            #expect(
                deadline.check(now: start &+ 11_000, keepAliveMilliseconds: keepAlive)
                    == .refuse(afterMilliseconds: limit))
        }

        @Test func theTimeOfTheNextRequestCountsFromTheLastAnswer() {
            var deadline = RequestDeadline(now: 0)
            var armed = deadline.ended(now: 15_000, keepAliveMilliseconds: keepAlive)
            #expect(armed == nil, "the timer that is set is early and sets itself anew")
            #expect(deadline.check(now: 20_000, keepAliveMilliseconds: keepAlive) == .wait(milliseconds: 15_000))
            _ = deadline.began(.rest, now: 21_000)
            armed = deadline.ended(now: 22_000, keepAliveMilliseconds: 2_000)
            #expect(armed == 2_000, "the timer of the request would be late")
            #expect(deadline.check(now: 24_000, keepAliveMilliseconds: 2_000) == .close)
        }

        @Test func aBodyThatIsPassedOverHasHadItsAnswer() {
            var deadline = RequestDeadline(now: 0)
            _ = deadline.began(.rest, now: 10)
            let armed = deadline.began(.unwantedBody, now: 500)
            #expect(armed == limit, "a new wait, with a clock of its own")
            #expect(deadline.check(now: 8_499, keepAliveMilliseconds: keepAlive) == .wait(milliseconds: 1))
            #expect(deadline.check(now: 8_500, keepAliveMilliseconds: keepAlive) == .close)
        }
    }
#endif
