internal import PusherProtocol

/// The channels that one loop serves for one app: names to dense lists of its subscribers. Touched by its loop only.
///
/// It cannot be copied and lies in a page of `Memberships.tables`, so that reaching it counts no reference.
struct ChannelTable: ~Copyable, Vacant {
    // SAFETY: written when it is made, and only read afterwards.
    nonisolated(unsafe) static let vacant = makeVacant()

    private(set) var table: NameTable
    private(set) var channels = PagedList<LocalChannel>()
    /// The generation of a place that is made anew: higher than any that a released place of the same number has had, and than that
    /// of a place without memory, which no delivery means.
    private var firstGeneration: UInt32 = 1
    /// A loop has listed this table, because it has memory to give back.
    private var isListed = false

    /// The table of an app that never had a connection on this loop.
    init() { self.init(hashing: .none) }

    init(hashing: NameHashing) { table = NameTable(hashing: hashing, bytesPerName: 256) }

    deinit {
        // No deinitializer knows the subscriber lists.
        for index in channels.indices { channels[index].subscribers.deallocate() }
    }

    /// The channel with this number. Reading one that nobody has gives a vacant channel.
    subscript(index: ChannelIndex) -> LocalChannel {
        @inline(__always) _read { yield channels[Int(index.number)] }
        @inline(__always) _modify { yield &channels[Int(index.number)] }
    }

    func find(_ name: Span<UInt8>) -> ChannelIndex? { table.find(name).map(ChannelIndex.init) }

    func find(_ name: Span<UInt8>, hash: UInt64) -> ChannelIndex? {
        table.find(name, hash: hash).map(ChannelIndex.init)
    }

    func name(of index: ChannelIndex) -> [UInt8] { table.names[Int(index.number)] }

    mutating func findOrInsert(
        _ name: Span<UInt8>, hash: UInt64, role: LocalChannel.Role, kind: ChannelKind
    ) -> ChannelIndex {
        if let known = table.find(name, hash: hash) { return ChannelIndex(known) }
        let made = ChannelIndex(table.insert(Self.copy(name), hash: hash))
        let index = Int(made.number)
        channels.take(index)
        channels[index].generation = max(channels[index].generation, firstGeneration)
        channels[index].hash = hash
        channels[index].role = role
        channels[index].kind = kind
        return made
    }

    /// Frees the place of a channel that has no subscriber and that the registry no longer counts here.
    /// The place's next user is told apart by its generation.
    mutating func releaseIfUnused(_ place: ChannelIndex) {
        let index = Int(place.number)
        guard channels[index].registered == 0 else { return }
        precondition(channels[index].subscribers.count == 0, "the registry counts every local subscriber")
        channels[index].subscribers.release()
        channels[index].pendingJoins = []
        channels[index].generation &+= 1
        table.remove(place.number, hash: channels[index].hash)
        channels.free(index)
    }

    /// Whether the loop must list this table among those with memory to give back; false from then on until `releaseUnused`.
    mutating func mustList() -> Bool {
        guard !isListed, channels.emptyPages > 0 || table.hasUnused else { return false }
        isListed = true
        return true
    }

    /// Gives back the memory of places that nobody has. A delivery that is on its way to one finds another generation there, and a
    /// departure keeps its place in use.
    mutating func releaseUnused() {
        table.releaseUnused()
        var highest = firstGeneration
        channels.releasePages { highest = max(highest, $0.generation) }
        firstGeneration = highest
        isListed = false
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
        /// `DeliveryInbox.drainNumber` when it joined.
        var drainNumber: UInt64
    }

    var generation: UInt32 = 0
    var role = Role.channel
    var kind = ChannelKind(access: .public, isCache: false)
    var subscribers = SubscriberList()
    /// The hash of its name in this table: a leave does not hash it again.
    var hash: UInt64 = 0
    /// Its record in the registry's shard, as long as the registry counts a subscriber of this loop: a record lives so long.
    var record: UInt32 = 0
    /// Subscribers the registry counts for this loop: the list, and connections that closed and wait for their slice.
    var registered: UInt32 = 0
    /// In the order of their sequence. Those of subscribers who have left stay until their time has come, or until `hasTooManyJoins`.
    var pendingJoins: [PendingJoin] = []

    /// Most joins are of subscribers who have left again. Seldom, so that dropping them costs no more than the joins did.
    var hasTooManyJoins: Bool { pendingJoins.count > Self.joinsMin + 2 * subscribers.count }

    static let joinsMin = 32
}
