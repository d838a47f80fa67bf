@testable import Reactor
import TestSupport
import Testing

/// Whom the backlogs of a process send away when together they hold too much.
@Suite("The process's memory for slow peers") struct OffenderTests {
    private func options(limit: Int, total: Int = 1 << 30) -> LoopOptions {
        var options = LoopOptions()
        options.backlogBytesMax = limit
        options.backlogs = BacklogLedger(limitBytes: total)
        return options
    }

    private func frame(_ count: Int, _ byte: UInt8 = 7) -> [UInt8] {
        serverFrame([UInt8](repeating: byte, count: count))
    }

    @Test("the sum of all loops' backlogs stays below the limit, capacity counted", arguments: 0..<20)
    func processBound(seed: Int) {
        var random = SeededRandom(seed: seed)
        let options = options(limit: 1 << 20, total: 600_000)
        let benches = (0..<3).map { _ in Bench(connections: 20, options) }
        var sent = [[[[UInt8]]]](repeating: Array(repeating: [], count: 20), count: 3)
        for turn in 0..<200 {
            let bench = Int.random(in: 0..<3, using: &random)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let bytes = frame(.random(in: 0...12_000, using: &random), UInt8(truncatingIfNeeded: turn))
                let index = benches[bench].frame(bytes)
                for slot in UInt32(0)..<20 where Int.random(in: 0...3, using: &random) > 0 {
                    guard benches[bench].outbox.takes(slot) else { continue }
                    benches[bench].outbox.queue(index, to: slot)
                    sent[bench][Int(slot)].append(bytes)
                }
            }
            for slot in 0..<20 where Int.random(in: 0...9, using: &random) == 0 {
                benches[bench].sink.windows[slot] = Int.random(in: 0...30_000, using: &random)
            }
            benches[bench].flush()
            benches[bench].table.relievePressure(benches[bench].outbox)
            let capacity = benches.reduce(0) { sum, one in
                sum + (0..<20).reduce(0) { $0 + Int(one.table.states[$1].backlogCapacity) }
            }
            #expect(capacity == benches.reduce(0) { $0 + $1.table.backlogs.usedBytes })
            #expect(capacity <= options.backlogs.budget.reservedBytes && capacity <= 600_000)
        }
        #expect(benches.contains { !$0.overflowed.isEmpty })
        for (number, bench) in benches.enumerated() {
            #expect(Set(bench.overflowed).count == bench.overflowed.count, "each once")
            let cut = bench.table.overflowing.waiting.filter(\.isCut).map { Int($0.token.slot) }
            for slot in 0..<20 where !cut.contains(slot) {  // those are reset
                bench.sink.windows[slot] = .max
                bench.drain(UInt32(slot))
                let frames = splitFrames(bench.sink.received[slot])
                #expect(
                    frames?.elementsEqual(sent[number][slot].prefix(frames?.count ?? 0)) == true, "a gapless beginning")
                let isWhole = frames?.count == sent[number][slot].count
                #expect(isWhole || bench.overflowed.contains(UInt32(slot)), "frames are lost by overflow only")
            }
        }
        #expect(benches.allSatisfy { $0.table.statistics.backlogBytes == 0 && $0.table.backlogs.usedBytes == 0 })
        #expect(benches.allSatisfy { $0.table.backlogs.worstClass == 0 } && !options.backlogs.hasMember(above: 0))
    }

    @Test func theLargestGoFirstAndTheSmallAreServed() {
        let bench = Bench(connections: 5, options(limit: 1 << 20, total: 200_000))
        let sizes = [30_000, 60_000, 20_000, 5_000, 70_000]
        for (slot, size) in sizes.enumerated() {
            bench.outbox.send(frame(size), to: UInt32(slot))
            bench.flush()
        }
        #expect(bench.overflowed.isEmpty)
        bench.outbox.send(frame(30_000), to: 3)
        bench.flush()
        #expect(bench.overflowed == [4], "the largest has to make room")
        #expect(bench.table.states[3].backlogCount == 5_004 + 30_004)
        bench.outbox.send(frame(100_000), to: 0)
        bench.flush()
        #expect(bench.overflowed == [4, 0], "who would be the largest goes itself")
    }

    @Test func theFirstLeftoverIsBoundedToo() {
        let bench = Bench(connections: 10, options(limit: 1 << 20, total: 100_000))
        let index = bench.frame(frame(40_000))
        for slot in UInt32(0)..<10 {
            bench.sink.windows[Int(slot)] = 10
            bench.outbox.queue(index, to: slot)
        }
        bench.flush()
        #expect(bench.table.backlogs.usedBytes <= 100_000)
        #expect(bench.table.statistics.overflowsOfProcess == bench.table.statistics.overflows)
        #expect(bench.table.options.backlogs.budget.refusalCount == bench.table.statistics.overflows)
        #expect(bench.table.statistics.overflows > 0)
    }

    @Test func aLoopWithTheWorstOffendersMakesRoomForAnotherLoopBeforeItIsFull() {
        let options = options(limit: 1 << 20, total: 400_000)
        let (rich, poor) = (Bench(connections: 4, options), Bench(connections: 4, options))
        for slot in UInt32(0)..<4 { rich.outbox.send(frame(88_000), to: slot) }
        rich.flush()
        for slot in UInt32(0)..<4 { poor.outbox.send(frame(2_000), to: slot) }
        poor.flush()
        #expect(options.backlogs.isPressed && poor.overflowed.isEmpty)
        poor.table.relievePressure(poor.outbox)
        #expect(poor.overflowed.isEmpty, "nobody here is among the worst")
        rich.table.relievePressure(rich.outbox)
        #expect(rich.overflowed.count == 1 && !options.backlogs.isPressed)
    }

    @Test func whenMemoryIsShortTheWorstGoUntilTheRestHasRoom() {
        let options = options(limit: 1 << 20, total: 2_000_000)
        let bench = Bench(connections: 5, options)
        for (slot, size) in [30_000, 60_000, 20_000, 5_000, 90_000].enumerated() {
            bench.outbox.send(frame(size), to: UInt32(slot))
            bench.flush()
        }
        options.backlogs.squeeze(stalled: 70_000, all: nil)
        bench.table.relievePressure(bench.outbox)
        #expect(bench.overflowed.isEmpty, "they have been seen to read a moment ago")
        bench.table.tick &+= 5
        bench.table.relievePressure(bench.outbox)
        #expect(bench.overflowed == [4, 1] && options.backlogs.reservedBytes <= 70_000)
        #expect(bench.table.overflowing.waiting.allSatisfy { $0.overflow.cause == .memory })
        #expect(bench.table.statistics.overflowsOfMemory == 2 && bench.table.statistics.overflowsOfProcess == 0)
        options.backlogs.squeeze(stalled: nil, all: nil)
        #expect(!options.backlogs.isPressed && !options.backlogs.isStrained)
    }

    @Test func whenMemoryIsVeryShortThoseGoTooWhoRead() {
        let options = options(limit: 1 << 20, total: 2_000_000)
        let bench = Bench(connections: 2, options)
        for slot in UInt32(0)..<2 { bench.outbox.send(frame(30_000 * Int(slot + 1)), to: slot) }
        bench.flush()
        options.backlogs.squeeze(stalled: 0, all: 40_000)
        bench.table.relievePressure(bench.outbox)
        #expect(bench.overflowed == [1], "the other fits")
        bench.table.tick &+= 5
        bench.table.relievePressure(bench.outbox)
        #expect(bench.overflowed == [1, 0], "it has not read for a while")
    }

    @Test func aSqueezeGivesNoMoreThanTheBacklogsOwnLimit() {
        let options = options(limit: 1 << 20, total: 80_000)
        let bench = Bench(connections: 2, options)
        options.backlogs.squeeze(stalled: 1 << 30, all: 1 << 30)
        bench.outbox.send(frame(76_000), to: 0)
        bench.flush()
        bench.table.relievePressure(bench.outbox)
        #expect(bench.table.overflowing.waiting.map(\.overflow.cause) == [.backlogs])
    }

    @Test func aBacklogThatEndsWithItsConnectionIsGivenBackAtOnce() {
        let bench = Bench(connections: 2, options(limit: 1 << 20))
        for slot in UInt32(0)..<2 { bench.outbox.send(frame(50_000), to: slot) }
        bench.flush()
        bench.table.kill(0, bench.outbox)
        #expect(bench.table.backlogs.usedBytes == Int(bench.table.states[1].backlogCapacity))
        bench.table.kill(1, bench.outbox)
        #expect(bench.table.backlogs.usedBytes == 0 && bench.table.backlogs.worstClass == 0)
    }

    // MARK: Who reads and who does not

    // MARK: Who reads and who does not

    /// Ten connections owe as much; some of them take a little now and then.
    private func benchOfTen(total: Int, readers: Set<Int>) -> Bench {
        let bench = Bench(connections: 10, options(limit: 1 << 20, total: total))
        for _ in 0..<8 {
            let index = bench.frame(frame(5_000))
            for slot in UInt32(0)..<10 { bench.outbox.queue(index, to: slot) }
        }
        bench.flush()
        bench.table.tick = 20
        for slot in readers {
            bench.sink.windows[slot] = 100
            bench.drain(UInt32(slot))
        }
        return bench
    }

    @Test("whoever reads stays while somebody owes much and does not", arguments: 0..<10)
    func readersStay(first: Int) {
        let readers: Set<Int> = [first, (first + 1) % 10, (first + 5) % 10]
        let bench = benchOfTen(total: 420_000, readers: readers)
        #expect(bench.overflowed.isEmpty)
        // The readers' backlogs grow most.
        for _ in 0..<3 {
            for slot in readers { bench.outbox.send(frame(10_000), to: UInt32(slot)) }
            bench.flush()
            bench.table.relievePressure(bench.outbox)
        }
        #expect(!bench.overflowed.isEmpty && readers.isDisjoint(with: bench.overflowed.map(Int.init)))
    }

    @Test func beforeTheBudgetIsAlmostUsedUpOnlyThoseGoWhoDoNotRead() {
        let bench = benchOfTen(total: 440_000, readers: Set(1..<10))
        #expect(bench.table.options.backlogs.isPressed && !bench.table.options.backlogs.isStrained)
        bench.table.relievePressure(bench.outbox)
        #expect(bench.overflowed == [0])
    }

    @Test func ifEverybodyReadsTheLargestGo() {
        let bench = benchOfTen(total: 436_000, readers: Set(0..<10))
        #expect(bench.table.options.backlogs.isStrained)
        bench.table.relievePressure(bench.outbox)
        #expect(bench.overflowed.count == 1 && !bench.table.options.backlogs.isPressed)
    }

    @Test func whoReadsGoesBeforeSomebodyWhoOwesMuchLessAndDoesNot() {
        let bench = Bench(connections: 2, options(limit: 1 << 20, total: 170_000))
        bench.outbox.send(frame(5_000), to: 0)
        bench.outbox.send(frame(150_000), to: 1)
        bench.flush()
        bench.table.tick = 20
        bench.sink.windows[1] = 1
        bench.drain(1)
        bench.outbox.send(frame(20_000), to: 0)
        bench.flush()
        #expect(bench.overflowed == [1])
    }

    @Test func aSearchIsShortHoweverManyOweAsMuch() {
        let bench = Bench(connections: 3_000, options(limit: 1 << 20, total: 1 << 30))
        let index = bench.frame(frame(5_000))
        for slot in UInt32(0)..<3_000 { bench.outbox.queue(index, to: slot) }
        bench.flush()
        bench.table.tick = 20
        for slot in UInt32(0)..<3_000 where slot != 2_900 { bench.table.states[Int(slot)].movedTick = 20 }
        var searches = 0
        while bench.table.worstOffender(except: .max)?.isStalled != true, searches < 1_000 { searches += 1 }
        #expect(searches > 100 && searches < 200, "each looks at some, and goes on where the last one stopped")
        #expect(bench.table.worstOffender(except: .max)?.isStalled == false)
    }

    @Test func whoDoesNotReadGoesBeforeReadersOfAnotherLoopThatHoldALittleMore() {
        let options = options(limit: 1 << 20, total: 400_000)
        let (reading, stalled) = (Bench(connections: 2, options), Bench(connections: 2, options))
        for slot in UInt32(0)..<2 {
            stalled.outbox.send(frame(60_000), to: slot)
            reading.outbox.send(frame(115_000), to: slot)
        }
        stalled.flush()
        stalled.table.tick = 20
        reading.flush()
        #expect(options.backlogs.isPressed && !options.backlogs.isStrained)
        reading.table.relievePressure(reading.outbox)
        #expect(reading.overflowed.isEmpty, "they have just begun")
        stalled.table.relievePressure(stalled.outbox)
        #expect(stalled.overflowed.count == 1)
    }

    @Test func aTurnSendsAwayABoundedNumber() {
        var options = options(limit: 1 << 20, total: 100_000)
        options.overflowsPerTurn = 2
        let bench = Bench(connections: 20, options)
        let index = bench.frame(frame(4_000))
        for slot in UInt32(0)..<20 { bench.outbox.queue(index, to: slot) }
        bench.flush()
        bench.table.tick = 20
        // Another part of the process holds the rest.
        let isTaken = options.backlogs.budget.acquire(60_000, withinGrace: true)
        #expect(isTaken && bench.overflowed.isEmpty)
        bench.table.relievePressure(bench.outbox)
        #expect(bench.overflowed.count == 2 && options.backlogs.isPressed)
        bench.table.relievePressure(bench.outbox)
        #expect(bench.overflowed.count == 4)
        options.backlogs.budget.give(60_000)
    }
}
