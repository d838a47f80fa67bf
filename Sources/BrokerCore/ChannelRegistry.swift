internal import PusherProtocol

/// The channels of one app as all loops share them, split by name so that loops rarely wait for each other.
///
/// Safe from any thread; each shard is reached under a short lock, and never two at once. An app without channels has none.
struct ChannelRegistry: Sendable {
    static let shardCount = 64
    private let directory: ShardDirectory
    private let app: Int
    /// One for all apps, their shards and the loops' tables, so that a name is hashed once.
    private let key: SecretKey

    init(app: Int, directory: ShardDirectory) {
        self.directory = directory
        self.app = app
        key = directory.hashing.key
    }

    func hash(of name: Span<UInt8>) -> UInt64 { SipHash.hash(name, key: key) }

    /// The shard a name belongs to. Uses other bits of the hash than the tables.
    func shard(hash: UInt64) -> ShardDoor { shard(number: Int(hash >> 48) & (Self.shardCount - 1)) }

    func shard(of name: Span<UInt8>) -> ShardDoor { shard(hash: hash(of: name)) }

    func shard(number: Int) -> ShardDoor { directory.shard(number, app: app) }

    /// All of them, whether they hold something or not.
    var shards: [ShardDoor] { (0..<Self.shardCount).map(shard(number:)) }

    /// Shards of all apps in memory, for tests and figures.
    var shardsInMemory: Int { directory.shardCount }
}

/// One part of the registry: names to records.
struct ChannelShard: ~Copyable {
    private(set) var table: NameTable
    var records = PagedList<ChannelRecord>()
    /// Records that owe their subscribers a count; a record may have been freed or used again meanwhile.
    var owing: [Int] = []
    /// Records with a cached event, in a chain: an app's events all live equally long, so they expire in the order they came.
    private(set) var cachedCount = 0
    private var oldestCached: Int?
    private var newestCached: Int?
    /// A loop has it among those that owe counts.
    private(set) var isQueued = false
    /// A loop has it among those it sweeps.
    private(set) var isListedForSweep = false
    private let hashing: NameHashing

    init(hashing: NameHashing) {
        self.hashing = hashing
        table = NameTable(hashing: hashing, bytesPerName: 384)
    }

    /// It holds nothing, and no loop will look after it.
    @inline(__always) var isUnused: Bool { table.count == 0 && !isQueued && !isListedForSweep }

    func find(_ name: Span<UInt8>) -> Int? { table.find(name).map(Int.init) }

    func find(_ name: Span<UInt8>, hash: UInt64) -> Int? { table.find(name, hash: hash).map(Int.init) }

    func name(of id: Int) -> [UInt8] { table.names[id] }

    /// - Parameter stored: the name as a new record keeps it; a copy unless the caller has one to share.
    mutating func findOrInsert(
        _ name: Span<UInt8>, hash: UInt64, kind: ChannelKind, stored: [UInt8]? = nil
    ) -> Int {
        if let id = table.find(name, hash: hash) { return Int(id) }
        let id = Int(table.insert(stored ?? ChannelTable.copy(name), hash: hash))
        records.take(id)
        records[id].kind = kind
        if kind.isPresence { records[id].roster = Roster(hashing: hashing) }
        return id
    }

    /// Keeps the shard's own books after a record changed: who is owed a count, and whether the record is still needed.
    mutating func afterChange(of id: Int, hash: UInt64) {
        if records[id].isCountPending, !records[id].isQueued {
            records[id].isQueued = true
            owing.append(id)
        }
        releaseIfUnused(id, hash: hash)
    }

    /// Forgets a record nobody needs.
    private mutating func releaseIfUnused(_ id: Int, hash: UInt64) {
        guard records[id].isUnused else { return }
        records[id] = ChannelRecord()
        records.free(id)
        table.remove(UInt32(id), hash: hash)
    }

    /// Keeps a channel's last event. When `countMax` channels of this shard have one already, the event that would expire
    /// first makes room.
    mutating func cache(_ event: CachedEvent, for id: Int, countMax: Int) {
        if records[id].cache == nil {
            // Two, so that a bound that was lowered is reached.
            for _ in 0..<2 {
                guard cachedCount >= countMax, let oldestCached else { break }
                forgetEvent(of: oldestCached)
            }
            cachedCount += 1
        } else {
            unchain(id)
        }
        hashing.hold(bytes: event.json.count - (records[id].cache?.json.count ?? 0))
        records[id].cache = event
        records[id].cache?.earlier = newestCached
        if let newestCached { records[newestCached].cache?.later = id } else { oldestCached = id }
        newestCached = id
    }

    private mutating func unchain(_ id: Int) {
        guard let cache = records[id].cache else { return }
        if let earlier = cache.earlier {
            records[earlier].cache?.later = cache.later
        } else {
            oldestCached = cache.later
        }
        if let later = cache.later {
            records[later].cache?.earlier = cache.earlier
        } else {
            newestCached = cache.earlier
        }
    }

    private mutating func forgetEvent(of id: Int) {
        unchain(id)
        hashing.hold(bytes: -(records[id].cache?.json.count ?? 0))
        records[id].cache = nil
        cachedCount -= 1
        let name = table.names[id]
        releaseIfUnused(id, hash: table.hash(of: name.span))
    }

    /// Whether the time of a cached event is over.
    func hasExpired(nowMilliseconds: UInt64) -> Bool {
        guard let oldestCached, let cache = records[oldestCached].cache else { return false }
        return cache.expiresMilliseconds <= nowMilliseconds
    }

    /// Drops at most `limit` cached events whose time is over.
    /// - Returns: how many they were.
    @discardableResult
    mutating func expireCache(nowMilliseconds: UInt64, limit: Int) -> Int {
        for count in 0..<max(0, limit) {
            guard hasExpired(nowMilliseconds: nowMilliseconds), let oldestCached else { return count }
            forgetEvent(of: oldestCached)
        }
        return max(0, limit)
    }

    /// Gives back the memory of records that nobody needs. The last one keeps it until then, and the shard with it: the one
    /// subscriber of a channel may leave and come back often.
    mutating func releaseUnused() {
        table.releaseUnused()
        records.releasePages()
        if owing.isEmpty, owing.capacity > 64 { owing = [] }
    }

    // MARK: What a loop has to do here later

    /// Whether the caller must list the shard among those that owe counts; nobody else does until `endOwing`.
    mutating func mustQueue() -> Bool {
        guard !owing.isEmpty, !isQueued else { return false }
        isQueued = true
        return true
    }

    /// - Returns: true when nothing is owed any more, and the caller takes the shard off its list.
    mutating func endOwing() -> Bool {
        isQueued = !owing.isEmpty
        return !isQueued
    }

    private var wantsSweep: Bool { cachedCount > 0 || records.emptyPages > 0 || table.hasUnused }

    /// Whether the caller must list the shard among those it sweeps; nobody else does until `endSweep`.
    mutating func mustListForSweep() -> Bool {
        guard wantsSweep, !isListedForSweep else { return false }
        isListedForSweep = true
        return true
    }

    /// - Returns: true when there is nothing to sweep any more, and the caller takes the shard off its list.
    mutating func endSweep() -> Bool {
        isListedForSweep = wantsSweep
        return !isListedForSweep
    }
}
