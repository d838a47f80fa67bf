#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    @testable import Reactor
    import Testing

    /// A connection that asks faster than it takes its answers; the rule itself is in `ReadThrottleTests`.
    @Suite("Reading no faster than answers are taken") struct PausedPeerTests {
        /// Its answer is some times as long.
        private static let call = Array("OPTIONS /apps/a/channels HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        private static let calls = 2_000

        /// A loop whose peer has sent so many calls at once.
        private func bench() throws -> LoopBench {
            let bench = try LoopBench()
            bench.turn(2)
            bench.send(Array(repeatElement(Self.call, count: Self.calls).joined()))
            return bench
        }

        private func answers(_ bench: LoopBench) -> Int { bench.text.ranges(of: "HTTP/1.1 204 ").count }

        @Test func whoTakesTheAnswersGetsThemAll() throws {
            let bench = try bench()
            var wasPaused = false
            for _ in 0..<60 {
                bench.turn(1)
                wasPaused = wasPaused || bench.server.sessions[bench.slot].debt.isPaused
            }
            #expect(wasPaused && answers(bench) == Self.calls)
        }

        @Test func whoTakesThemLateCostsLittleUntilThenAndGetsThemAllToo() throws {
            let bench = try bench()
            for _ in 0..<60 { _ = bench.loop.runTurn(bench.server, mayWait: false) }
            #expect(bench.server.sessions[bench.slot].debt.isPaused)
            let waiting = bench.loop.backlogBytes(bench.slot)
            #expect((1...ReadThrottle.answerBytesMax + ReadThrottle.owedBytesMax).contains(waiting))
            bench.turn(60)
            #expect(answers(bench) == Self.calls)
        }

        @Test func aTurnInWhichSomebodyWasPausedIsFollowedByAnotherAtOnce() throws {
            let bench = try LoopBench()
            bench.turn(2)
            #expect(!bench.server.turn())
            bench.server.readThrottle.pause(bench.slot)
            #expect(bench.server.turn(), "the answers may be with the kernel by then")
            #expect(!bench.server.turn())
        }

        @Test func debtsAddUp() {
            var debt = AnswerDebt()
            debt.add(3)
            debt.add(4)
            #expect(debt.owedBytes == 7)
            debt.add(.max >> 1)
            #expect(debt.owedBytes == .max)
        }

        @Test func whatAPeerAskedForDoesNotMakeItSlow() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let before = bench.server.backlogAllowance(bench.slot)
            bench.server.sessions[bench.slot].debt.add(1_000)
            #expect(bench.server.backlogAllowance(bench.slot) == before + 1_000)
        }
    }
#endif
