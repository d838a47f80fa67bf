/// What a webhook tells (Pusher protocol §7.2), and what only ours tell.
public enum WebhookKind: UInt8, Sendable, CaseIterable {
    case channelOccupied, channelVacated, memberAdded, memberRemoved, clientEvent, cacheMiss, subscriptionCount
    /// Ours, off unless asked for: a signed-in user's first and last connection.
    case userOnline, userOffline
    /// Ours, for operators: a client that was refused, and one that was closed because it did not read.
    case connectionRefused, slowConsumer

    /// The `name` of the event, and the word in `events`.
    public var name: String {
        switch self {
        case .channelOccupied: "channel_occupied"
        case .channelVacated: "channel_vacated"
        case .memberAdded: "member_added"
        case .memberRemoved: "member_removed"
        case .clientEvent: "client_event"
        case .cacheMiss: "cache_miss"
        case .subscriptionCount: "subscription_count"
        case .userOnline: "user_online"
        case .userOffline: "user_offline"
        case .connectionRefused: "connection_refused"
        case .slowConsumer: "slow_consumer"
        }
    }
}

/// Some of the kinds.
public struct WebhookKinds: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public init(_ kind: WebhookKind) { rawValue = 1 << UInt16(kind.rawValue) }

    public func contains(_ kind: WebhookKind) -> Bool { contains(Self(kind)) }

    /// The seven of Pusher: what an endpoint gets that does not say which it wants.
    public static let pusher = WebhookKinds(rawValue: 0b111_1111)
}
