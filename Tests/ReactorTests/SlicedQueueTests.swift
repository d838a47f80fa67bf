@testable import Reactor
import TestSupport
import Testing

@Suite("A queue that is worked off in slices") struct SlicedQueueTests {
    @Test("gives out everything once, oldest first", arguments: 0..<4)
    func model(seed: Int) {
        var random = SeededRandom(seed: seed)
        var queue = SlicedQueue<Int>()
        var (added, taken) = (0, 0)
        for round in 0..<60 {
            // Grows for a while, then shrinks; never empty for long, so that the front is dropped while something waits.
            for _ in 0..<random.int(0...(round < 30 ? 1_500 : 300)) {
                queue.append(added)
                added += 1
            }
            for _ in 0..<random.int(0...1_000) {
                guard let next = queue.popFirst() else { break }
                #expect(next == taken, "seed \(seed)")
                taken += 1
            }
            #expect(queue.count == added - taken && queue.isEmpty == (added == taken), "seed \(seed)")
            #expect(queue.waiting.elementsEqual(taken..<added), "seed \(seed)")
        }
        while let next = queue.popFirst() {
            #expect(next == taken)
            taken += 1
        }
        #expect(taken == added && queue.isEmpty)
    }

    @Test func oneThatIsNeverEmptyDoesNotGrowForEver() {
        var queue = SlicedQueue<Int>()
        queue.append(0)
        for number in 1..<100_000 {
            queue.append(number)
            _ = queue.popFirst()
            #expect(queue.waiting.endIndex <= 2 * SlicedQueue<Int>.keptMax)
        }
    }

    @Test func theMemoryOfALongOneGoesWhenItIsEmptyAndThatOfAShortOneStays() {
        var queue = SlicedQueue<Int>()
        for number in 0..<100 { queue.append(number) }
        while queue.popFirst() != nil {}
        #expect(queue.waiting.capacity >= 100)
        for number in 0..<3 * SlicedQueue<Int>.keptMax { queue.append(number) }
        while queue.popFirst() != nil {}
        #expect(queue.waiting.capacity < SlicedQueue<Int>.keptMax)
    }
}
