/// One timer per slot in 100 ms steps, lazily: re-arming to a later time only stores the deadline; when the old bucket comes up,
/// the slot is filed again. A message therefore never touches the wheel, and 100,000 idle timers cost nothing per turn.
///
/// A bucket is a ring, and a slot is in one ring at most: moving it to an earlier time takes it out of the later one. An entry outlives its
/// connection and serves the next one of the slot, so that the wheel is as large as the slab, however many come and go.
///
/// ```
/// links    | bucket 0 | … | bucket 2,047 | due | slot 0 | slot 1 | …      each: the next in its ring, and the one before
/// ```
struct TimerWheel {
    static let stepNanoseconds: UInt64 = 100_000_000
    static let bucketCount = 2_048

    /// A place in a ring; alone in its own while it is in no other.
    private struct Link {
        var next: UInt32
        var previous: UInt32
    }

    /// Whose time has come, first come, first gone off.
    private static let dueRing = UInt32(bucketCount)
    private static let firstSlot = UInt32(bucketCount + 1)

    private let origin: MonotonicTime
    private var links = RawBuffer<Link>(capacity: Int(firstSlot))
    /// The last tick that was served; 0 at start.
    private(set) var tick: UInt32 = 0
    /// When the next tick is due.
    private(set) var nextTickTime: MonotonicTime

    init(origin: MonotonicTime) {
        self.origin = origin
        nextTickTime = origin.after(nanoseconds: Self.stepNanoseconds)
        addLinks(through: Self.dueRing)
    }

    func free() { links.free() }

    /// The tick that has passed at a time.
    func passedTick(at time: MonotonicTime) -> UInt32 {
        UInt32(clamping: time.nanosecondsSince(origin) / Self.stepNanoseconds)
    }

    /// The first tick that is not before `time`, and in the future: a timer is up to a step late, never early.
    func deadlineTick(at time: MonotonicTime) -> UInt32 {
        let steps = time.after(nanoseconds: Self.stepNanoseconds - 1).nanosecondsSince(origin) / Self.stepNanoseconds
        return max(UInt32(clamping: steps), tick &+ 1)
    }

    /// Files a slot, which leaves the bucket it was in; a deadline beyond the wheel's span is filed at its end and filed again from there.
    /// - Returns: the tick under which it was filed.
    mutating func file(_ slot: UInt32, deadlineTick: UInt32) -> UInt32 {
        let at = min(deadlineTick, tick &+ UInt32(Self.bucketCount - 1))
        let place = Self.firstSlot + slot
        if links.count <= Int(place) { addLinks(through: place) }
        remove(place)
        let ring = at % UInt32(Self.bucketCount)
        let last = links[Int(ring)].previous
        links[Int(place)] = Link(next: ring, previous: last)
        links.base[Int(last)].next = place
        links.base[Int(ring)].previous = place
        return at
    }

    /// Steps to the next tick; its entries are due, behind those that are.
    mutating func step() {
        tick &+= 1
        nextTickTime = nextTickTime.after(nanoseconds: Self.stepNanoseconds)
        let ring = tick % UInt32(Self.bucketCount)
        let (first, last) = (links[Int(ring)].next, links[Int(ring)].previous)
        guard first != ring else { return }
        let before = links[Int(Self.dueRing)].previous
        links.base[Int(before)].next = first
        links.base[Int(first)].previous = before
        links.base[Int(last)].next = Self.dueRing
        links.base[Int(Self.dueRing)].previous = last
        links[Int(ring)] = Link(next: ring, previous: ring)
    }

    var hasDue: Bool { links[Int(Self.dueRing)].next != Self.dueRing }

    mutating func popDue() -> UInt32? {
        let place = links[Int(Self.dueRing)].next
        guard place != Self.dueRing else { return nil }
        remove(place)
        return place - Self.firstSlot
    }

    /// Forgets slots from this one on, with their memory.
    mutating func forget(from slot: UInt32) {
        let end = Int(Self.firstSlot + slot)
        guard links.count > end else { return }
        for place in end..<links.count { remove(UInt32(place)) }
        var fewer = RawBuffer<Link>(capacity: end)
        for place in 0..<end { fewer.append(links[place]) }
        links.free()
        links = fewer
    }

    /// Slots that are filed or due, also those without a connection. O(buckets + slots): for tests.
    var entryCount: Int {
        (Int(Self.firstSlot)..<links.count).count { links[$0].next != UInt32($0) }
    }

    private mutating func remove(_ place: UInt32) {
        let link = links[Int(place)]
        links.base[Int(link.previous)].next = link.next
        links.base[Int(link.next)].previous = link.previous
        links[Int(place)] = Link(next: place, previous: place)
    }

    private mutating func addLinks(through last: UInt32) {
        while links.count <= Int(last) {
            let place = UInt32(links.count)
            links.append(Link(next: place, previous: place))
        }
    }
}
