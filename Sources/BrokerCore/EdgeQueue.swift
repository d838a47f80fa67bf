internal import Synchronization

/// The edges that wait for one consumer: pushed by any loop under a shard's lock, taken whole by the consumer.
///
/// A lock-free stack that is turned round when taken, like `DeliveryQueue`, so that no second lock is held. What it may hold is
/// bounded in bytes by a rule of its own: a full queue drops the edge that comes, counts it by its kind, and lets every later edge
/// say how many are missing. Publishing never waits for a consumer. What anybody can cause who reaches the port, and what is of no
/// channel, may fill half of it, and nobody misses it.
final class EdgeQueue: @unchecked Sendable {
    // SAFETY: a node belongs to its pusher until the exchange that publishes it, and to the taker after the exchange in `take`.

    private struct Node {
        let edge: ChannelEdge
        /// Edges dropped before this one.
        let dropped: UInt64
        let bytes: Int
        var next: UnsafeMutablePointer<Node>?
    }

    /// What a push did.
    enum Pushed { case dropped, added, wasEmpty }

    private let bytesMax: Int
    private let head = Atomic<UnsafeMutablePointer<Node>?>(nil)
    private let bytes = Atomic<Int>(0)
    private let droppedTotal = Atomic<UInt64>(0)
    /// By the kind's raw value.
    private let droppedByKind = InlineArray<12, Atomic<UInt64>> { _ in Atomic(0) }

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
        precondition(ChannelEdge.Kind.allCases.count == droppedByKind.count, "each kind has a counter")
    }

    deinit { take { _, _ in } }

    /// Bytes that wait, or are being taken.
    var queuedBytes: Int { bytes.load(ordering: .relaxed) }

    var isEmpty: Bool { head.load(ordering: .sequentiallyConsistent) == nil }

    /// Edges of channels and users that found it full.
    var dropped: UInt64 { droppedTotal.load(ordering: .relaxed) }

    func dropped(_ kind: ChannelEdge.Kind) -> UInt64 { droppedByKind[Int(kind.rawValue)].load(ordering: .relaxed) }

    /// What an edge without texts counts.
    static var nodeBytes: Int { MemoryLayout<Node>.stride }

    func push(_ edge: ChannelEdge) -> Pushed {
        let (size, kind) = (edge.queueBytes, edge.kind)
        let limit = kind.isOfChannel ? bytesMax : bytesMax / 2
        guard bytes.wrappingAdd(size, ordering: .relaxed).newValue <= limit else {
            bytes.wrappingSubtract(size, ordering: .relaxed)
            // Before the next push of the channel, which follows under the same lock and must know of it.
            droppedByKind[Int(kind.rawValue)].wrappingAdd(1, ordering: .relaxed)
            if kind.isOfChannel { droppedTotal.wrappingAdd(1, ordering: .relaxed) }
            return .dropped
        }
        let node = UnsafeMutablePointer<Node>.allocate(capacity: 1)
        var seen = head.load(ordering: .relaxed)
        node.initialize(to: Node(edge: edge, dropped: dropped, bytes: size, next: seen))
        while true {
            let (done, original) = head.weakCompareExchange(
                expected: seen, desired: node, successOrdering: .sequentiallyConsistent, failureOrdering: .relaxed)
            if done { return seen == nil ? .wasEmpty : .added }
            seen = original
            node.pointee.next = seen
        }
    }

    /// Hands over all that waits, oldest first, each with the number of edges dropped before it. One thread at a time.
    func take(_ body: (_ edge: ChannelEdge, _ dropped: UInt64) -> Void) {
        var node = head.exchange(nil, ordering: .acquiring)
        var oldest: UnsafeMutablePointer<Node>?
        while let current = node {
            node = current.pointee.next
            current.pointee.next = oldest
            oldest = current
        }
        while let current = oldest {
            oldest = current.pointee.next
            let taken = current.move()
            current.deallocate()
            body(taken.edge, taken.dropped)
            bytes.wrappingSubtract(taken.bytes, ordering: .relaxed)
        }
    }
}
