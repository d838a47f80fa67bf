/// Why a subscription was refused, as `pusher:subscription_error` says it (Pusher protocol §3.4).
public enum SubscriptionFailure: Sendable, CaseIterable {
    case auth
    case nameTooLong
    case invalidName
    case presenceFull
    case memberTooLarge
    case channelData
    case limitReached

    /// The frame's `data.type`.
    public var type: String {
        switch self {
        case .auth: "AuthError"
        case .nameTooLong, .presenceFull, .memberTooLarge, .limitReached: "LimitReached"
        case .invalidName: "InvalidChannelName"
        case .channelData: "InvalidChannelData"
        }
    }

    /// The `data.code` of the `pusher:error` beside it: null for a refused `auth`, as hosted Pusher says it, and for every status of
    /// the class that ends connections, since Pysher hangs up on any error of 4000…4099 (Pusher protocol §3.4).
    public var code: Int? {
        switch self {
        case .auth: nil
        default: 4000...4099 ~= status ? nil : status
        }
    }

    /// The frame's `data.status`, as soketi numbers them (PW-063, PW-078, PW-079).
    public var status: Int {
        switch self {
        case .auth: 401
        case .nameTooLong, .invalidName: 4009
        case .presenceFull, .limitReached: 4100
        case .memberTooLarge: 4301
        case .channelData: 4302
        }
    }
}
