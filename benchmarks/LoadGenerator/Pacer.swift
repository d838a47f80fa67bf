/// What a job has to do next.
enum Due<Action: Equatable>: Equatable {
    /// This, at once; it counts as done.
    case now(Action)
    /// Nothing before that time, on the monotonic clock in nanoseconds.
    case later(UInt64)
    /// Nothing before something happens: an answer, a delivery, a free connection.
    case waiting
    /// Nothing any more.
    case over
}

/// A fixed timetable: the k-th event is due at `start + k / rate`, however late the earlier ones were.
struct Pacer: Sendable {
    private let start: UInt64
    private let interval: Double
    private(set) var count: UInt64 = 0

    init(start: UInt64, ratePerSecond: Double) {
        self.start = start
        interval = 1e9 / ratePerSecond
    }

    /// When the next event is due.
    var next: UInt64 { start &+ UInt64(Double(count) * interval) }

    mutating func step() { count += 1 }

    /// The next event, by the time it is due at.
    mutating func take(now: UInt64, before end: UInt64 = .max) -> Due<UInt64> {
        let due = next
        guard due < end else { return .over }
        guard due <= now else { return .later(due) }
        step()
        return .now(due)
    }
}
