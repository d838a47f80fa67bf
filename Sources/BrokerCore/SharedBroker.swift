public import PusherProtocol
internal import Synchronization

/// Time as the broker is told it; it has no clock of its own.
public struct BrokerTime: Sendable, Equatable {
    /// Monotonic.
    public var milliseconds: UInt64
    /// Wall clock, for API timestamps and for the day of a daily quota.
    public var unixSeconds: Int

    public init(milliseconds: UInt64, unixSeconds: Int) {
        self.milliseconds = milliseconds
        self.unixSeconds = unixSeconds
    }
}

/// One app while the broker runs: its settings, its prepared keys, its channels, and its counters. Safe from any thread.
public final class App: Sendable {
    /// Its number among the broker's apps.
    public let index: Int
    /// Without the keys: nobody needs a secret's text any more.
    public let settings: AppSettings
    /// The prepared keys, in the order of the settings.
    public let keys: [AppKey]
    let registry: ChannelRegistry
    let connections = Quota()
    /// Occupied channels, user channels not among them.
    let channels = Quota()
    let backendEvents = WindowCounter()
    let readRequests = WindowCounter()
    let messagesToday = WindowCounter()

    init(index: Int, settings: AppSettings, shards: ShardDirectory) {
        self.index = index
        keys = settings.keys.map { AppKey(key: $0.key, secret: $0.secret) }
        var kept = settings
        kept.keys = []
        self.settings = kept
        registry = ChannelRegistry(app: index, directory: shards)
    }

    /// Connections open now. Any thread.
    public var connectionCount: Int { connections.count }
    /// Occupied channels now. Any thread.
    public var channelCount: Int { channels.count }
}

/// What all loops share: the apps and the way into each loop. Safe from any thread.
public final class SharedBroker: Sendable {
    public let apps: [App]
    /// One for each loop; a loop's own deliveries pass through it too, so that a channel has one order.
    let queues: DeliveryQueues
    /// Publishing is refused while a loop's queue holds more than this.
    public let queueBytesMax: Int
    /// Publishes that had a key, so that repeating one is harmless.
    public let idempotency = IdempotencyStore()
    let socketIDs: SocketIDCodec
    let hashing: NameHashing
    private let byKey: NameTable
    private let byID: NameTable
    private let appOfKey: [UInt16]
    private let appOfID: [UInt16]

    /// Apps a broker may have.
    public static let appsMax = Int(UInt16.max)

    /// - Parameters:
    ///   - settings: checked settings: keys and ids are unique over all apps.
    ///   - loopCount: 1...64.
    ///   - secrets: random, new for each process.
    public init(settings: [AppSettings], loopCount: Int, secrets: BrokerSecrets, queueBytesMax: Int = 64 << 20) {
        precondition((1...64).contains(loopCount), "a mask of loops is one 64-bit word")
        let hashing = NameHashing(key: secrets.names)
        self.hashing = hashing
        self.queueBytesMax = queueBytesMax
        queues = DeliveryQueues(count: loopCount)
        socketIDs = SocketIDCodec(key: secrets.socketIDs)
        let shards = ShardDirectory(hashing: hashing)
        apps = settings.enumerated().map { App(index: $0, settings: $1, shards: shards) }
        precondition(settings.count <= Self.appsMax, "a delivery names its app in 16 bits")
        var keys = NameTable(hashing: hashing)
        var ids = NameTable(hashing: hashing)
        var (keyApps, idApps): ([UInt16], [UInt16]) = ([], [])
        for app in apps {
            for key in app.keys {
                precondition(keys.find(key.key.span) == nil, "a checked configuration names each key once")
                _ = keys.insert(key.key)
                keyApps.append(UInt16(app.index))
            }
            for id in [app.settings.id] + app.settings.aliases {
                precondition(ids.find(Array(id.utf8).span) == nil, "a checked configuration names each id once")
                _ = ids.insert(Array(id.utf8))
                idApps.append(UInt16(app.index))
            }
        }
        byKey = keys
        byID = ids
        (appOfKey, appOfID) = (keyApps, idApps)
    }

    deinit { queues.free() }

    public var loopCount: Int { queues.count }

    /// Bytes of deliveries that a loop has not carried out yet. Any thread.
    public func queuedBytes(of loop: Int) -> Int { queues[loop].pointee.queuedBytes }

    /// Whether a loop has taken everything that was posted to it. Any thread.
    public func isQueueEmpty(of loop: Int) -> Bool { queues[loop].pointee.isEmpty }

    /// The app that has this key, whatever its other keys are. Any thread.
    public func app(key: Span<UInt8>) -> App? { byKey.find(key).map { apps[Int(appOfKey[Int($0)])] } }

    /// The app of an id or alias. Any thread.
    public func app(id: Span<UInt8>) -> App? { byID.find(id).map { apps[Int(appOfID[Int($0)])] } }

    /// Longest probes and memory of all tables of names. Any thread.
    public var tableStatistics: TableStatistics { hashing.statistics }

    /// True while some loop is so far behind that taking more events would let its queue grow without a bound.
    public var isOverloaded: Bool { queues.isAnyAbove(queueBytesMax) }
}
