#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Crypto
    import PusherProtocol
    @testable import Reactor
    import Testing

    @Suite("A keyed publish that another loop is making") struct PostponedPublishTests {
        private let body = Array(#"{"name":"e","channel":"c","data":"d"}"#.utf8)

        @Test func waitsForItAndGetsItsAnswerAndWhatFollowsWaitsToo() throws {
            let bench = try LoopBench()
            let (server, app) = (bench.server, bench.app)
            // The other loop begins.
            let header = Array("k".utf8)
            let claim = IdempotencyClaim(
                key: try IdempotencyKey.of(header: header.span, body: nil),
                fingerprint: PublishFingerprint.of(.event, query: APIQuery(), body: body.span))
            let store = server.state.shared.broker.idempotency
            let now = BrokerTime(milliseconds: bench.loop.now.nanoseconds / 1_000_000, unixSeconds: WallClock.seconds())
            guard case .claimed(let claimed) = store.claim([claim], app: app, time: now),
                case .new(let ticket) = claimed[0]
            else {
                Issue.record("the key is new")
                return
            }
            bench.send(bench.call("POST", "/events", ["X-Idempotency-Key: k"], body: body))
            bench.send(Array("GET /ready HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
            bench.turn()
            #expect(bench.heard.isEmpty, "it waits, and so does the request behind it")
            #expect(server.later.postponed.count == 1)
            // The other loop is done.
            store.settle(ticket, answer: Array(#"{"from":"the other"}"#.utf8))
            bench.turn()
            let parts = bench.text.split(separator: "HTTP/1.1 200 OK")
            #expect(parts.count == 2)
            #expect(parts.first?.contains("X-Idempotency-Replayed: true") == true)
            #expect(parts.first?.hasSuffix(#"{"from":"the other"}"#) == true)
            #expect(parts.last?.hasSuffix("OK") == true)
            #expect(server.later.postponed.isEmpty && server.state.shared.inputBudget.reservedBytes == 0)
        }
    }
#endif
