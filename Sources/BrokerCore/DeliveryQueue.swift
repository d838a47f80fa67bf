internal import Synchronization

/// Where a channel lives on one loop: the app, its place in that loop's table, and how often the place was used before.
struct LocalChannelID: Equatable {
    var app: UInt16
    var index: ChannelIndex
    var generation: UInt32
}

/// A connection as another loop names it: its slot, and the random half of its socket id, which tells it from the slot's next user.
struct ConnectionTag: Equatable {
    var slot: UInt32
    var tag: UInt32
    static let none = ConnectionTag(slot: .max, tag: 0)
}

/// What a delivery asks of the loop that takes it.
enum DeliveryKind: UInt8 {
    /// Give the frame to every subscriber of the channel that had joined before it.
    case fanOut
    /// The same, but for the connections of one member of the channel, whose number stands in `connection.slot`.
    case member
    /// Give the frame to one subscriber: the answer to a repeated subscribe, in order with the channel's events.
    case single
    /// No frame: while this loop's queue was full the channel changed, and its subscribers here must be told (`payOwed`).
    case owed
    /// Close every connection of the user (terminate_connections).
    case terminate
}

/// One queue for each loop, reached by a pointer: an array of references would retain and release one for every delivery.
struct DeliveryQueues: @unchecked Sendable {
    // SAFETY: the memory is written in `init` and given back in `free` only, and a queue is safe from any thread.
    private let base: UnsafeMutablePointer<DeliveryQueue>
    let count: Int

    init(count: Int) {
        base = .allocate(capacity: count)
        for loop in 0..<count { (base + loop).initialize(to: DeliveryQueue()) }
        self.count = count
    }

    /// The owner calls it once, when nobody else is left.
    func free() {
        base.deinitialize(count: count)
        base.deallocate()
    }

    subscript(loop: Int) -> UnsafeMutablePointer<DeliveryQueue> {
        precondition(loop >= 0 && loop < count, "a loop has a queue of its own")
        return base + loop
    }

    /// Whether some queue holds more than `bytes`.
    func isAnyAbove(_ bytes: Int) -> Bool {
        for loop in 0..<count where base[loop].queuedBytes > bytes { return true }
        return false
    }
}

/// The way into a loop for deliveries: any thread pushes, the loop takes everything at once.
///
/// A lock-free stack that is turned round when taken. Pushing happens under a channel's shard lock, which is what gives
/// all subscribers one order; a lock here would be a second lock held together with that one.
struct DeliveryQueue: ~Copyable, @unchecked Sendable {
    // SAFETY: a node belongs to its pusher until the exchange that publishes it, and to the owning loop after `takeAll`.
    private let head = Atomic<UnsafeMutablePointer<DeliveryNode>?>(nil)
    /// Bytes pushed and not yet processed. Publishing is refused above a limit, so the queue is bounded.
    private let bytes = Atomic<Int>(0)

    /// Two loops' queues do not share a cache line, nor the pair of lines that is fetched together.
    private let padding = InlineArray<14, Int>(repeating: 0)

    init() {}

    deinit {
        var node = head.load(ordering: .acquiring)
        while let current = node {
            node = current.pointee.next
            current.deallocate()
        }
    }

    /// True when nothing waits. Any thread.
    var isEmpty: Bool { head.load(ordering: .sequentiallyConsistent) == nil }

    /// Bytes of memory that wait: whole blocks, not only what they hold. Any thread.
    var queuedBytes: Int { bytes.load(ordering: .relaxed) }

    func push(_ node: UnsafeMutablePointer<DeliveryNode>) {
        bytes.wrappingAdd(DeliveryPool.heldBytes(of: node), ordering: .relaxed)
        var seen = head.load(ordering: .relaxed)
        while true {
            node.pointee.next = seen
            let (done, original) = head.weakCompareExchange(
                expected: seen, desired: node, successOrdering: .sequentiallyConsistent, failureOrdering: .relaxed)
            if done { return }
            seen = original
        }
    }

    /// Everything pushed so far, oldest first. Only the owning loop calls it.
    func takeAll() -> UnsafeMutablePointer<DeliveryNode>? {
        var node = head.exchange(nil, ordering: .acquiring)
        var reversed: UnsafeMutablePointer<DeliveryNode>?
        while let current = node {
            node = current.pointee.next
            current.pointee.next = reversed
            reversed = current
        }
        return reversed
    }

    /// The owning loop has processed this node, which is its own to use again.
    func finished(_ node: UnsafeMutablePointer<DeliveryNode>) {
        bytes.wrappingSubtract(DeliveryPool.heldBytes(of: node), ordering: .relaxed)
    }
}
