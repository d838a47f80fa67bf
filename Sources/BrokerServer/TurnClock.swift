internal import Reactor

/// The clocks of one loop, each read no more often than its users need. Loop thread only.
struct TurnClock {
    private var told = MonotonicTime(nanoseconds: 0)
    /// The wall clock, read once a turn and again for each request: who signs is told to the second.
    private(set) var unixSeconds = WallClock.seconds()

    /// Whether this is the first call of the turn that began at `now`.
    @inline(__always)
    mutating func begins(_ now: MonotonicTime) -> Bool {
        guard told != now else { return false }
        told = now
        readWall()
        return true
    }

    mutating func readWall() { unixSeconds = WallClock.seconds() }
}
