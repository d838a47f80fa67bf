#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import PusherProtocol
    @testable import Reactor
    import Testing

    /// What of a publish reaches whom, through the loop's own turns.
    @Suite("Deliveries of one loop") struct FanOutTests {
        private func subscribers(_ count: Int, _ bench: LoopBench) throws -> [BenchPeer] {
            try (0..<count).map { _ in
                let peer = try BenchPeer(bench)
                peer.subscribe(to: "c")
                return peer
            }
        }

        private func events(_ peer: BenchPeer) -> Int {
            peer.read()
            return peer.text.ranges(of: #""event":"e""#).count
        }

        @Test func whoIsLeftOutHearsNothing() throws {
            let bench = try LoopBench()
            let peers = try subscribers(3, bench)
            var id: [UInt8] = []
            bench.server.broker.socketID(of: peers[1].slot).append(to: &id)
            let name = String(decoding: id, as: UTF8.self)
            bench.send(
                bench.call(
                    "POST", "/events",
                    body: Array(#"{"name":"e","channel":"c","data":"d","socket_id":"\#(name)"}"#.utf8)))
            bench.turn(3)
            #expect(bench.text.hasPrefix("HTTP/1.1 200 ") && peers.map(events) == [1, 0, 1])
        }

        @Test func whileAFlushIsUnfinishedTheNextDeliveriesWait() throws {
            let bench = try LoopBench(options: { $0.sendsPerTurn = 4 })
            let peers = try subscribers(10, bench)
            try bench.publish(to: "c", bytes: 10)
            bench.turn(1)
            #expect(bench.loop.outbox.isFlushing && bench.server.broker.queuedBytes == 0)
            try bench.publish(to: "c", bytes: 10)
            bench.turn(1)
            #expect(bench.loop.outbox.isFlushing && bench.server.broker.queuedBytes > 0)
            bench.turn { peers.allSatisfy { events($0) == 2 } }
            #expect(peers.allSatisfy { events($0) == 2 } && bench.server.broker.queuedBytes == 0)
        }

        @Test func whoeverIsGoneHasLeftTheChannelSoon() throws {
            let bench = try LoopBench()
            let peers = try subscribers(2, bench)
            #expect(bench.app.channelCount == 1)
            for peer in peers { peer.hangUp() }
            bench.turn(5)
            #expect(bench.server.broker.departuresWaiting == 0 && bench.app.channelCount == 0)
        }

        @Test func aSubscriberOfManyChannelsMayOweMore() throws {
            let bench = try LoopBench(settings: { $0.backlogBytesMax = 1 })
            let peer = try BenchPeer(bench)
            peer.subscribe(to: "c")
            let one = bench.server.backlogAllowance(peer.slot) - Int(bench.server.sessions[peer.slot].debt.owedBytes)
            let message = Array(#"{"event":"pusher:subscribe","data":{"channel":"d"}}"#.utf8)
            peer.send([0x81, 0x80 | UInt8(message.count), 0, 0, 0, 0] + message)
            bench.turn(2)
            let two = bench.server.backlogAllowance(peer.slot) - Int(bench.server.sessions[peer.slot].debt.owedBytes)
            #expect(bench.server.broker.subscriptionCount(of: peer.slot) == 2 && one > 1 && two == 2 * one)
        }

        @Test func sessionsGoWithTheirClients() throws {
            let bench = try LoopBench()
            let peers = try (0..<2 * SessionTable.pageSize).map { _ in try BenchPeer(bench) }
            #expect(bench.server.sessions.pageCount == 3)
            for peer in peers { peer.hangUp() }
            bench.turn(5)
            bench.pass(milliseconds: 200)
            #expect(bench.server.sessions.pageCount == 1, "its own peer is still here")
        }
    }
#endif
