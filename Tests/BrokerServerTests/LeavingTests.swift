#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import PusherProtocol
    @testable import Reactor
    import Testing

    @Suite("Who leaves, and who has come instead") struct LeavingTests {
        /// What the broker has noted names the socket, and there is none once the client has left.
        @Test func whatWasNotedOfAClientIsToldWhileItHasAName() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.connect()
            let message = Array("hello".utf8)
            bench.server.broker.receive(slot: bench.slot, message: message.span)
            #expect(bench.server.broker.hasNotes && bench.server.log.counts.refusals[.message] == 0)
            bench.server.end(bench.slot, .idle, .finish(.error(.reconnect)))
            #expect(!bench.server.broker.hasNotes && bench.server.log.counts.refusals[.message] == 1)
            #expect(!bench.server.broker.isOpen(bench.slot))
            bench.turn(2)
            #expect(bench.server.log.counts.refusals[.message] == 1, "once")
        }

        /// While the server drains, slots are remembered from its beginning on.
        @Test func aCallerWhoHasTheSlotOfAClientThatWasToBeSentAwayStays() throws {
            let bench = try LoopBench(settings: { $0.shutdownGraceSeconds = 1 })
            bench.turn(2)
            bench.connect()
            let other = try BenchPeer(bench)
            other.subscribe(to: "c")
            #expect(other.slot > bench.slot)
            bench.server.state.shared.isDraining = true
            bench.pass(milliseconds: 100)
            #expect(bench.server.sessions.slots(in: .webSocket).count == 2, "nobody's time has come")
            bench.loop.abort(bench.slot)
            bench.turn(3)
            let caller = try BenchPeer(bench)
            try #require(caller.slot == bench.slot)
            bench.pass(milliseconds: 900)
            #expect(bench.server.sessions[caller.slot].phase == .http)
            caller.send("GET /ready HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
            bench.turn(2)
            caller.read()
            #expect(caller.text.hasPrefix("HTTP/1.1 503 "))
        }

        @Test func allAreSentAwayEvenlyBeforeTheGraceIsOver() throws {
            let bench = try LoopBench(settings: { $0.shutdownGraceSeconds = 1 })
            let peers = try (0..<10).map { _ in
                let peer = try BenchPeer(bench)
                peer.subscribe(to: "c")
                return peer
            }
            bench.server.state.shared.isDraining = true
            for tick in 1...10 {
                bench.pass(milliseconds: 100)
                let left = bench.server.sessions.slots(in: .webSocket).count
                // It begins with a tick after the first, and the window is four fifths of the grace.
                #expect(left == 10 - 10 * max(0, tick - 2) / 8)
            }
            withExtendedLifetime(peers) {}
        }
    }
#endif
