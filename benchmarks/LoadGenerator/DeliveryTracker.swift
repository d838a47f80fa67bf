/// Which of one publisher's events one subscriber has got: counts lost, duplicated and reordered ones exactly, as long as an event is not
/// more than 64 behind the newest.
struct DeliveryTracker: Equatable, Sendable {
    /// The sequence number that is due.
    private(set) var next: UInt32 = 0
    /// Bit i: `next - 1 - i` has not come.
    private var missing: UInt64 = 0
    /// Gaps older than the window.
    private(set) var givenUp: UInt32 = 0

    /// What an arrival was.
    enum Arrival: Equatable { case inOrder, afterGap, reordered, duplicate }

    @inline(__always)
    mutating func arrived(_ sequence: UInt32) -> Arrival {
        if sequence == next {
            advance(by: 1)
            return .inOrder
        }
        return outOfLine(sequence)
    }

    /// How many of the first `sent` events have not come.
    func lost(sent: UInt32) -> Int {
        Int(givenUp) + missing.nonzeroBitCount + (sent > next ? Int(sent - next) : 0)
    }

    @inline(never)
    private mutating func outOfLine(_ sequence: UInt32) -> Arrival {
        if sequence > next {
            skip(sequence - next)
            advance(by: 1)
            return .afterGap
        }
        let age = next - 1 - sequence
        guard age < 64, missing & (1 << UInt64(age)) != 0 else { return .duplicate }
        missing &= ~(1 << UInt64(age))
        return .reordered
    }

    private mutating func skip(_ count: UInt32) {
        if count >= 64 {
            givenUp += UInt32(missing.nonzeroBitCount) + (count - 64)
            missing = .max
            next += count
        } else {
            advance(by: count)
            missing |= (1 << UInt64(count)) - 1
        }
    }

    /// Moves the window; `count` is 1...63.
    @inline(__always)
    private mutating func advance(by count: UInt32) {
        if missing != 0 {
            givenUp += UInt32((missing >> (64 - UInt64(count))).nonzeroBitCount)
            missing <<= UInt64(count)
        }
        next &+= count
    }
}
