#if DEBUG
    @testable import BrokerCore
    @testable import BrokerServer
    import Configuration
    import PusherProtocol
    @testable import Reactor
    import TestSupport
    import Testing

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
                    deed: { $0.server.overflowed($0.slot, Overflow(waitingBytes: 9, isOfProcess: false)) }, code: 4_100)
            ),
            Row("no room for its message", Case(deed: { $0.server.inputRefused($0.slot) }, code: 4_100)),
            Row(
                "the server's own end",
                Case(
                    deed: {
                        $0.server.state.shared.isDraining = true
                        $0.pass(milliseconds: 300)
                    }, code: 4_200)),
            Row("its leaving without a word", Case(deed: { $0.hangUp() })),
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
        }
    }
#endif
