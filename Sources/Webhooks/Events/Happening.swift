public import BrokerCore
public import PusherProtocol

/// One thing that receivers are to be told, once: what is left of the edges after the rules of `EdgeStory`.
public struct Happening: Sendable, Equatable {
    /// What its kind tells besides the channel.
    public enum Payload: Sendable, Equatable {
        case none
        /// A member of a presence channel, or a signed-in user.
        case user([UInt8])
        case clientEvent(ChannelEdge.Event)
        /// Connections of the channel.
        case count(Int)
        case refusal(ChannelEdge.Refusal)
        case slowConsumer(ChannelEdge.SlowConsumer)
    }

    /// The app's number.
    public var app: Int
    public var kind: WebhookKind
    /// Empty for what is of no channel.
    public var channel: [UInt8]
    /// Monotonic: when it happened, which for who did not come back is when he left.
    public var milliseconds: UInt64
    public var payload: Payload
    /// How many more of its kind and app there were since the last that was told; of those that are only told by the second.
    public var leftOut = 0

    public init(
        app: Int, kind: WebhookKind, channel: [UInt8] = [], milliseconds: UInt64, payload: Payload = .none
    ) {
        (self.app, self.kind, self.channel) = (app, kind, channel)
        (self.milliseconds, self.payload) = (milliseconds, payload)
    }
}
