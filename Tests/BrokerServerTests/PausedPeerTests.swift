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

        @Test func aCallerWhoWentAheadWaitsWhileDeliveriesAreLeftBehind() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.readThrottle.noteDeliveries(queuedBytes: 100_000)
            bench.server.readThrottle.noteAhead(&bench.server.sessions[bench.slot].debt, bytes: 5_000)
            bench.send(Self.call)
            // Behind no longer, which it finds out in this turn, after it has read.
            bench.turn(1)
            #expect(bench.heard.isEmpty && bench.server.sessions[bench.slot].debt.isPaused)
            #expect(!bench.server.readThrottle.areDeliveriesBehind)
            // Resumed, and heard in the turn that follows.
            bench.turn(2)
            #expect(answers(bench) == 1 && !bench.server.sessions[bench.slot].debt.isPaused)
        }

        /// A turn leaves so much behind; then the peer asks, or publishes.
        @Test(arguments: [
            ("GET", 10 << 20, 1), ("HEAD", 10 << 20, 1), ("POST", 10 << 20, 0), ("POST", 20_000, 1),
        ])
        func whoOnlyAsksIsAnsweredHoweverMuchIsBehind(method: String, queued: Int, answered: Int) throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.readThrottle.noteDeliveries(queuedBytes: queued)
            let body = method == "POST" ? Array(#"{"name":"e","channel":"c","data":"d"}"#.utf8) : []
            bench.send(bench.call(method, method == "POST" ? "/events" : "/channels/c", body: body))
            bench.turn(1)
            #expect(bench.text.ranges(of: "HTTP/1.1 200 ").count == answered)
        }

        @Test func onePeersPipelineLeavesRoomForOthersInEachTurn() throws {
            let bench = try bench()
            bench.turn(1)
            #expect(answers(bench) == LoopServer.requestsPerRead)
            #expect(bench.loop.due.areWaiting || bench.server.sessions[bench.slot].debt.isPaused)
        }

        @Test func onePeersMessagesLeaveRoomForOthersInEachTurn() throws {
            let bench = try LoopBench()
            bench.connect()
            _ = bench.takeHeard()
            let ping = Array(#"{"event":"pusher:ping","data":{}}"#.utf8)
            bench.send(
                Array(repeatElement([0x81, 0x80 | UInt8(ping.count), 0, 0, 0, 0] + ping, count: 1_000).joined()))
            func pongs() -> Int { bench.text.ranges(of: "pusher:pong").count }
            bench.turn(1)
            #expect(pongs() == LoopServer.messagesPerRead)
            bench.turn(20)
            #expect(pongs() == 1_000 && !bench.server.sessions[bench.slot].debt.isPaused)
        }

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
