#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import PusherProtocol
    @testable import Reactor
    import TestSupport
    import Testing
    import Wire

    @Suite("Refusals: told, logged and counted in one place") struct RefusalTests {
        static let codes: [Row<(refusal: Refusal, kind: RefusalKind, code: Int?)>] = [
            Row("a status", (.http(404, "no"), .http, 404)),
            Row("of a handshake", (.http(426, "no", isHandshake: true), .handshake, 426)),
            Row("of a limit", (.api(APIError(status: 429, text: "no")), .limit, 429)),
            Row("a handshake", (.handshake(.unknownKey), .handshake, 4_001)),
            Row("no proof in time", (.unauthorized, .authorization, 4_009)),
            Row("no room for a request", (.inputTotal(isWebSocket: false), .limit, 503)),
            Row("no room for a message", (.inputTotal(isWebSocket: true), .limit, 4_100)),
            Row(
                "a slow client",
                (.slowConsumer(isWebSocket: true, backlogBytes: 9, .connection), .slowConsumer, 4_100)),
            Row(
                "a slow caller",
                (.slowConsumer(isWebSocket: false, backlogBytes: 9, .backlogs), .slowConsumer, nil)
            ),
        ]

        @Test(arguments: codes) func haveOneKindAndOneCode(
            _ row: Row<(refusal: Refusal, kind: RefusalKind, code: Int?)>
        ) {
            #expect(row.value.refusal.kind == row.value.kind && row.value.refusal.code == row.value.code)
        }

        @Test func onlyWhoIsTooFastIsToldWhenToComeAgain() {
            #expect(Refusal.api(APIError(status: 429, text: "")).answer == .status(429, headers: "Retry-After: 1\r\n"))
            #expect(Refusal.api(APIError(status: 403, text: "")).answer == .status(403))
            #expect(
                Refusal.inputTotal(isWebSocket: false).answer
                    == .status(503, headers: "Retry-After: 1\r\n", closes: true))
        }

        @Test func anEndInGoodOrderIsNoRefusal() {
            for why in [TransportClose.peerClosed, .reset, .local] { #expect(Refusal(why) == nil) }
            for why in [TransportClose.timeout, .overflow, .error(5)] { #expect(Refusal(why)?.kind == .transport) }
            #expect(Refusal(.tooSlow)?.kind == .slowConsumer)
        }

        /// What a peer does, and the counter that knows of it.
        static let deeds: [Row<(kind: RefusalKind, count: UInt64, deed: @Sendable (LoopBench) -> Void)>] = [
            Row(
                "asks for what is not there", (.http, 1, { $0.send(Array("GET /x HTTP/1.1\r\nHost: x\r\n\r\n".utf8)) })),
            Row("sends no request", (.http, 1, { $0.send(Array("hello\r\n\r\n".utf8)) })),
            Row(
                "signs wrongly",
                (.auth, 1, { $0.send(Array("GET /apps/app-id/channels?auth_key=x HTTP/1.1\r\nHost: x\r\n\r\n".utf8)) })),
            Row("is not let in", (.handshake, 1, { $0.connect("protocol=4") })),
            Row(
                "speaks no WebSocket",
                (
                    .webSocket, 1,
                    {
                        $0.connect()
                        $0.send([0xFF, 0xFF])
                    }
                )),
            Row(
                "sends what is no message, twice",
                (
                    .message, 2,
                    {
                        $0.connect()
                        $0.send(frame: 1, Array("hello".utf8))
                        $0.send(frame: 1, Array("again".utf8))
                    }
                )),
            Row(
                "subscribes without proof",
                (
                    .subscription, 1,
                    {
                        $0.connect()
                        $0.send(frame: 1, Array(#"{"event":"pusher:subscribe","data":{"channel":"private-x"}}"#.utf8))
                    }
                )),
        ]

        @Test(arguments: deeds)
        func eachIsCountedByItsKind(
            _ row: Row<(kind: RefusalKind, count: UInt64, deed: @Sendable (LoopBench) -> Void)>
        ) throws {
            let bench = try LoopBench()
            bench.turn(2)
            #expect(bench.server.log.counts.refusals == RefusalCounts())
            row.value.deed(bench)
            bench.turn(4)
            for kind in RefusalKind.allCases {
                #expect(
                    bench.server.log.counts.refusals[kind] == (kind == row.value.kind ? row.value.count : 0), "\(kind)")
            }
        }

        @Test func whatTheBrokerDidNotNoteOneByOneIsCountedToo() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.connect()
            for _ in 0..<200 { bench.send(frame: 1, Array("hello".utf8)) }
            bench.turn(20)
            #expect(bench.server.log.counts.refusals[.message] == 200)
        }
    }
#endif
