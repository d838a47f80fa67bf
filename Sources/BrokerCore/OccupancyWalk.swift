internal import PusherProtocol

/// An occupied channel, or a signed-in user's, as the registry has it at one moment.
public struct OccupiedChannel: Sendable, Equatable {
    /// The registry's own array: keeping it copies nothing.
    public var name: [UInt8]
    /// The channel of a signed-in user, who is online.
    public var isUser: Bool
    /// Presence channels: the users' ids, the registry's own arrays.
    public var members: [[UInt8]]

    public init(name: [UInt8], isUser: Bool = false, members: [[UInt8]] = []) {
        (self.name, self.isUser, self.members) = (name, isUser, members)
    }
}

/// What one step of an `OccupancyWalk` has read under one lock. Storage that is used again.
public struct OccupancySlice: Sendable {
    public private(set) var channels: [OccupiedChannel] = []
    /// Edges of these channels with this number or a lower one are contained in what was read; those with a higher one are newer.
    public fileprivate(set) var number: UInt64 = 0
    private static let recordsMax = 512
    private static let membersMax = 2_048

    public init() {}

    fileprivate mutating func clear() { channels.removeAll(keepingCapacity: true) }

    /// Adds what is occupied from a record on: at most `recordsMax` records, and no more after `membersMax` members.
    /// - Returns: the record to go on with; nil when those were all.
    fileprivate mutating func add(from shard: borrowing ChannelShard, record first: Int) -> Int? {
        var members = 0
        for id in first..<max(first, shard.records.count) {
            guard id - first < Self.recordsMax, members < Self.membersMax else { return id }
            guard shard.records.isUsed(id), let channel = OccupiedChannel(shard, id) else { continue }
            members += channel.members.count
            channels.append(channel)
        }
        return nil
    }
}

extension OccupiedChannel {
    /// Nil when nobody is there.
    fileprivate init?(_ shard: borrowing ChannelShard, _ id: Int) {
        guard shard.records[id].subscriberCount > 0 else { return nil }
        self.init(
            name: shard.table.names[id], isUser: shard.records[id].kind.access == .user,
            members: shard.records[id].roster?.userIDs ?? [])
    }
}

/// Goes through what is occupied in an app, for a consumer who has missed edges, or was not there before. Any thread.
///
/// A step holds one shard's lock, for a few hundred records, so a walk is exact for each channel but not one instant: a channel that comes
/// or goes meanwhile may be missed, and its edges tell of it.
public struct OccupancyWalk: Sendable {
    private let app: App
    /// Edges of the app with this number or a lower one are contained in what the walk reads.
    public let number: UInt64
    private var part = 0
    private var record = 0

    public init(of app: App) {
        self.app = app
        // Who drew it had his shard's lock then, and we get that lock after him.
        number = app.edges.lastNumber
    }

    /// Takes a step.
    /// - Parameter slice: is filled anew; often it is empty though more follows.
    /// - Returns: false when that was all.
    public mutating func next(into slice: inout OccupancySlice) -> Bool {
        slice.clear()
        guard part < ChannelRegistry.shardCount else { return false }
        let from = record
        let next = app.registry.shard(number: part).withLock(absent: .some(nil)) {
            (state: inout ChannelShard) -> Int? in
            slice.number = app.edges.lastNumber
            return slice.add(from: state, record: from)
        }
        if next == nil { part += 1 }
        record = next ?? 0
        return part < ChannelRegistry.shardCount
    }
}

extension App {
    /// One channel as it is now. Any thread.
    /// - Returns: nil when nobody is there; and the number as in a slice.
    public func occupancy(of name: [UInt8]) -> (channel: OccupiedChannel?, number: UInt64) {
        let absent: (OccupiedChannel?, UInt64) = (nil, edges.lastNumber)
        return registry.shard(of: name.span).withLock(absent: absent) { (state: inout ChannelShard) in
            (state.find(name.span).flatMap { OccupiedChannel(state, $0) }, edges.lastNumber)
        }
    }
}
