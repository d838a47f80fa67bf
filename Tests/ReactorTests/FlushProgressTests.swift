@testable import Reactor
import TestSupport
import Testing

@Suite("What of the arena is flushed when") struct FlushProgressTests {
    @Test func aTurnThatFitsIntoOneSliceIsOver() {
        var progress = FlushProgress()
        #expect(progress.takeFresh(entryCount: 3).isEmpty && progress.isNew)
        #expect(progress.beginSlice(entriesMax: 10) == 0..<3 && !progress.isLate)
        progress.advance(to: 3)
        #expect(!progress.isUnfinished)
    }

    @Test func whatIsQueuedMeanwhileGoesFirstAndWhole() {
        var progress = FlushProgress()
        _ = progress.takeFresh(entryCount: 10)
        #expect(progress.beginSlice(entriesMax: 4) == 0..<4)
        progress.advance(to: 3)  // so many bytes that the slice was cut
        #expect(progress.isUnfinished)
        #expect(progress.takeFresh(entryCount: 15) == 10..<15 && !progress.isNew && !progress.isLate)
        #expect(progress.beginSlice(entriesMax: 4) == 3..<7 && progress.isLate)
        progress.advance(to: 7)
        #expect(progress.takeFresh(entryCount: 15).isEmpty)
        #expect(progress.beginSlice(entriesMax: 4) == 7..<10)
        progress.advance(to: 10)
        #expect(!progress.isUnfinished)
    }

    @Test("every entry is flushed once, the fresh ones in the turn they were queued in", arguments: 0..<100)
    func model(seed: Int) {
        var random = SeededRandom(seed: seed)
        var progress = FlushProgress()
        var flushed: Set<Int> = []
        var entries = 0
        for _ in 0..<40 {
            let wasUnfinished = progress.isUnfinished
            let before = entries
            entries += random.int(0...20)
            let fresh = progress.takeFresh(entryCount: entries)
            #expect(fresh == (wasUnfinished ? before..<entries : entries..<entries), "seed \(seed)")
            let slice = progress.beginSlice(entriesMax: random.int(1...8))
            #expect(progress.isLate == wasUnfinished)
            let until = slice.isEmpty ? slice.lowerBound : random.int(slice.lowerBound + 1...slice.upperBound)
            progress.advance(to: until)
            for entry in [Array(fresh), Array(slice.lowerBound..<until)].joined() {
                #expect(flushed.insert(entry).inserted, "seed \(seed)")
            }
            #expect(progress.isUnfinished || flushed == Set(0..<entries), "seed \(seed)")
        }
    }
}
