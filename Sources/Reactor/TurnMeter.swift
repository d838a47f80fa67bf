/// How long the turns of one loop take. It reads no clock of its own: a turn ends where the loop looks how long it may sleep, or else where the
/// next one begins.
struct TurnMeter: Equatable {
    /// Of the turns since it was last taken.
    private(set) var longestNanoseconds: UInt64 = 0
    private var end: MonotonicTime?

    /// The turn is over; what follows is sleep.
    mutating func sleeps(at time: MonotonicTime) { end = time }

    /// The next turn begins.
    mutating func begins(at time: MonotonicTime, after last: MonotonicTime) {
        longestNanoseconds = max(longestNanoseconds, (end ?? time).nanosecondsSince(last))
        end = nil
    }

    /// Begins anew.
    mutating func take() -> UInt64 {
        defer { longestNanoseconds = 0 }
        return longestNanoseconds
    }
}
