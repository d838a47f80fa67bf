#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import TestSupport
    import Testing

    /// The heartbeat of a connection, from the bytes it sends to those it gets; the rule itself is in `HeartbeatTests`.
    @Suite("Who is alive (PW-026, PW-027, PW-028)") struct LivenessTests {
        private static let ping: [UInt8] = [0x89, 0]

        private func bench() throws -> LoopBench {
            let bench = try LoopBench(
                app: { $0.activityTimeoutSeconds = 10 }, settings: { $0.pongTimeoutSeconds = 5 })
            bench.turn(2)
            bench.connect()
            _ = bench.takeHeard()
            return bench
        }

        static let proofs: [Row<[UInt8]>] = [
            Row("a pong frame", [0x8A, 0x80, 0, 0, 0, 0]),
            Row("a pong frame with other payload", [0x8A, 0x81, 0, 0, 0, 0, 0x78]),
            Row("a ping frame", [0x89, 0x80, 0, 0, 0, 0]),
            Row("a pong event", [0x81, 0x80 | 23, 0, 0, 0, 0] + #"{"event":"pusher:pong"}"#.utf8),
            Row("half a frame", [0x81, 0x85, 0, 0]),
        ]

        @Test(arguments: proofs) func whateverComesAfterThePingProvesLife(_ row: Row<[UInt8]>) throws {
            let bench = try bench()
            bench.pass(milliseconds: 10_200)
            #expect(bench.heard == Self.ping)
            bench.send(row.value)
            bench.pass(milliseconds: 6_000)
            #expect(bench.server.sessions[bench.slot].phase == .webSocket)
            // After it comes silence, which is a whole one again.
            bench.pass(milliseconds: 9_400)
            #expect(bench.server.sessions[bench.slot].phase == .ending)
            #expect(bench.text.contains("4201"))
        }

        @Test func whoIsSilentIsPingedOnceAndThenClosed() throws {
            let bench = try bench()
            bench.pass(milliseconds: 9_900)
            #expect(bench.heard.isEmpty)
            bench.pass(milliseconds: 4_900)
            #expect(bench.heard == Self.ping)
            bench.pass(milliseconds: 500)
            #expect(bench.server.sessions[bench.slot].phase == .ending && bench.text.contains("4201"))
        }

        /// Whoever pings by himself, by event or by frame, is never asked.
        @Test(
            arguments: [
                [0x89, 0x80, 0, 0, 0, 0], [0x81, 0x80 | 23, 0, 0, 0, 0] + #"{"event":"pusher:ping"}"#.utf8,
            ] as [[UInt8]]) func whoPingsInTimeIsNotPinged(message: [UInt8]) throws
        {
            let bench = try bench()
            for _ in 0..<8 {
                bench.pass(milliseconds: 5_000)
                #expect(bench.heard.isEmpty)
                bench.send(message)
                bench.turn(2)
                let answer = bench.takeHeard()
                #expect(message[0] == 0x89 ? answer.utf8.count < 10 : answer.contains("pusher:pong"))
            }
            #expect(bench.server.sessions[bench.slot].phase == .webSocket)
        }

        @Test func whoProvesNothingInTimeIsClosed() throws {
            let bench = try LoopBench(app: {
                ($0.authorizedConnectionsRequired, $0.authorizationTimeoutSeconds) = (true, 3)
            })
            bench.turn(2)
            bench.connect()
            bench.pass(milliseconds: 2_900)
            #expect(bench.server.sessions[bench.slot].phase == .webSocket)
            bench.pass(milliseconds: 300)
            #expect(bench.server.sessions[bench.slot].phase == .ending)
            #expect(bench.text.contains("4009") && bench.server.log.counts.refusals[.authorization] == 1, "PW-122")
        }
    }
#endif
