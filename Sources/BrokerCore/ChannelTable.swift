internal import PusherProtocol

/// The tables of one loop, by app: an app that never had a connection there has none. Touched by their loop only.
struct ChannelTables: ~Copyable {
    private var places = PagedList<ChannelTable?>()

    /// The table of an app; an empty one for an app that has none.
    subscript(app: Int) -> ChannelTable {
        @inline(__always) get { places[app] ?? ChannelTable(hashing: .none) }
    }

    /// Apps that have a table.
    var indices: PagedList<ChannelTable?>.Indices { places.indices }

    /// Makes an app's table, unless there is one.
    mutating func prepare(_ app: Int, hashing: NameHashing) {
        guard !places.isUsed(app) else { return }
        places.take(app)
        places[app] = ChannelTable(hashing: hashing)
    }
}

extension ChannelTable?: Vacant {
    init() { self = nil }
    // SAFETY: written when it is made, and only read afterwards.
    nonisolated(unsafe) static let vacant = makeVacant()
}

/// The channels that one loop serves for one app: names to dense lists of its subscribers. Touched by its loop only.
///
/// A class, so that reaching it counts one reference and not one for each of its parts.
final class ChannelTable {
    private(set) var table: NameTable
    var channels = PagedList<LocalChannel>()
    /// The generation of a place that is made anew: higher than any that a released place of the same number has had, and than that
    /// of a place without memory, which no delivery means.
    private var firstGeneration: UInt32 = 1
    /// A loop has listed this table, because it has memory to give back.
    var isListed = false

    init(hashing: NameHashing) { table = NameTable(hashing: hashing, bytesPerName: 256) }

    deinit {
        // No deinitializer knows the subscriber lists.
        for index in channels.indices { channels[index].subscribers.release() }
    }

    func find(_ name: Span<UInt8>) -> Int? { table.find(name).map(Int.init) }

    func find(_ name: Span<UInt8>, hash: UInt64) -> Int? { table.find(name, hash: hash).map(Int.init) }

    func name(of index: Int) -> [UInt8] { table.names[index] }

    func hash(of name: Span<UInt8>) -> UInt64 { table.hash(of: name) }

    func findOrInsert(
        _ name: Span<UInt8>, hash: UInt64, role: LocalChannel.Role, kind: ChannelKind
    ) -> Int {
        if let known = table.find(name, hash: hash) { return Int(known) }
        let index = Int(table.insert(Self.copy(name), hash: hash))
        channels.take(index)
        channels[index].generation = max(channels[index].generation, firstGeneration)
        channels[index].role = role
        channels[index].kind = kind
        return index
    }

    /// Frees the place of a channel that has no subscriber and that the registry no longer counts here.
    /// The place's next user is told apart by its generation.
    func releaseIfUnused(_ index: Int, hash: UInt64) {
        guard channels[index].registered == 0 else { return }
        precondition(channels[index].subscribers.count == 0, "the registry counts every local subscriber")
        channels[index].subscribers.release()
        channels[index].pendingJoins = []
        channels[index].generation &+= 1
        table.remove(UInt32(index), hash: hash)
        channels.free(index)
    }

    /// Whether `releaseUnused` has something to do.
    var hasUnused: Bool { channels.emptyPages > 0 || table.hasUnused }

    /// Gives back the memory of places that nobody has. A delivery that is on its way to one finds another generation there, and a
    /// departure keeps its place in use.
    func releaseUnused() {
        table.releaseUnused()
        var highest = firstGeneration
        channels.releasePages { highest = max(highest, $0.generation) }
        firstGeneration = highest
    }

    static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
        bytes.withUnsafeBufferPointer { Array($0) }
    }
}

/// One channel on one loop.
struct LocalChannel: Vacant {
    // SAFETY: written when it is made, and only read afterwards.
    nonisolated(unsafe) static let vacant = makeVacant()

    enum Role: UInt8 { case channel, user, watch }

    /// A subscriber that must not see deliveries posted before it joined. Forgotten once those have all been taken.
    struct PendingJoin {
        var slot: UInt32
        var sequence: UInt64
        /// `LoopBroker.drainNumber` when it joined.
        var drainNumber: UInt64
    }

    var generation: UInt32 = 0
    var role = Role.channel
    var kind = ChannelKind(access: .public, isCache: false)
    var subscribers = SubscriberList()
    /// Subscribers the registry counts for this loop: the list, and connections that closed and wait for their slice.
    var registered = 0
    /// In the order of their sequence. Those of subscribers who have left stay until their time has come, or until `hasTooManyJoins`.
    var pendingJoins: [PendingJoin] = []

    /// Most joins are of subscribers who have left again. Seldom, so that dropping them costs no more than the joins did.
    var hasTooManyJoins: Bool { pendingJoins.count > Self.joinsMin + 2 * subscribers.count }

    static let joinsMin = 32
}

/// A dense list of slots with, for each, where the connection's own list mentions this channel, so that leaving is a swap
/// with the last. Raw memory: fan-out hands the slots to the outbox as they lie, and `release` frees them.
struct SubscriberList {
    private var memory: UnsafeMutablePointer<UInt32>?
    private(set) var count = 0
    private var capacity = 0

    /// The subscribers' slots; valid until the list changes.
    var slots: UnsafeBufferPointer<UInt32> { UnsafeBufferPointer(start: memory, count: count) }

    func slot(at index: Int) -> UInt32 {
        guard let memory, index < count else { preconditionFailure("no subscriber at this index") }
        return memory[index]
    }

    /// Where the subscriber's connection mentions this channel.
    func entry(at index: Int) -> UInt32 {
        guard let memory, index < count else { preconditionFailure("no subscriber at this index") }
        return memory[capacity + index]
    }

    mutating func setEntry(at index: Int, to entry: UInt32) {
        guard let memory, index < count else { preconditionFailure("no subscriber at this index") }
        memory[capacity + index] = entry
    }

    mutating func append(slot: UInt32, entry: UInt32) {
        if count == capacity { resize(to: max(2, capacity * 2)) }
        guard let memory else { preconditionFailure("resize allocates") }
        memory[count] = slot
        memory[capacity + count] = entry
        count += 1
    }

    /// Removes one subscriber; the last takes its place.
    /// - Returns: true when another subscriber now stands at `index`.
    mutating func remove(at index: Int) -> Bool {
        guard let memory, index < count else { preconditionFailure("no subscriber at this index") }
        count -= 1
        memory[index] = memory[count]
        memory[capacity + index] = memory[capacity + count]
        let moved = index < count
        if count == 0 { release() } else if count * 4 <= capacity, capacity > 8 { resize(to: capacity / 2) }
        return moved
    }

    mutating func release() {
        memory?.deallocate()
        (memory, count, capacity) = (nil, 0, 0)
    }

    private mutating func resize(to wanted: Int) {
        let fresh = UnsafeMutablePointer<UInt32>.allocate(capacity: wanted * 2)
        if let memory {
            fresh.update(from: memory, count: count)
            (fresh + wanted).update(from: memory + capacity, count: count)
            memory.deallocate()
        }
        (memory, capacity) = (fresh, wanted)
    }
}

/// One entry of a connection's own list: a channel, where that channel lists the connection, and who it is there.
struct Subscription {
    var channel: UInt32
    /// Index in the channel's `SubscriberList`.
    var position: UInt32
    /// Presence channels: the number of the member in the roster.
    var member: UInt32
    /// Which of the loop's subscriptions it is; see `LoopBroker.subscriptionsMade`.
    var number: UInt32
}
