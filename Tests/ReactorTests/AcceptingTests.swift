internal import CLinux
@testable import Reactor
import Testing

@Suite("Clients for whom there is no descriptor") struct AcceptingTests {
    /// A loop with a listener, whose clients are refused with one byte.
    private static func make(clientDescriptorsEnd: CInt) throws -> (loop: EventLoop, connect: () -> Peer) {
        let loop = try EventLoop.manual {
            $0.clientDescriptorsEnd = clientDescriptorsEnd
            $0.refusal = [7]
            $0.acceptsPerTurn = 2
        }
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 512)
        let port = try #require(PeerAddress.parse(host: "127.0.0.1", port: listener.port)).port
        loop.listen(on: listener, tag: 0)
        return (
            loop,
            {
                let raw = clinux_connect("127.0.0.1", port)
                precondition(raw >= 0, "the listener has room")
                _ = clinux_set_nonblocking(raw)
                return Peer(raw)
            }
        )
    }

    @Test func theyAreToldAndClosedAndTheReserveStays() throws {
        let (loop, connect) = try Self.make(clientDescriptorsEnd: 0)
        let (script, reserve) = (Script(), loop.acceptor.reserve)
        var opened = 0
        script.onOpened = { _, _, _ in opened += 1 }
        let peers = (0..<2).map { _ in connect() }
        #expect(loop.turns(script, until: { loop.statistics.acceptsRefused == 2 }))
        for peer in peers {
            #expect(
                loop.turns(
                    script,
                    until: {
                        peer.read(10); return peer.sawEnd
                    }))
            #expect(peer.received == [7])
        }
        #expect(opened == 0 && loop.connectionCount == 0 && loop.acceptor.reserve == reserve && reserve >= 0)
    }

    @Test func theListenerRestsThenSoThatManyDoNotKeepTheLoopBusy() throws {
        let (loop, connect) = try Self.make(clientDescriptorsEnd: 0)
        let script = Script()
        let peers = (0..<5).map { _ in connect() }
        for refused in [2, 4, 5] {
            #expect(loop.turns(script, until: { loop.statistics.acceptsRefused == refused }))
            loop.turns(10, script)
            #expect(loop.statistics.acceptsRefused == refused, "until the next tick")
            loop.advance(milliseconds: 100)
        }
        _ = peers
    }

    @Test func belowTheEndTheyAreServed() throws {
        let (loop, connect) = try Self.make(clientDescriptorsEnd: .max)
        let script = Script()
        let peers = (0..<3).map { _ in connect() }
        #expect(loop.turns(script, until: { loop.connectionCount == 3 }))
        #expect(loop.statistics.acceptsRefused == 0)
        _ = peers
    }
}
