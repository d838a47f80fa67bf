internal import Synchronization

/// What all loops share: the apps and the way into each loop. Safe from any thread.
public final class SharedBroker: Sendable {
    private let newest: Mutex<AppDirectory>
    private let shards: ShardDirectory
    /// One for each loop; a loop's own deliveries pass through it too, so that a channel has one order.
    let queues: DeliveryQueues
    /// Those who are told of edges. Their queues drop what they cannot hold, so publishing is never refused for them.
    let consumers = EdgeConsumers()
    /// Kept free before each message's text, for its sender.
    public let headroomBytes: Int
    /// Publishing is refused while a loop's queue holds more than this.
    public let queueBytesMax: Int
    /// Publishes that had a key, so that repeating one is harmless.
    public let idempotency = IdempotencyStore()
    let socketIDs: SocketIDCodec
    let hashing: NameHashing

    /// - Parameters:
    ///   - settings: checked settings: keys and ids are unique over all apps.
    ///   - loopCount: 1...64.
    ///   - secrets: random, new for each process.
    ///   - headroomBytes: 0...255; what the sender of a message writes before its text.
    public init(
        settings: [AppSettings], loopCount: Int, secrets: BrokerSecrets, headroomBytes: Int,
        queueBytesMax: Int = 64 << 20
    ) {
        precondition((0...255).contains(headroomBytes), "a delivery counts its headroom in one byte")
        self.headroomBytes = headroomBytes
        precondition((1...64).contains(loopCount), "a mask of loops is one 64-bit word")
        let hashing = NameHashing(key: secrets.names)
        self.hashing = hashing
        self.queueBytesMax = queueBytesMax
        queues = DeliveryQueues(count: loopCount)
        socketIDs = SocketIDCodec(key: secrets.socketIDs)
        shards = ShardDirectory(hashing: hashing)
        newest = Mutex(AppDirectory(settings: settings, shards: shards))
    }

    deinit { queues.free() }

    public var loopCount: Int { queues.count }

    /// Adds a consumer of edges, who is told nothing before `setInterest`. Any thread.
    /// - Parameters:
    ///   - queueBytesMax: what may wait for it in this process; what comes then is dropped and counted.
    ///   - wake: called on a loop's thread when edges wait that did not before; it must not block.
    /// - Returns: nil when there are five already.
    public func registerConsumer(queueBytesMax: Int, wake: @escaping @Sendable () -> Void) -> EdgeConsumer? {
        consumers.register(queueBytesMax: queueBytesMax, wake: wake)
    }

    /// Bytes of deliveries that a loop has not carried out yet. Any thread.
    public func queuedBytes(of loop: Int) -> Int { queues[loop].pointee.queuedBytes }

    /// Whether a loop has taken everything that was posted to it. Any thread.
    public func isQueueEmpty(of loop: Int) -> Bool { queues[loop].pointee.isEmpty }

    /// The newest snapshot of the apps; a loop may still be at the one before. Any thread.
    public var directory: AppDirectory { newest.withLock { $0 } }

    /// The apps of the newest snapshot, by number. Any thread.
    public var apps: [App] { directory.apps }

    /// Makes the next snapshot of the apps; each loop must be given it (`LoopBroker.use`) before it is asked for an app that is new.
    /// Any thread; of two callers one comes after the other.
    /// - Parameter settings: checked settings: keys and ids are unique over all apps.
    /// - Throws: when there is no number left for a new app; then nothing has changed.
    public func replaceApps(_ settings: [AppSettings]) throws(AppDirectory.NumbersUsedUp) -> AppDirectory {
        try newest.withLock { (newest: inout AppDirectory) throws(AppDirectory.NumbersUsedUp) -> AppDirectory in
            newest = try AppDirectory(after: newest, settings: settings, shards: shards)
            return newest
        }
    }

    /// Longest probes and memory of all tables of names. Any thread.
    public var tableStatistics: TableStatistics { hashing.statistics }

    /// True while some loop is so far behind that taking more events would let its queue grow without a bound.
    public var isOverloaded: Bool { queues.isAnyAbove(queueBytesMax) }
}
