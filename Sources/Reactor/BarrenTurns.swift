/// Notices a loop that is woken over and over and gets nowhere: a fault of the machine that epoll reports as readiness, each time at once.
///
/// Only turns count that came from the kernel's events and would have slept otherwise.
struct BarrenTurns {
    /// So many in a row are no accident.
    static let max: UInt32 = 64

    private var count: UInt32 = 0
    private var progress: UInt64 = 0

    /// Something was done that the number does not know of.
    mutating func reset() { count = 0 }

    /// - Parameter now: a number that is another as soon as anything was done.
    /// - Returns: whether the loop should rest before it goes on.
    @inline(__always)
    mutating func add(_ now: UInt64) -> Bool {
        guard now == progress else {
            (count, progress) = (0, now)
            return false
        }
        count &+= 1
        guard count > Self.max else { return false }
        count = Self.max
        return true
    }
}

extension LoopStatistics {
    /// Changes with whatever a turn may do with the kernel's events.
    var progress: UInt64 { bytesIn &+ bytesOut &+ accepted &+ acceptsRefused &+ closed &+ wakeups &+ timersFired }
}
