internal import PusherProtocol

/// Who is in what on one loop.
///
/// The relation has two views, and each entry of one says where the other mentions it, so that leaving is a swap with the last
/// on both sides:
///
///     connections[slot].subscriptions[entry]     = (channel, position, …)
///     tables[app][channel].subscribers[position] = (slot, entry)
///
/// `add` and `remove` are the only ones that change either; `fault` compares them. The registry counts a membership
/// a little longer than it is in the lists: those of closed connections stand in `departures` until their slice comes.
///
/// It cannot be copied, so that no access to it counts references. Touched by its loop only.
struct Memberships: ~Copyable {
    private(set) var connections = PagedList<ConnectionRecord>()
    private(set) var tables = PagedList<ChannelTable>()
    private(set) var departures = SliceQueue<Departure>()
    /// Draws `Subscription.number`.
    private var subscriptionsMade: UInt32 = 0
    /// Grows with every change of the relation: what was read at one number holds while it is the same.
    private(set) var changes: UInt64 = 0

    deinit {
        // No deinitializer knows the connections' lists.
        for slot in connections.indices { connections[slot].subscriptions.deallocate() }
    }

    /// A connection; reading a slot that is not open gives one that is in nothing.
    subscript(slot: UInt32) -> ConnectionRecord {
        @inline(__always) _read { yield connections[Int(slot)] }
        @inline(__always) _modify { yield &connections[Int(slot)] }
    }

    /// An app's channels here; reading an app that never had a connection gives an empty table.
    subscript(app app: Int) -> ChannelTable {
        @inline(__always) _read { yield tables[app] }
        @inline(__always) _modify { yield &tables[app] }
    }

    /// A channel by where it is, whatever its generation.
    subscript(channel: LocalChannelID) -> LocalChannel {
        @inline(__always) _read { yield tables[Int(channel.app)][channel.index] }
        @inline(__always) _modify { yield &tables[Int(channel.app)][channel.index] }
    }

    /// Whether the place still belongs to the channel that is meant: it may have been emptied, and even used again.
    @inline(__always)
    func holds(_ channel: LocalChannelID) -> Bool { self[channel].generation == channel.generation }

    /// The channel that has this number now.
    func id(of index: ChannelIndex, app: Int) -> LocalChannelID {
        LocalChannelID(app: UInt16(app), index: index, generation: tables[app][index].generation)
    }

    // MARK: Connections

    @inline(__always)
    func isOpen(_ slot: UInt32) -> Bool { connections[Int(slot)].app >= 0 }

    mutating func open(_ slot: UInt32, app: App, socketID: SocketID, hashing: NameHashing) {
        precondition(!isOpen(slot), "a slot is opened once and closed once")
        connections.take(Int(slot))
        if !tables.isUsed(app.index) {
            tables.take(app.index)
            tables[app.index] = ChannelTable(hashing: hashing)
        }
        connections[Int(slot)].open(app: app.index, socketID: socketID)
    }

    /// Takes an open connection out of all its channels; each becomes a departure.
    mutating func close(_ slot: UInt32) {
        let app = connections[Int(slot)].app
        while connections[Int(slot)].subscriptions.count > 0 {
            let left = remove(slot, entry: connections[Int(slot)].subscriptions.count - 1)
            departures.append(Departure(app: app, channel: left.channel, member: left.member))
        }
        connections[Int(slot)].close()
        connections.free(Int(slot))
    }

    /// The departure that the registry is told next.
    mutating func nextDeparture() -> Departure? { departures.popFirst() }

    // MARK: The relation

    /// The index of a connection's subscription to a channel of its app. Walks the shorter of the two lists.
    func entry(of slot: UInt32, in channel: ChannelIndex) -> Int? {
        let own = connections[Int(slot)].subscriptions
        let list = tables[connections[Int(slot)].app][channel].subscribers
        if own.count <= list.count {
            return (0..<own.count).first { own[$0].channel == channel }
        }
        guard let position = list.slots.firstIndex(of: slot) else { return nil }
        return Int(list.entry(at: position))
    }

    /// Puts a connection into a channel that it is not in, and that the registry now counts once more.
    /// - Parameter record: the channel's record in its shard.
    mutating func add(_ slot: UInt32, to channel: LocalChannelID, member: UInt32, record: UInt32) {
        changes &+= 1
        subscriptionsMade &+= 1
        self[channel].registered += 1
        self[channel].record = record
        let mine = Subscription(
            channel: channel.index, position: UInt32(self[channel].subscribers.count), member: member,
            number: subscriptionsMade)
        self[channel].subscribers.append(slot: slot, entry: UInt32(connections[Int(slot)].subscriptions.count))
        connections[Int(slot)].subscriptions.append(mine)
        assert(isLinked(slot, entry: connections[Int(slot)].subscriptions.count - 1))
    }

    /// Takes a connection out of a channel's list; the registry still counts it there (`forgetOne`).
    mutating func remove(_ slot: UInt32, entry: Int) -> Subscription {
        assert(isLinked(slot, entry: entry))
        changes &+= 1
        let app = connections[Int(slot)].app
        let left = connections[Int(slot)].subscriptions[entry]
        let position = Int(left.position)
        if tables[app][left.channel].subscribers.remove(at: position) {
            let list = tables[app][left.channel].subscribers
            let moved = Int(list.slot(at: position))
            connections[moved].subscriptions[Int(list.entry(at: position))].position = UInt32(position)
        }
        connections[Int(slot)].subscriptions.swapRemove(at: entry)
        if entry < connections[Int(slot)].subscriptions.count {
            let moved = connections[Int(slot)].subscriptions[entry]
            tables[app][moved.channel].subscribers.setEntry(at: Int(moved.position), to: UInt32(entry))
        }
        return left
    }

    /// The place of a channel of this name, made for it if there is none.
    mutating func place(
        of name: Span<UInt8>, hash: UInt64, role: LocalChannel.Role, kind: ChannelKind, app: Int
    ) -> ChannelIndex {
        tables[app].findOrInsert(name, hash: hash, role: role, kind: kind)
    }

    /// The registry counts one membership of this channel less.
    mutating func forgetOne(of channel: ChannelIndex, app: Int) { tables[app][channel].registered -= 1 }

    /// Frees a channel's place if nobody needs it.
    /// - Returns: true when the app's table must be listed as one that has memory to give back; it is told once until
    ///   `releaseUnused`.
    mutating func releasePlace(_ channel: ChannelIndex, app: Int) -> Bool {
        tables[app].releaseIfUnused(channel)
        return tables[app].mustList()
    }

    // MARK: Memory

    /// Gives back the memory of connections that are gone.
    mutating func releaseConnections() { connections.releasePages() }

    /// Gives back the memory of an app's channels that are gone.
    mutating func releaseUnused(app: Int) { tables[app].releaseUnused() }
}

/// A membership the registry still counts although its connection is gone.
struct Departure {
    var app: Int
    var channel: ChannelIndex
    var member: UInt32
}
