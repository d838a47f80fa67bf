#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    @testable import Reactor
    import Testing

    /// A connection that asks faster than it takes its answers; the rule itself is in `ReadThrottleTests`.
    @Suite("Reading no faster than answers are taken") struct PausedPeerTests {
        private static let answer = #"{"connections":0}"#

        /// A loop whose peer has sent so many calls at once.
        private func bench(calls: Int) throws -> LoopBench {
            let bench = try LoopBench()
            bench.turn(2)
            let call = bench.call("GET", "/connections")
            bench.send(Array(repeatElement(call, count: calls).joined()))
            return bench
        }

        private func answers(_ bench: LoopBench) -> Int { bench.text.ranges(of: Self.answer).count }

        @Test func whoTakesTheAnswersGetsThemAll() throws {
            let bench = try bench(calls: 800)
            var wasPaused = false
            bench.turn(60) {
                wasPaused = wasPaused || bench.server.sessions[bench.slot].debt.isPaused
                return answers(bench) == 800
            }
            #expect(wasPaused && answers(bench) == 800)
        }

        @Test func whoTakesThemLateGetsThemAllToo() throws {
            let bench = try bench(calls: 300)
            for _ in 0..<20 {
                _ = bench.loop.runTurn(bench.server, mayWait: false)
            }
            for _ in 0..<3 {
                let call = bench.call("GET", "/connections")
                bench.send(Array(repeatElement(call, count: 100).joined()))
                for _ in 0..<20 { _ = bench.loop.runTurn(bench.server, mayWait: false) }
            }
            bench.turn(80) { answers(bench) == 600 }
            #expect(answers(bench) == 600)
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
