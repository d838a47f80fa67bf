@testable import Reactor
import TestSupport
import Testing

/// What is due at once, so that the loop does not ask the kernel to wake it.
@Suite("A loop does not sleep while something is due") struct SleepTests {
    private let script = Script()

    static let rows: [Row<@Sendable (inout DueCalls, EventToken) -> Void>] = [
        Row("a close that its handler has not heard of", { $0.closing.append(($1.slot, .local)) }),
        Row("a connection that was adopted", { $0.adopted.append(.init(token: $1, peer: PeerAddress(), listener: 0)) }),
        Row("input of a connection that was resumed", { $0.replays.append($1) }),
        Row("what a layer may hold", { $0.rereads.append($1) }),
        Row("an end", { $0.ended.append($1) }),
    ]

    @Test(arguments: rows) func isDue(_ row: Row<@Sendable (inout DueCalls, EventToken) -> Void>) {
        var due = DueCalls()
        #expect(!due.areWaiting)
        row.value(&due, EventToken(slot: 1, generation: 1))
        #expect(due.areWaiting)
    }

    @Test func whoIsAdoptedInATurnIsOpenedInTheNextAtOnce() throws {
        let loop = try EventLoop.manual()
        var opened = 0
        script.onOpened = { _, _, _ in opened += 1 }
        let ends = try socketPair()
        #expect(loop.runTurn(script, mayWait: false))
        var waiting: CInt? = ends.0
        script.onTurn = {
            if let raw = waiting.take() { _ = try? loop.adopt(Descriptor(owning: raw)) }
            return false
        }
        #expect(!loop.runTurn(script, mayWait: false) && opened == 0)
        #expect(loop.runTurn(script, mayWait: false) && opened == 1)
        Peer(ends.1).close()
    }

    @Test func whoIsResumedInATurnIsHeardInTheNextAtOnce() throws {
        let loop = try EventLoop.manual()
        let pair = try loop.pair(script)
        let peer = Peer(pair.peer)
        var heard = 0
        script.onReceived = { slot, bytes in
            heard += 1
            if heard == 1 { loop.pauseReading(slot) }
            return heard == 1 ? 0 : bytes.count
        }
        #expect(peer.send([1]) == 1)
        #expect(loop.runTurn(script, mayWait: false) && heard == 1)
        script.onTurn = {
            loop.resumeReading(pair.slot)
            return false
        }
        #expect(!loop.runTurn(script, mayWait: false) && heard == 1)
        #expect(loop.runTurn(script, mayWait: false) && heard == 2)
    }

    @Test func whoIsClosedWhileAnotherCloseIsToldIsToldOfAtOnce() throws {
        let loop = try EventLoop.manual()
        let (one, other) = (try loop.pair(script), try loop.pair(script))
        script.onClosed = { slot, _ in if slot == one.slot { loop.abort(other.slot) } }
        loop.abort(one.slot)
        #expect(!loop.runTurn(script, mayWait: false) && script.closes.map(\.slot) == [one.slot])
        #expect(loop.runTurn(script, mayWait: false) && script.closes.map(\.slot) == [one.slot, other.slot])
        for pair in [one, other] { Peer(pair.peer).close() }
    }
}
