@testable import Reactor
import Testing

/// What is kept of the frames of a turn when there is no room for all of them.
@Suite("No room for a leftover") struct BacklogRoomTests {
    /// A connection is sent 3,000 and 100,000 bytes, of which the kernel takes 1,000.
    private func outcome(total: Int) -> (Bench, FlushOutcome) {
        var options = LoopOptions()
        options.backlogs = BacklogLedger(limitBytes: total)
        let bench = Bench(connections: 1, options)
        bench.sink.windows[0] = 1_000
        for count in [3_000, 100_000] { bench.outbox.send(serverFrame([UInt8](repeating: 7, count: count)), to: 0) }
        return (bench, bench.table.flush(entry: 0, bench.outbox, &bench.sink))
    }

    @Test func ifTheBegunMessageFitsItsRestIsKeptAndTheClientIsTold() {
        let (bench, outcome) = outcome(total: 50_000)
        let notice = bench.table.overflowing.waiting.first
        #expect(outcome == .refused && notice?.isCut == false && notice?.overflow.cause == .backlogs)
        #expect(bench.table.states[0].backlogCount == 3_004 - 1_000)
        bench.outbox.reset()
    }

    @Test func ifNotEvenThatFitsItIsCut() {
        let (bench, outcome) = outcome(total: 1_000)
        let notice = bench.table.overflowing.waiting.first
        #expect(outcome == .cut && notice?.isCut == true && notice?.overflow.cause == .backlogs)
        #expect(bench.table.states[0].backlog == nil && bench.table.backlogs.usedBytes == 0)
        bench.outbox.reset()
    }

    @Test func theRestOfARecordIsCountedAlsoWhenThereIsNoRoom() {
        let ledger = BacklogLedger(limitBytes: 100)
        var share = BacklogShare(of: ledger)
        share.count(recordBytes: 5_000, instead: 0)
        let (used, isPressed) = (share.usedBytes, ledger.isPressed)
        #expect(used == 5_000 && isPressed)
        share.count(recordBytes: 200, instead: 5_000)
        share.release(recordBytes: 200)
        let left = share.usedBytes
        #expect(left == 0 && ledger.budget.reservedBytes == 0)
    }

    @Test func besideTheBegunMessageThereIsRoomForTheLastWords() {
        let (bench, _) = outcome(total: 50_000)
        #expect(bench.table.states[0].backlogCapacity == 3_004 - 1_000 + 512)
        bench.outbox.reset()
    }

    @Test func whatTheKernelTookOfAMessageIsCounted() {
        let (bench, _) = outcome(total: 1 << 30)
        #expect(bench.table.statistics.bytesOut == 1_000 && bench.table.statistics.shortWrites == 1)
        bench.outbox.reset()
    }

    @Test func aBacklogIsAsOldAsItsFirstByte() {
        var options = LoopOptions()
        options.backlogs = BacklogLedger(limitBytes: 1 << 30)
        let bench = Bench(connections: 1, options)
        bench.table.tick = 100
        bench.outbox.send(serverFrame([1]), to: 0)
        bench.flush()
        let isStalled = bench.table.isStalled(0)
        bench.table.tick = 105
        let isStalledLater = bench.table.isStalled(0)
        #expect(!isStalled && isStalledLater)
    }

    /// It was finished, and before its turn came somebody else needed its memory.
    @Test func whoOverflowsBeforeItsLastFramesAreFlushedDoesNotGetThem() {
        var options = LoopOptions()
        options.backlogs = BacklogLedger(limitBytes: 150_000)
        let bench = Bench(connections: 2, options)
        bench.outbox.send(serverFrame([UInt8](repeating: 1, count: 100_000)), to: 0)
        bench.flush()
        bench.outbox.send(serverFrame([UInt8](repeating: 2, count: 60_000)), to: 1)
        bench.outbox.send(serverFrame([3]), to: 0)
        bench.outbox.mark(0, Outbox.refusing)
        bench.table[0].flags.insert([.finishing, .sealed])
        let other = bench.table.flush(entry: 0, bench.outbox, &bench.sink)
        #expect(other == .backlogged && bench.overflowed == [0])
        let own = bench.table.flush(entry: 1, bench.outbox, &bench.sink)
        #expect(own == .skipped && bench.table.states[0].backlog == nil, "nothing of its message was begun")
        bench.outbox.reset()
    }
}
