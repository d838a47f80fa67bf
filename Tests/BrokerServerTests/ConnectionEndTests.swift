#if DEBUG
    @testable import BrokerCore
    @testable import BrokerServer
    import Configuration
    import PusherProtocol
    @testable import Reactor
    import TestSupport
    import Testing
    import Wire

    /// Whatever begins it, an end is one: the client leaves the broker, its place is free again, it is told the code once.
    @Suite("The end of a WebSocket") struct ConnectionEndTests {
        struct Case: Sendable {
            /// What ends it.
            var deed: @Sendable (LoopBench) -> Void
            /// The close code it is told; nil: none.
            var code: UInt16?
            /// After a `pusher:error` of the same code.
            var isError = true
        }

        static let rows: [Row<Case>] = [
            Row("its close frame", Case(deed: { $0.send(frame: 8, [0x0F, 0xA0]) }, code: 4_000, isError: false)),
            Row("frames that are none", Case(deed: { $0.send([0xFF, 0xFF]) }, code: 1_002, isError: false)),
            Row("its silence", Case(deed: { $0.pass(milliseconds: 3_500) }, code: 4_201)),
            Row(
                "the broker",
                Case(
                    deed: { bench in
                        bench.server.broker.effects.close(bench.slot, .unauthorized)
                        bench.server.applyEffects()
                    }, code: 4_009, isError: false)),
            Row(
                "a backlog that is too long",
                Case(
                    deed: { $0.server.overflowed($0.slot, Overflow(waitingBytes: 9, cause: .connection)) }, code: 4_100)
            ),
            Row("no room for its message", Case(deed: { $0.server.inputRefused($0.slot) }, code: 4_100)),
            Row(
                "the server's own end",
                Case(
                    deed: {
                        $0.server.state.shared.isDraining = true
                        $0.pass(milliseconds: 1_000)
                    }, code: 4_200)),
            Row("its leaving without a word", Case(deed: { $0.hangUp() })),
            Row("the kernel", Case(deed: { $0.loop.abort($0.slot) })),
        ]

        @Test(arguments: rows) func isOne(_ row: Row<Case>) throws {
            let bench = try LoopBench(
                app: { $0.activityTimeoutSeconds = 2 },
                settings: { ($0.pongTimeoutSeconds, $0.shutdownGraceSeconds) = (1, 1) })
            let server = bench.server
            bench.turn(2)
            bench.connect()
            #expect(bench.takeHeard().contains("pusher:connection_established"))
            #expect(server.state.shared.webSocketCount == 1 && bench.app.connectionCount == 1)
            row.value.deed(bench)
            bench.turn(4)
            #expect(server.state.shared.webSocketCount == 0 && bench.app.connectionCount == 0)
            #expect([.ending, .free].contains(server.sessions[bench.slot].phase))
            let said = bench.heard
            guard let code = row.value.code else {
                #expect(said.isEmpty && server.sessions[bench.slot].phase == .free)
                return
            }
            let close = said.indices.filter { said[$0] == 0x88 && $0 + 3 < said.count }
            #expect(close.count == 1 && UInt16(said[close[0] + 2]) << 8 | UInt16(said[close[0] + 3]) == code)
            #expect(bench.text.contains(#""code":\#(code)"#) == row.value.isError)
            // Once more, by whatever comes late: nothing is said, and no place is given back twice.
            server.end(bench.slot, .idle, .finish(.error(.reconnect)))
            server.closeWebSocket(bench.slot, .reconnect)
            bench.pass(milliseconds: 6_000)
            #expect(server.state.shared.webSocketCount == 0 && bench.app.connectionCount == 0 && bench.heard == said)
            #expect(server.sessions[bench.slot].phase == .free)
            #expect(server.log.counts.refusals[.transport] == 0, "that its time to answer ran out is no news")
        }

        @Test func whoDoesNotTakeItsLastWordsIsReset() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.connect()
            bench.server.end(bench.slot, .idle, .finish(.error(.reconnect)))
            #expect(bench.server.sessions[bench.slot].phase == .ending)
            bench.server.overflowed(bench.slot, Overflow(waitingBytes: 9, cause: .connection))
            bench.turn(2)
            #expect(bench.server.sessions[bench.slot].phase == .free, "and not when its time to answer is over")
        }

        @Test func aCallerThatIsTooSlowIsReset() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.overflowed(bench.slot, Overflow(waitingBytes: 9, cause: .connection))
            bench.turn(2)
            #expect(bench.server.sessions[bench.slot].phase == .free && bench.heard.isEmpty)
        }

        /// How an HTTP connection ends, and how long its peer has then.
        static let lingers: [Row<(milliseconds: UInt64, deed: @Sendable (LoopBench) -> Void)>] = [
            Row(
                "after its last answer",
                (5_000, { $0.send(Array("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)) })),
            Row("when it has asked nothing for too long", (1_000, { $0.pass(milliseconds: 2_100) })),
        ]

        @Test(arguments: lingers)
        func whoDoesNotCloseIsGivenTime(
            _ row: Row<(milliseconds: UInt64, deed: @Sendable (LoopBench) -> Void)>
        ) throws {
            let bench = try LoopBench(settings: { $0.keepAliveSeconds = 2 })
            bench.turn(2)
            row.value.deed(bench)
            bench.turn { bench.server.sessions[bench.slot].phase == .ending }
            bench.pass(milliseconds: row.value.milliseconds - 500)
            #expect(bench.server.sessions[bench.slot].phase == .ending)
            bench.pass(milliseconds: 1_000)
            #expect(bench.server.sessions[bench.slot].phase == .free)
        }

        @Test func aMessageThatIsNotWholeIsGivenBackToTheBudget() throws {
            let bench = try LoopBench()
            let budget = bench.server.state.shared.inputBudget
            bench.turn(2)
            bench.connect()
            bench.send([0x01, 0x80 | 100, 0, 0, 0, 0] + [UInt8](repeating: 0x78, count: 100))
            bench.turn(2)
            let held = bench.server.sessions[bench.slot].assemblyBytesHeld
            #expect(held >= 100 && budget.reservedBytes == held)
            bench.server.end(bench.slot, .idle, .finish(.error(.reconnect)))
            #expect(budget.reservedBytes == 0 && bench.server.sessions[bench.slot].receiver.assembly.capacity == 0)
        }

        /// What came before in the same read is answered before.
        static let order: [Row<(bytes: [UInt8], last: [UInt8])>] = [
            Row("a ping frame", ([0x89, 0x80, 0, 0, 0, 0], [0x8A, 0])),
            Row("a close frame", ([0x88, 0x82, 0, 0, 0, 0, 0x0F, 0xA0], [0x88, 2, 0x0F, 0xA0])),
            Row("no frame", ([0xFF, 0xFF], [0x88])),
        ]

        @Test(arguments: order) func answersComeInTheOrderOfTheQuestions(
            _ row: Row<(bytes: [UInt8], last: [UInt8])>
        ) throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.connect()
            _ = bench.takeHeard()
            let event = Array(#"{"event":"pusher:ping"}"#.utf8)
            bench.send([0x81, 0x80 | UInt8(event.count), 0, 0, 0, 0] + event + row.value.bytes)
            bench.turn(3)
            let length = 2 + Int(bench.heard.dropFirst().first ?? 0)
            #expect(String(decoding: bench.heard.prefix(length), as: UTF8.self).contains("pusher:pong"))
            #expect(bench.heard.dropFirst(length).starts(with: row.value.last))
        }
    }
#endif
