public import PusherProtocol

/// What one loop's broker has counted besides its apps. Plain numbers of the loop's thread.
public struct BrokerMeter: Sendable {
    /// A rate or quota of an app that refused something, by the key of its option.
    public enum Limit: Int, Sendable, CaseIterable {
        case backendEventsPerSecond, readRequestsPerSecond, clientEventsPerSecond, messagesPerDay
        case connections, channels, channelsPerConnection, presenceMembers
    }

    /// Kinds of channels, by who may enter and whether they cache.
    public static let kindCount = ChannelKind.Access.allCases.count * 2

    private struct KindCount: Sendable {
        /// Net of this loop: a channel may become occupied by one loop and vacated by another, so that only the sum of all loops is the number
        /// of channels.
        var channels = 0
        var subscriptions = 0
        var subscribes: UInt64 = 0

        @inline(__always)
        mutating func add(channels change: Int, subscriptions more: Int) {
            channels &+= change
            subscriptions &+= more
            if more > 0 { subscribes &+= 1 }
        }
    }

    private var kinds = [KindCount](repeating: KindCount(), count: kindCount)
    private var limitHits = [UInt64](repeating: 0, count: Limit.allCases.count)

    public init() {}

    private static func place(_ kind: ChannelKind) -> Int { Int(kind.access.rawValue) * 2 + (kind.isCache ? 1 : 0) }

    public func subscriptions(_ kind: ChannelKind) -> Int { kinds[Self.place(kind)].subscriptions }
    public func channels(_ kind: ChannelKind) -> Int { kinds[Self.place(kind)].channels }
    public func subscribes(_ kind: ChannelKind) -> UInt64 { kinds[Self.place(kind)].subscribes }
    public func hits(_ limit: Limit) -> UInt64 { limitHits[limit.rawValue] }

    mutating func subscribed(_ kind: ChannelKind, isFirst: Bool) {
        kinds[Self.place(kind)].add(channels: isFirst ? 1 : 0, subscriptions: 1)
    }

    mutating func unsubscribed(_ kind: ChannelKind, isLast: Bool) {
        kinds[Self.place(kind)].add(channels: isLast ? -1 : 0, subscriptions: -1)
    }

    mutating func hit(_ limit: Limit) { limitHits[limit.rawValue] &+= 1 }

    /// Adds what another loop has counted.
    public static func += (sum: inout BrokerMeter, other: BrokerMeter) {
        for place in 0..<kindCount {
            sum.kinds[place].channels &+= other.kinds[place].channels
            sum.kinds[place].subscriptions &+= other.kinds[place].subscriptions
            sum.kinds[place].subscribes &+= other.kinds[place].subscribes
        }
        for limit in Limit.allCases { sum.limitHits[limit.rawValue] &+= other.limitHits[limit.rawValue] }
    }
}
