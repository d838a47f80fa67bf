#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import PusherProtocol
    @testable import Reactor
    import Testing

    /// More is published than one turn may deliver.
    @Suite("Callers while deliveries are left behind") struct DeliveriesBehindTests {
        private static let call = Array("GET /ready HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        /// Two turns' worth of events.
        private static let events = 2 * TurnAllowance.bytesMax / 10_000

        /// A loop that has left deliveries behind in its last turn, and a subscriber that they are for.
        private func bench() throws -> (LoopBench, BenchPeer) {
            let bench = try LoopBench(settings: { $0.backlogBytesMax = 64 << 20 })
            let subscriber = try BenchPeer(bench)
            subscriber.subscribe(to: "crowd")
            for _ in 0..<Self.events { try bench.publish(to: "crowd", bytes: 10_000) }
            bench.turn(1)
            #expect(bench.server.broker.queuedBytes > ReadThrottle.queuedBytesMax)
            return (bench, subscriber)
        }

        @Test func aPublisherIsNotReadUntilTheyAreTakenAndThenAnswered() throws {
            let (bench, subscriber) = try bench()
            bench.send(bench.call("POST", "/events", body: Array(#"{"name":"e","channel":"c","data":"d"}"#.utf8)))
            var turns = 0
            repeat {
                bench.turn(1)
                #expect(bench.heard.isEmpty && bench.server.sessions[bench.slot].debt.isPaused)
                turns += 1
            } while bench.server.broker.queuedBytes > ReadThrottle.queuedBytesMax && turns < 10
            #expect((1...3).contains(turns))
            bench.turn(3)
            #expect(bench.text.hasPrefix("HTTP/1.1 200 ") && !bench.server.sessions[bench.slot].debt.isPaused)
            for _ in 0..<1_000 where subscriber.heard.count < Self.events * 10_000 {
                subscriber.read()
                bench.turn(1)
            }
            #expect(subscriber.text.ranges(of: #""event":"e""#).count == Self.events)
        }

        @Test func aWebSocketClientIsHeardMeanwhile() throws {
            let (bench, subscriber) = try bench()
            let ping = #"{"event":"pusher:ping"}"#
            subscriber.send([0x81, 0x80 | UInt8(ping.utf8.count), 0, 0, 0, 0] + ping.utf8)
            bench.turn(1)
            #expect(!bench.server.sessions[subscriber.slot].debt.isPaused)
            #expect(bench.server.sessions[subscriber.slot].debt.owedBytes > 0, "it was answered")
        }

        @Test func withNothingLeftACallerIsAnsweredAtOnce() throws {
            let (bench, _) = try bench()
            for _ in 0..<10 where bench.server.broker.hasWork { bench.turn(1) }
            bench.send(Self.call)
            bench.turn(1)
            #expect(bench.text.hasPrefix("HTTP/1.1 200 "))
        }
    }
#endif
