internal import PusherProtocol

/// The channels of one app as all loops share them, split by name so that loops rarely wait for each other.
///
/// Safe from any thread; each shard is reached under its own short lock, and never two at once.
final class ChannelRegistry: Sendable {
    static let shardCount = 64
    let shards: [Guarded<ChannelShard>]
    /// One for the registry, its shards and the loops' tables of the app, so that a name is hashed once.
    let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        shards = (0..<Self.shardCount).map { _ in Guarded(ChannelShard(seed: seed)) }
    }

    func hash(of name: Span<UInt8>) -> UInt64 { NameHash.hash64(name, seed: seed) }

    /// The shard a name belongs to. Uses other bits of the hash than the tables.
    func shard(hash: UInt64) -> Guarded<ChannelShard> { shards[Int(hash >> 48) & (Self.shardCount - 1)] }

    func shard(of name: Span<UInt8>) -> Guarded<ChannelShard> { shard(hash: hash(of: name)) }
}

/// One part of the registry: names to records.
struct ChannelShard {
    private(set) var table: NameTable
    var records: [ChannelRecord] = []
    /// Records that owe their subscribers a count; a record may have been freed or used again meanwhile.
    var owing: [Int] = []
    /// Records with a cached event, in a chain: an app's events all live equally long, so they expire in the order they came.
    private(set) var cachedCount = 0
    private var oldestCached: Int?
    private var newestCached: Int?
    private let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        table = NameTable(seed: seed)
    }

    func find(_ name: Span<UInt8>) -> Int? { table.find(name).map(Int.init) }

    func find(_ name: Span<UInt8>, hash: UInt64) -> Int? { table.find(name, hash: hash).map(Int.init) }

    func name(of id: Int) -> [UInt8] { table.names[id] }

    mutating func findOrInsert(_ name: Span<UInt8>, kind: ChannelKind) -> Int {
        if let id = table.find(name) { return Int(id) }
        let id = Int(table.insert(ChannelTable.copy(name)))
        var record = ChannelRecord(kind: kind)
        if kind.isPresence { record.roster = Roster(seed: seed) }
        if id == records.count { records.append(record) } else { records[id] = record }
        return id
    }

    /// Keeps the shard's own books after a record changed: who is owed a count, and whether the record is still needed.
    mutating func afterChange(of id: Int) {
        if records[id].owesCount, !records[id].isListedAsOwing {
            records[id].isListedAsOwing = true
            owing.append(id)
        }
        releaseIfUnused(id)
    }

    /// Forgets a record nobody needs.
    mutating func releaseIfUnused(_ id: Int) {
        guard records[id].isUnused else { return }
        records[id] = ChannelRecord(kind: records[id].kind)
        table.remove(UInt32(id))
        if table.count == 0 {
            records = []
            owing = []
            table = NameTable(seed: seed)
        }
    }

    /// Keeps a channel's last event. When `countMax` channels of this shard have one already, the event that would expire
    /// first makes room.
    mutating func cache(_ event: CachedEvent, for id: Int, countMax: Int) {
        if records[id].cache == nil {
            if cachedCount >= countMax, let oldestCached { forgetEvent(of: oldestCached) }
            cachedCount += 1
        } else {
            unchain(id)
        }
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
        records[id].cache = nil
        cachedCount -= 1
        releaseIfUnused(id)
    }

    /// Drops at most `limit` cached events whose time is over.
    mutating func expireCache(nowMilliseconds: UInt64, limit: Int) {
        for _ in 0..<limit {
            guard let id = oldestCached, let cache = records[id].cache, cache.expiresMilliseconds <= nowMilliseconds
            else {
                return
            }
            forgetEvent(of: id)
        }
    }

    /// Gives back the records behind the last one in use, when most are free.
    mutating func releaseUnused() {
        if table.releaseUnused(kept: 32) { records = Array(records[..<table.names.count]) }
    }
}
