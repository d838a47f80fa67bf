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
}
