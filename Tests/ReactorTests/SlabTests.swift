import CLinux
@testable import Reactor
import Testing

@Suite("The slab of connections") struct SlabTests {
    private func close(_ bench: Bench, _ slots: some Sequence<UInt32>) {
        for slot in slots {
            bench.table.kill(slot, bench.outbox)
            bench.table.retire(slot)
        }
        bench.table.endRest()
    }

    @Test func theEndOfTheSlabGoesWhenMostHaveLeft() {
        let bench = Bench(connections: 3_000)
        #expect(bench.table.capacity >= 3_000 && bench.slotCapacity >= 3_000)
        close(bench, 10..<3_000)
        bench.table.releaseUnused(bench.outbox)
        #expect(bench.table.used == 10 && bench.table.capacity == ConnectionTable.slotsKept)
        #expect(bench.slotCapacity == ConnectionTable.slotsKept)
        #expect((0..<10).allSatisfy { bench.table.states[$0].isOpen() && bench.takes(UInt32($0)) })
        // It grows again, and every slot is handed out once.
        let slots = (0..<2_000).map { bench.table.open(CInt($0), bench.outbox) }
        #expect(Set(slots) == Set(10..<2_010))
    }

    @Test func aLateSlotInUseKeepsTheSlab() {
        let bench = Bench(connections: 3_000)
        let capacity = bench.table.capacity
        close(bench, 0..<2_999)
        bench.table.releaseUnused(bench.outbox)
        #expect(bench.table.used == 3_000 && bench.table.capacity == capacity)
    }

    @Test func aSlabThatIsMoreThanAQuarterFullStays() {
        let bench = Bench(connections: 4_096)
        close(bench, 1_025..<4_096)
        bench.table.releaseUnused(bench.outbox)
        #expect(bench.table.used == 4_096)
        close(bench, 900..<1_025)
        bench.table.releaseUnused(bench.outbox)
        #expect(bench.table.used == 900 && bench.table.capacity == 1_800)
    }

    @Test func aSlotMadeAgainHasAGenerationThatNoEventOfItsFormerLifeCarries() {
        let bench = Bench(connections: 2_000)
        var former: UInt32 = 0
        for _ in 0..<5 {  // one slot lives often
            former = bench.table.states[1_999].generation
            close(bench, [1_999])
            _ = bench.table.open(1_999, bench.outbox)
        }
        close(bench, 0..<2_000)
        bench.table.releaseUnused(bench.outbox)
        #expect(bench.table.used == 0)
        for number in 0..<2_000 { _ = bench.table.open(CInt(number), bench.outbox) }
        #expect((0..<2_000).allSatisfy { bench.table.states[$0].generation > former })
    }

    @Test func framesReachTheRightOnesAfterTheSlabShrank() {
        let bench = Bench(connections: 1_024)
        close(bench, 4..<1_024)
        bench.table.releaseUnused(bench.outbox)
        for slot in 0..<4 { bench.sink.windows[slot] = .max }
        let bytes = serverFrame([1, 2, 3])
        let frame = bench.frame(bytes)
        for slot in 0..<4 { bench.outbox.queue(frame, to: UInt32(slot)) }
        bench.flush()
        #expect((0..<4).allSatisfy { bench.sink.received[$0] == bytes })
    }

    @Test("a loop tells its handler how many slots are left, once they have gone with a tick")
    func aLoopShrinksAtATick() throws {
        let script = Script()
        let loop = try EventLoop.manual()
        var far: [CInt] = []
        for _ in 0..<600 { far.append(try loop.pair(script).peer) }
        #expect(loop.slotCount == 600)
        for peer in far[2...] { hangUp(peer) }
        #expect(loop.turns(script) { loop.connectionCount == 2 })
        loop.turns(2, script)
        #expect(loop.slotCount == 600, "no tick has passed")
        #expect(loop.turns(script, millisecondsEach: 100) { loop.slotCount == 2 })
        for peer in far[..<2] { hangUp(peer) }
    }

    @Test func whileAFlushIsUnfinishedTheSlabStays() throws {
        let script = Script()
        let loop = try EventLoop.manual { $0.sendsPerTurn = 4 }
        let pairs = try (0..<600).map { _ in try loop.pair(script) }
        for pair in pairs[100...] { hangUp(pair.peer) }
        #expect(loop.turns(script) { loop.connectionCount == 100 })
        #expect(loop.turnsUntilQuiet(script), "each event allows sends")
        let frame = [UInt8]([1]).withUnsafeBytes { loop.outbox.frame($0) }
        pairs[..<100].map(\.slot).withUnsafeBufferPointer { loop.outbox.queue(frame, to: $0) }
        loop.advance(milliseconds: 100)
        loop.turns(1, script)
        #expect(loop.outbox.isFlushing && loop.slotCount == 600)
        while loop.outbox.isFlushing { loop.turns(1, script) }
        #expect(loop.turns(script, millisecondsEach: 100) { loop.slotCount == 100 })
        for pair in pairs[..<100] {
            let peer = Peer(pair.peer)
            peer.read(2)
            #expect(peer.received == [1])
        }
    }
}
