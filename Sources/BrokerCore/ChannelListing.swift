internal import PusherProtocol
internal import Wire

/// The occupied channels of one part of the registry, copied out under its lock: what is made of them is made without it.
///
/// Storage that is used again for one part after the other.
public struct ChannelListing {
    private struct Entry {
        var subscriptions: Int
        var users: Int
        /// Where the name ends in `names`; it begins where the one before it ends.
        var nameEnd: Int
    }

    private var entries: [Entry] = []
    private var names: [UInt8] = []
    /// Records that were looked at for it.
    private(set) var lookedAt = 0

    public init() {}

    /// Each channel, in no order that means something.
    @inline(__always)
    public func forEach(_ body: (_ name: Span<UInt8>, _ subscriptions: Int, _ users: Int) -> Void) {
        let names = names.span
        var start = 0
        for entry in entries {
            body(names.extracting(start..<entry.nameEnd), entry.subscriptions, entry.users)
            start = entry.nameEnd
        }
    }

    mutating func clear() {
        entries.removeAll(keepingCapacity: true)
        names.removeAll(keepingCapacity: true)
        lookedAt = 0
    }

    /// Copies the channels whose names begin with `prefix`; user channels are never among them.
    ///
    /// Names lie wherever malloc has put them, and a walk that does something with each waits for memory at each. So the first walk
    /// only asks for their lengths, in a loop so short that the processor fetches many at once, and the second finds them near.
    mutating func fill(from shard: borrowing ChannelShard, prefix: Span<UInt8>) {
        clear()
        names.reserveCapacity(shard.table.namesBytes)
        for id in shard.records.indices {
            lookedAt += 1
            let subscriptions = shard.records[id].subscriberCount
            guard subscriptions > 0, shard.records[id].kind.access != .user,
                Self.begins(shard.table.names[id].span, with: prefix)
            else { continue }
            names.append(bytes: shard.table.names[id].span)
            entries.append(
                Entry(
                    subscriptions: subscriptions, users: shard.records[id].roster?.count ?? 0, nameEnd: names.count))
        }
    }

    private static func begins(_ name: Span<UInt8>, with prefix: Span<UInt8>) -> Bool {
        guard name.count >= prefix.count else { return false }
        for i in prefix.indices where name[i] != prefix[i] { return false }
        return true
    }
}
