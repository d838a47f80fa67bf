public import Telemetry

/// How a loop spends its time, and how long what it was given took to reach the kernel. Plain numbers of the loop's thread.
///
/// It costs no look at the clock: a turn ends with the one that its sleep is planned by, or with the next turn's own.
public struct LoopTimings: Sendable {
    /// Turns, from the moment the kernel answered to the end of the flush.
    public private(set) var turns = DurationHistogram()
    /// The longest of them since `takeLongestTurn`.
    private var longestNanoseconds: UInt64 = 0
    /// How late each tick was, up to a millisecond of which is the kernel's rounding.
    public private(set) var lag = DurationHistogram()
    /// What `EventLoop.noteQueued` told of, from its stamp to the end of the flush that sent it.
    public private(set) var sends = DurationHistogram()

    /// Told and not flushed: the newest stamp, how many have it, and the older ones.
    private var (newest, newestCount): (UInt32, UInt64) = (0, 0)
    private var older: [(stamp: UInt32, count: UInt64)] = []
    /// Of the turn that has not ended; 0: none.
    private var beganNanoseconds: UInt64 = 0

    /// A moment in 1,024 ns, truncated: differences mean something for an hour. Never 0.
    public static func stamp(of time: MonotonicTime) -> UInt32 {
        UInt32(truncatingIfNeeded: time.nanoseconds >> 10) | 1
    }

    @inline(__always)
    mutating func beginTurn(at time: MonotonicTime) { beganNanoseconds = time.nanoseconds }

    /// Ends the turn, unless that was done. With `isFlushed` nothing waits for a slice.
    @inline(__always)
    mutating func endTurn(at time: MonotonicTime, isFlushed: @autoclosure () -> Bool) {
        guard beganNanoseconds != 0 else { return }
        let passed = time.nanoseconds &- beganNanoseconds
        turns.add(nanoseconds: passed)
        longestNanoseconds = max(longestNanoseconds, passed)
        beganNanoseconds = 0
        if newestCount > 0, isFlushed() { settle(at: time) }
    }

    mutating func takeLongestTurn() -> UInt64 {
        defer { longestNanoseconds = 0 }
        return longestNanoseconds
    }

    mutating func ticked(lateNanoseconds: UInt64) { lag.add(nanoseconds: lateNanoseconds) }

    @inline(__always)
    mutating func noteQueued(_ stamp: UInt32) {
        if stamp == newest || newestCount == 0 {
            newest = stamp
            newestCount &+= 1
        } else {
            shelve(stamp)
        }
    }

    /// Events of another turn follow in the same flush: at most as many turns as one may deliver events.
    @inline(never)
    private mutating func shelve(_ stamp: UInt32) {
        older.append((newest, newestCount))
        (newest, newestCount) = (stamp, 1)
    }

    @inline(__always)
    private mutating func settle(at time: MonotonicTime) {
        let now = Self.stamp(of: time)
        if !older.isEmpty { settleOlder(now) }
        if newestCount == 1 {
            sends.add(nanoseconds: Self.nanoseconds(from: newest, to: now))
        } else {
            sends.add(nanoseconds: Self.nanoseconds(from: newest, to: now), count: newestCount)
        }
        newestCount = 0
    }

    @inline(never)
    private mutating func settleOlder(_ now: UInt32) {
        for one in older { sends.add(nanoseconds: Self.nanoseconds(from: one.stamp, to: now), count: one.count) }
        older.removeAll(keepingCapacity: older.capacity <= 64)
    }

    /// 0 where another loop's clock was read a moment later than ours.
    private static func nanoseconds(from stamp: UInt32, to now: UInt32) -> UInt64 {
        UInt64(max(0, Int32(bitPattern: now &- stamp))) << 10
    }
}
