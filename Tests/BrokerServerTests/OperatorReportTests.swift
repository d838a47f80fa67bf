#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import PusherProtocol
    @testable import Reactor
    import Testing

    /// What operators may have told as webhooks: `connection_refused` and `slow_consumer`.
    @Suite("Reports for operators") struct OperatorReportTests {
        private func bench(
            _ kinds: Set<ChannelEdge.Kind> = [.connectionRefused, .slowConsumer],
            app: (inout AppSettings) -> Void = { _ in }
        ) throws -> (LoopBench, EdgeConsumer) {
            let bench = try LoopBench(app: app)
            let registered = bench.server.state.shared.broker.registerConsumer(queueBytesMax: 1 << 20, wake: {})
            let consumer = try #require(registered)
            consumer.setInterest(kinds, in: bench.app)
            bench.turn(2)
            return (bench, consumer)
        }

        private func take(_ consumer: EdgeConsumer) -> [ChannelEdge.Change] {
            var changes: [ChannelEdge.Change] = []
            consumer.take { edge, _ in changes.append(edge.change) }
            return changes
        }

        @Test func aClientOfAKnownAppThatIsNotLetInIsReported() throws {
            let (bench, consumer) = try bench { $0.limits.connectionsMax = 0 }
            bench.connect()
            #expect(
                take(consumer) == [
                    .connectionRefused(.init(code: 4004, reason: PusherErrorCode.overQuota.text, address: "unix"))
                ])
        }

        @Test func itsReasonHoldsNoSecret() throws {
            let (bench, consumer) = try bench { $0.allowedOrigins = ["shop.example"] }
            bench.send(
                Array(
                    ("GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: x\r\nOrigin: http://app-secret\r\n"
                        + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").utf8))
            bench.turn(3)
            guard case .connectionRefused(let refusal) = take(consumer).first else {
                return #expect(Bool(false), "it was refused")
            }
            #expect(refusal.code == 4009 && refusal.reason.contains("is not allowed for this app"))
            #expect(!refusal.reason.contains("app-secret"))
        }

        @Test func aClientThatDoesNotReadIsReportedWithItsName() throws {
            let (bench, consumer) = try bench()
            bench.connect()
            let socketID = bench.server.broker.socketID(of: bench.slot)
            bench.server.overflowed(bench.slot, Overflow(waitingBytes: 99, cause: .connection))
            bench.turn(2)
            #expect(
                take(consumer) == [
                    .slowConsumer(
                        .init(
                            socketID: socketID, reason: "the unsent backlog passed backlogBytes", address: "unix",
                            backlogBytes: 99))
                ])
        }

        @Test func whatIsOfNoAppOrNoConnectionIsNotReported() throws {
            let (bench, consumer) = try bench { $0.limits.connectionsMax = 0 }
            // Its app is not known; it calls the API; it does not take an answer of the API.
            bench.send(
                Array(
                    ("GET /app/other?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").utf8))
            bench.turn(3)
            #expect(bench.text.contains("4001"))
            let other = try BenchPeer(bench)
            other.send("GET /apps/app-id/channels HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
            bench.turn(2)
            bench.server.overflowed(other.slot, Overflow(waitingBytes: 9, cause: .connection))
            bench.turn(2)
            #expect(take(consumer).isEmpty)
        }

        @Test func nobodyIsToldWhoDidNotAsk() throws {
            let (bench, consumer) = try bench([.slowConsumer]) { $0.limits.connectionsMax = 0 }
            bench.connect()
            #expect(take(consumer).isEmpty && consumer.dropped(.connectionRefused) == 0)
        }
    }
#endif
