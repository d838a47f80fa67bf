internal import Synchronization

/// Who is told of edges: webhooks, the console's tap, the link to other nodes. Registered once, for the life of the process; what it
/// is told changes with `setInterest`. Safe from any thread, but `take` is called by one thread at a time.
public final class EdgeConsumer: Sendable {
    /// Its place among the consumers, 0..<`EdgeInterest.consumersMax`.
    let number: Int
    let queue: EdgeQueue
    /// Called by a loop, with no lock held, when edges wait again. It wakes the consumer's thread and returns.
    let wake: @Sendable () -> Void
    private let known = Atomic<UInt64>(0)

    init(number: Int, queueBytesMax: Int, wake: @escaping @Sendable () -> Void) {
        self.number = number
        self.wake = wake
        queue = EdgeQueue(bytesMax: queueBytesMax)
    }

    /// Which edges of an app it is told from now on.
    ///
    /// A loop that is changing a channel at this moment may not have seen it yet. What is read from the registry afterwards, under
    /// the lock of the channel's shard, and the edges from then on fit together without a gap.
    public func setInterest(_ kinds: Set<ChannelEdge.Kind>, in app: App) { app.edges.set(kinds, of: number) }

    /// Hands over every edge that waits, oldest first.
    /// - Parameter body: gets an edge, and how many of channels and users were lost since the last one it was given: those of any may be
    ///   among them, so what was built from edges must be read anew (`OccupancyWalk`).
    /// - Returns: how many were lost after the last one.
    @discardableResult
    public func take(_ body: (_ edge: ChannelEdge, _ lost: UInt64) -> Void) -> UInt64 {
        // Read first: what is dropped from here on is not before what is taken now, unless an edge says so.
        let dropped = queue.dropped
        var told = known.load(ordering: .relaxed)
        queue.take { edge, before in
            let lost = before > told ? before - told : 0
            told += lost
            body(edge, lost)
        }
        let lost = dropped > told ? dropped - told : 0
        known.store(told + lost, ordering: .relaxed)
        return lost
    }

    /// Bytes that wait.
    public var queuedBytes: Int { queue.queuedBytes }

    /// Edges of a kind that were dropped because the queue was full.
    public func dropped(_ kind: ChannelEdge.Kind) -> UInt64 { queue.dropped(kind) }
}

/// The consumers of a broker, found without a lock. None is ever taken out.
struct EdgeConsumers: ~Copyable {
    private let places = InlineArray<5, AtomicLazyReference<EdgeConsumer>> { _ in AtomicLazyReference() }

    /// - Returns: nil when `EdgeInterest.consumersMax` are registered.
    func register(queueBytesMax: Int, wake: @escaping @Sendable () -> Void) -> EdgeConsumer? {
        for number in places.indices where places[number].load() == nil {
            let fresh = EdgeConsumer(number: number, queueBytesMax: queueBytesMax, wake: wake)
            if places[number].storeIfNil(fresh) === fresh { return fresh }
        }
        return nil
    }

    /// - Parameter number: of a bit of an `EdgeInterest`, so that it is there.
    subscript(number: Int) -> EdgeConsumer {
        guard let consumer = places[number].load() else {
            preconditionFailure("only a registered consumer is interested in something")
        }
        return consumer
    }
}

/// Which consumers want which edges of one app: a bit for each pair, so that asking is one relaxed load.
///
/// ```
/// bit  kind × 5 + consumer
/// ```
final class EdgeInterest: Sendable {
    static let consumersMax = 5
    private static let mask: UInt64 = 1 << UInt64(consumersMax) - 1
    private let bits = Atomic<UInt64>(0)
    private let numbers = Atomic<UInt64>(0)

    /// A bit for each consumer that wants edges of this kind.
    @inline(__always)
    func consumers(of kind: ChannelEdge.Kind) -> UInt64 {
        bits.load(ordering: .relaxed) >> Self.shift(kind) & Self.mask
    }

    /// Draws the number of the next edge. Under the lock of the channel's shard, so that numbers grow along a channel.
    func drawNumber() -> UInt64 { numbers.wrappingAdd(1, ordering: .relaxed).newValue }

    /// The number that was drawn last. With the lock of a shard held: no edge of its channels so far has a higher one, and every later
    /// one has.
    var lastNumber: UInt64 { numbers.load(ordering: .relaxed) }

    func set(_ kinds: Set<ChannelEdge.Kind>, of consumer: Int) {
        for kind in ChannelEdge.Kind.allCases {
            let bit: UInt64 = 1 << (Self.shift(kind) + UInt64(consumer))
            if kinds.contains(kind) {
                bits.bitwiseOr(bit, ordering: .sequentiallyConsistent)
            } else {
                bits.bitwiseAnd(~bit, ordering: .sequentiallyConsistent)
            }
        }
    }

    @inline(__always)
    private static func shift(_ kind: ChannelEdge.Kind) -> UInt64 { UInt64(kind.rawValue) &* UInt64(consumersMax) }
}
