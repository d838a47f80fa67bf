internal import PusherProtocol
internal import Wire

/// What the whole process knows of one channel. Lives in a shard, behind its lock.
struct ChannelRecord: Vacant {
    // SAFETY: written when it is made, and only read afterwards.
    nonisolated(unsafe) static let vacant = makeVacant()

    var kind = ChannelKind(access: .public, isCache: false)
    /// The number of the last delivery posted; every delivery of the channel draws the next.
    var sequence: UInt64 = 0
    /// Connections on all loops. For a user channel: its signed-in connections.
    var subscriberCount = 0
    var loops = LoopEntries()
    /// User channels only: loops with connections that watch this user.
    var watchers = LoopEntries()
    var roster: Roster?
    var cache: CachedEvent?
    /// Subscription counts: when the last one went out, and whether a later one is owed (PW-181).
    var countSentMilliseconds: UInt64 = 0
    var isCountPending = false
    var isQueued = false

    /// Nobody needs the record any more.
    var isUnused: Bool { subscriberCount == 0 && watchers.isEmpty && cache == nil }
}

/// The last API event of a cache channel (Pusher protocol §3.8). Reached under its shard's lock.
///
/// A class, because few channels have one, and it is a third of a record.
final class CachedEvent {
    /// The whole frame as JSON text, ready to be sent again.
    let json: [UInt8]
    /// Where the event's data stands in it, as a JSON string literal.
    let data: Range<Int>
    let expiresMilliseconds: UInt64
    /// The records whose events expire before and after it; nil at the ends. The shard's own.
    var earlier: Int?
    var later: Int?

    init(json: [UInt8], data: Range<Int>, expiresMilliseconds: UInt64) {
        (self.json, self.data, self.expiresMilliseconds) = (json, data, expiresMilliseconds)
    }
}
