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

    /// Net of this loop: a channel may become occupied by one loop and vacated by another, so that only the sum of all loops is the number of
    /// channels.
    private var channelsNet = InlineArray<10, Int>(repeating: 0)
    private var subscriptionsNet = InlineArray<10, Int>(repeating: 0)
    private var subscribes = InlineArray<10, UInt64>(repeating: 0)
    private var limitHits = InlineArray<8, UInt64>(repeating: 0)

    public init() {}

    private static func place(_ kind: ChannelKind) -> Int { Int(kind.access.rawValue) * 2 + (kind.isCache ? 1 : 0) }

    public func subscriptions(_ kind: ChannelKind) -> Int { subscriptionsNet[Self.place(kind)] }
    public func channels(_ kind: ChannelKind) -> Int { channelsNet[Self.place(kind)] }
    public func subscribes(_ kind: ChannelKind) -> UInt64 { subscribes[Self.place(kind)] }
    public func hits(_ limit: Limit) -> UInt64 { limitHits[limit.rawValue] }

    mutating func subscribed(_ kind: ChannelKind, isFirst: Bool) {
        let place = Self.place(kind)
        subscriptionsNet[place] &+= 1
        subscribes[place] &+= 1
        if isFirst { channelsNet[place] &+= 1 }
    }

    mutating func unsubscribed(_ kind: ChannelKind, isLast: Bool) {
        let place = Self.place(kind)
        subscriptionsNet[place] &-= 1
        if isLast { channelsNet[place] &-= 1 }
    }

    mutating func hit(_ limit: Limit) { limitHits[limit.rawValue] &+= 1 }

    /// Adds what another loop has counted.
    public static func += (sum: inout BrokerMeter, other: BrokerMeter) {
        for place in 0..<kindCount {
            sum.channelsNet[place] &+= other.channelsNet[place]
            sum.subscriptionsNet[place] &+= other.subscriptionsNet[place]
            sum.subscribes[place] &+= other.subscribes[place]
        }
        for limit in Limit.allCases { sum.limitHits[limit.rawValue] &+= other.limitHits[limit.rawValue] }
    }
}
