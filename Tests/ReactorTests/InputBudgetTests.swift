import CLinux
@testable import Reactor
import Testing

@Suite("Unfinished input of all connections has one budget") struct InputBudgetTests {
    /// A handler that never consumes, and refuses as the server does: it ends the connection.
    private func keeper(_ loop: EventLoop) -> (script: Script, refused: () -> [UInt32]) {
        final class Heard { var slots: [UInt32] = [] }
        let heard = Heard(), script = Script()
        script.onReceived = { _, _ in 0 }
        script.onInputRefused = { slot in
            heard.slots.append(slot)
            loop.finish(slot, lingerNanoseconds: 1_000_000_000)
        }
        return (script, { heard.slots })
    }

    /// What the buffers of a loop's connections have allocated.
    private func held(_ loop: EventLoop) -> Int { loop.table.inputShare.usedBytes }

    @Test func loopsShareItAndWhoeverWouldPassItIsRefused() throws {
        let budget = ProcessBudget(limitBytes: 30_000)
        let (first, second) = try (
            EventLoop.manual { $0.inputBudget = budget }, EventLoop.manual { $0.inputBudget = budget }
        )
        let (one, other) = (keeper(first), keeper(second))
        let holder = try first.pair(one.script), late = try second.pair(other.script)
        let (holding, arriving) = (Peer(holder.peer), Peer(late.peer))
        #expect(holding.send([UInt8](repeating: 1, count: 25_000)) == 25_000)
        #expect(first.turns(one.script) { held(first) == 25_000 })
        #expect(arriving.send([UInt8](repeating: 1, count: 10_000)) == 10_000)
        #expect(second.turns(other.script) { other.refused() == [late.slot] })
        #expect(one.refused() == [] && budget.refusalCount == 1 && held(first) == 25_000 && held(second) == 0)
        holding.close()
        first.abort(holder.slot)
        first.turns(2, one.script)
        #expect(budget.reservedBytes == 0)
    }

    @Test func aHandlerThatSaysNothingLosesTheConnection() throws {
        let loop = try EventLoop.manual { $0.inputBudget = ProcessBudget(limitBytes: 1) }
        let script = Script()
        script.onReceived = { _, _ in 0 }
        let pair = try loop.pair(script), peer = Peer(pair.peer)
        #expect(peer.send([UInt8](repeating: 1, count: 5_000)) == 5_000)
        #expect(loop.turns(script) { script.closes.count == 1 })
        #expect(script.closes[0].why == .overflow)
    }

    @Test func aConnectionWithLittleInputIsReadOnWhenTheBudgetIsUsedUp() throws {
        let budget = ProcessBudget(limitBytes: 1)
        let loop = try EventLoop.manual { $0.inputBudget = budget }
        let keeper = keeper(loop)
        let pair = try loop.pair(keeper.script), peer = Peer(pair.peer)
        var seen = 0
        keeper.script.onReceived = { _, bytes in
            seen = bytes.count
            return 0
        }
        for sent in [100, 1_000, 2_000, 4_000] {
            #expect(peer.send([UInt8](repeating: 1, count: sent - seen)) == sent - seen)
            #expect(loop.turns(keeper.script) { seen == sent })
        }
        #expect(keeper.refused() == [] && held(loop) <= 4_096)
        #expect(peer.send([UInt8](repeating: 1, count: 200)) == 200)
        #expect(loop.turns(keeper.script) { keeper.refused() == [pair.slot] })
        #expect(budget.reservedBytes == 0, "what is dropped is given back at once")
    }

    @Test func whoDribblesHoldsWhatItSentAndNotABuffer() throws {
        let budget = ProcessBudget()
        let loop = try EventLoop.manual { $0.inputBudget = budget }
        let keeper = keeper(loop)
        let pair = try loop.pair(keeper.script), peer = Peer(pair.peer)
        for sent in 1...20 {
            #expect(peer.send([1]) == 1)
            #expect(loop.turns(keeper.script) { loop.statistics.inputBytes == sent })
            #expect(held(loop) <= 4_096)
        }
    }

    @Test func whatIsConsumedLeavesNothingBehind() throws {
        let budget = ProcessBudget()
        let loop = try EventLoop.manual { $0.inputBudget = budget }
        let script = Script()
        // All but the last byte, once it is much.
        script.onReceived = { _, bytes in bytes.count < 100_000 ? 0 : bytes.count - 1 }
        let pair = try loop.pair(script), peer = Peer(pair.peer)
        loop.inputLimit(pair.slot, bytes: 200_000)
        var rest = 100_000
        while rest > 0 {
            rest -= max(0, peer.send([UInt8](repeating: 1, count: min(rest, 10_000))))
            loop.turns(1, script)
        }
        #expect(loop.turns(script) { loop.statistics.inputBytes == 1 })
        #expect(held(loop) <= 4_096, "the buffer of a large message does not stay for the byte behind it")
    }

    @Test func theLastBytesOfALargeMessageDoNotDoubleItsBuffer() throws {
        let budget = ProcessBudget()
        let loop = try EventLoop.manual { $0.inputBudget = budget }
        let keeper = keeper(loop)
        let pair = try loop.pair(keeper.script), peer = Peer(pair.peer)
        loop.inputLimit(pair.slot, bytes: 300_000)
        var rest = 299_000
        while rest > 0 {
            rest -= max(0, peer.send([UInt8](repeating: 1, count: min(rest, 10_000))))
            loop.turns(1, keeper.script)
        }
        #expect(loop.turns(keeper.script) { loop.statistics.inputBytes == 299_000 })
        #expect(held(loop) <= 299_000 + 256 * 1_024)
    }
}
