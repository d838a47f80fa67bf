import TestSupport
import Testing

@testable import LoadGenerator

@Suite struct DeliveryTrackerTests {
    @Test(arguments: [
        Row("all in order", ([0, 1, 2, 3], 4, 0, 0, 0)),
        Row("nothing came", ([], 5, 5, 0, 0)),
        Row("the last is missing", ([0, 1], 3, 1, 0, 0)),
        Row("one gap", ([0, 2, 3], 4, 1, 0, 0)),
        Row("two swapped", ([0, 2, 1, 3], 4, 0, 0, 1)),
        Row("one twice", ([0, 1, 1, 2], 3, 0, 1, 0)),
        Row("a late one twice", ([0, 2, 1, 1], 3, 0, 1, 1)),
        Row("the first is missing", ([1, 2], 3, 1, 0, 0)),
        Row("a gap of a hundred", ([0, 101], 102, 100, 0, 0)),
        Row("a gap of sixty-four", ([0, 65], 66, 64, 0, 0)),
        Row("a gap that the window forgets", ([0] + Array(2...200), 201, 1, 0, 0)),
    ])
    func `what came is told apart`(row: Row<([UInt32], UInt32, Int, Int, Int)>) {
        let (arrivals, sent, lost, duplicated, reordered) = row.value
        var tracker = DeliveryTracker()
        var counted = (duplicated: 0, reordered: 0)
        for sequence in arrivals {
            switch tracker.arrived(sequence) {
            case .duplicate: counted.duplicated += 1
            case .reordered: counted.reordered += 1
            case .inOrder, .afterGap: break
            }
        }
        #expect(tracker.lost(sent: sent) == lost)
        #expect(counted.duplicated == duplicated)
        #expect(counted.reordered == reordered)
    }

    @Test(arguments: 1...20)
    func `random loss, doubling and swaps are counted exactly`(seed: Int) {
        var random = SeededRandom(seed: seed)
        var tracker = DeliveryTracker()
        var lost = 0, duplicated = 0, seenDuplicated = 0
        var held: UInt32?
        for sequence in 0..<UInt32(5_000) {
            if random.oneIn(10) {
                lost += 1
                continue
            }
            if held == nil, random.oneIn(10) {
                held = sequence
                continue
            }
            if tracker.arrived(sequence) == .duplicate { seenDuplicated += 1 }
            if random.oneIn(20) {
                duplicated += 1
                if tracker.arrived(sequence) == .duplicate { seenDuplicated += 1 }
            }
            if let late = held, random.oneIn(5) || sequence - late > 30 {
                _ = tracker.arrived(late)
                held = nil
            }
        }
        if let held { _ = tracker.arrived(held) }
        #expect(tracker.lost(sent: 5_000) == lost)
        #expect(seenDuplicated == duplicated)
    }
}

@Suite struct StampTests {
    @Test(arguments: 1...10)
    func `a stamp is read as it was written`(seed: Int) {
        var random = SeededRandom(seed: seed)
        let stamp = Stamp(
            scheduled: random.next(), delay: UInt32(truncatingIfNeeded: random.next()),
            channel: UInt32(truncatingIfNeeded: random.next()), publisher: UInt32(random.int(0...100)),
            sequence: UInt32(truncatingIfNeeded: random.next()))
        var bytes: [UInt8] = []
        stamp.append(to: &bytes)
        #expect(bytes.count == Stamp.byteCount)
        #expect(bytes.allSatisfy { $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C && $0 < 0x7F })
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return }
            #expect(Stamp.isMarked(base))
            #expect(Stamp.read(base) == stamp)
        }
    }
}
