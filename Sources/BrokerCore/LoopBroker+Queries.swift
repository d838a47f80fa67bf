internal import PusherProtocol
internal import Wire

/// Questions of the HTTP API about channels (Pusher protocol §6.7). Answers are of one instant per channel.
extension LoopBroker {
    /// One channel as the API shows it.
    public struct ChannelState: Sendable, Equatable {
        public var subscriptions = 0
        public var users = 0
        /// Cache channels: the last event's data as a JSON string literal, and how long it will be kept.
        public var cache: (dataLiteral: [UInt8], secondsLeft: Int)?

        public static func == (a: Self, b: Self) -> Bool {
            a.subscriptions == b.subscriptions && a.users == b.users && a.cache?.dataLiteral == b.cache?.dataLiteral
        }
    }

    /// What the API tells of a channel; of one that is not occupied, too (Pusher protocol §6.7).
    public func channelState(of name: Span<UInt8>, app: App) -> ChannelState {
        app.registry.shard(of: name).withLock { (state: inout ChannelShard) -> ChannelState in
            guard let id = state.find(name) else { return ChannelState() }
            var answer = ChannelState(
                subscriptions: state.records[id].subscriberCount, users: state.records[id].roster?.count ?? 0)
            if let cache = state.records[id].cache, cache.expiresMilliseconds > time.milliseconds {
                let left = (cache.expiresMilliseconds - time.milliseconds + 999) / 1_000
                answer.cache = (Array(cache.json[cache.data]), Int(left))
            }
            return answer
        }
    }

    /// The occupied channels whose names begin with `prefix`; user channels are never among them (PW-123, PW-158).
    ///
    /// Takes one part's lock after the other, so the list is exact for each channel but not one instant. A channel is always in
    /// the same part, so that a list made over several turns names none twice.
    /// - Parameters:
    ///   - part: below `channelParts`.
    ///   - listing: is filled anew.
    /// - Returns: how many channels were looked at.
    public func occupiedChannels(
        app: App, part: Int, prefix: Span<UInt8>, into listing: inout ChannelListing
    ) -> Int {
        listing.clear()
        return app.registry.shard(number: part).withLock(absent: 0) { (state: inout ChannelShard) -> Int in
            listing.fill(from: state, prefix: prefix)
            return listing.lookedAt
        }
    }

    /// The parts of `occupiedChannels`.
    public static var channelParts: Int { ChannelRegistry.shardCount }

    /// The distinct users of a presence channel.
    public func users(of name: Span<UInt8>, app: App) -> [[UInt8]] {
        app.registry.shard(of: name).withLock { (state: inout ChannelShard) -> [[UInt8]] in
            guard let id = state.find(name) else { return [] }
            return state.records[id].roster?.userIDs ?? []
        }
    }
}
