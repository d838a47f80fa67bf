/// One timer per connection in 100 ms steps, lazily: re-arming to a later time only stores the deadline; when the old bucket comes up,
/// the slot is filed again. A message therefore never touches the wheel, and 100,000 idle timers cost nothing per turn.
///
/// A slot's valid entry is the one filed under its `filedTick`; others (re-armed to an earlier time, closed) are void when they fire.
struct TimerWheel {
    static let stepNanoseconds: UInt64 = 100_000_000
    static let bucketCount = 2_048

    private let origin: MonotonicTime
    private var buckets = [ContiguousArray<EventToken>](repeating: [], count: TimerWheel.bucketCount)
    /// The last tick that was served; 0 at start.
    private(set) var tick: UInt32 = 0
    /// When the next tick is due.
    private(set) var nextTickTime: MonotonicTime

    init(origin: MonotonicTime) {
        self.origin = origin
        nextTickTime = origin.after(nanoseconds: Self.stepNanoseconds)
    }

    /// The tick that has passed at a time.
    func passedTick(at time: MonotonicTime) -> UInt32 {
        UInt32(clamping: time.nanosecondsSince(origin) / Self.stepNanoseconds)
    }

    /// The first tick that is not before `time`, and in the future: a timer is up to a step late, never early.
    func deadlineTick(at time: MonotonicTime) -> UInt32 {
        let steps = time.after(nanoseconds: Self.stepNanoseconds - 1).nanosecondsSince(origin) / Self.stepNanoseconds
        return max(UInt32(clamping: steps), tick &+ 1)
    }

    /// Files an entry; a deadline beyond the wheel's span is filed at its end and filed again from there.
    /// - Returns: the tick under which it was filed.
    mutating func file(_ token: EventToken, deadlineTick: UInt32) -> UInt32 {
        let at = min(deadlineTick, tick &+ UInt32(Self.bucketCount - 1))
        buckets[Int(at) % Self.bucketCount].append(token)
        return at
    }

    /// Entries filed, void ones among them. O(buckets): for tests.
    var entryCount: Int { buckets.reduce(0) { $0 + $1.count } }

    /// Steps to the next tick and takes its entries (the bucket's memory goes with them).
    mutating func step(into due: inout SlicedQueue<EventToken>) {
        tick &+= 1
        nextTickTime = nextTickTime.after(nanoseconds: Self.stepNanoseconds)
        let index = Int(tick) % Self.bucketCount
        guard !buckets[index].isEmpty else { return }
        for entry in buckets[index] { due.append(entry) }
        buckets[index] = []
    }
}
