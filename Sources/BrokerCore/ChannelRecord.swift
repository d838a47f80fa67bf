internal import PusherProtocol
internal import Wire

/// What the whole process knows of one channel. Lives in a shard, behind its lock.
struct ChannelRecord: Vacant {
    // SAFETY: written when it is made, and only read afterwards.
    nonisolated(unsafe) static let vacant = makeVacant()

    /// A loop that has this channel in its table.
    struct LoopEntry {
        var loop: Int
        var channel: LocalChannelID
        /// Watchers only.
        var told = Told.everything
        /// Subscribers of that loop, as this record counts them.
        var count: Int
    }

    /// What a loop that was not told everything was told last of a watched user.
    enum Told: UInt8 { case everything, online, offline }

    var kind = ChannelKind(access: .public, isCache: false)
    /// The number of the last delivery posted; every delivery of the channel draws the next.
    var sequence: UInt64 = 0
    /// Connections on all loops. For a user channel: its signed-in connections.
    var subscriberCount = 0
    var loops: [LoopEntry] = []
    /// User channels only: loops with connections that watch this user.
    var watchers: [LoopEntry] = []
    var roster: Roster?
    var cache: CachedEvent?
    /// Subscription counts: when the last one went out, and whether a later one is owed (PW-181).
    var countSentMilliseconds: UInt64 = 0
    var isCountPending = false
    var isQueued = false

    /// Nobody needs the record any more.
    var isUnused: Bool { subscriberCount == 0 && watchers.isEmpty && cache == nil }

    /// One subscriber more on a loop, at the place the loop named.
    static func add(_ channel: LocalChannelID, loop: Int, to entries: inout [LoopEntry]) {
        if let at = entries.firstIndex(where: { $0.loop == loop }) {
            precondition(entries[at].channel == channel, "a loop names one place for a channel until it has emptied it")
            entries[at].count += 1
        } else {
            entries.append(LoopEntry(loop: loop, channel: channel, count: 1))
        }
    }

    /// One subscriber fewer on a loop.
    /// - Returns: true when the loop has none left and may free its place.
    static func remove(loop: Int, from entries: inout [LoopEntry]) -> Bool {
        guard let at = entries.firstIndex(where: { $0.loop == loop }) else {
            preconditionFailure("a loop gives back only what it has taken")
        }
        entries[at].count -= 1
        guard entries[at].count == 0 else { return false }
        entries.swapAt(at, entries.count - 1)
        entries.removeLast()
        return true
    }
}

/// The last API event of a cache channel (Pusher protocol §3.8).
struct CachedEvent {
    /// The whole frame as JSON text, ready to be sent again.
    var json: [UInt8]
    /// Where the event's data stands in it, as a JSON string literal.
    var data: Range<Int>
    var expiresMilliseconds: UInt64
    /// The records whose events expire before and after it; nil at the ends. The shard's own.
    var earlier: Int?
    var later: Int?
}
