/// The code of a `pusher:error` frame, and of the close frame when it ends the connection (Pusher protocol §1.5).
public enum PusherErrorCode: UInt16, Error, Sendable, CaseIterable {
    case tlsRequired = 4000
    case unknownKey = 4001
    case appDisabled = 4003
    case overQuota = 4004
    case pathNotFound = 4005
    case malformedVersion = 4006
    case unsupportedProtocol = 4007
    case missingProtocol = 4008
    case unauthorized = 4009
    case overCapacity = 4100
    case reconnect = 4200
    case noPong = 4201
    case inactive = 4202
    case clientEventRejected = 4301
    case watchlistTooLong = 4302

    /// What a client does after the code, by its hundred (Pusher protocol §1.5, class rule): what a counter of refusals is grouped by.
    public enum Advice: Sendable {
        /// Do not come back unchanged.
        case stop
        /// Come back after a second or more.
        case backOff
        /// Come back at once.
        case reconnectNow
        /// Stay; only this command failed.
        case stay
    }

    /// What a client does after this code.
    public var advice: Advice {
        switch rawValue {
        case ..<4100: .stop
        case ..<4200: .backOff
        case ..<4300: .reconnectNow
        default: .stay
        }
    }

    /// For people: fixed, so that it can label a metric, and at most 123 bytes, so that it fits a close frame (PW-018).
    public var text: String {
        switch self {
        case .tlsRequired: "This app accepts only TLS connections: connect with wss://"
        case .unknownKey: "No app has this key: check the key, and that you connect to the right server"
        case .appDisabled: "This app is disabled"
        case .overQuota: "This app has reached its limit of connections"
        case .pathNotFound: "Path not found: connect to /app/{key}"
        case .malformedVersion: "The protocol parameter must be a decimal number, such as protocol=7"
        case .unsupportedProtocol: "Unsupported protocol version: use 5, 6 or 7"
        case .missingProtocol: "The protocol parameter is missing: add protocol=7 to the URL"
        case .unauthorized: "The connection is not authorized"
        case .overCapacity: "Over capacity: reconnect later"
        case .reconnect: "Please reconnect immediately"
        case .noPong: "Pong reply not received"
        case .inactive: "The connection was inactive for too long"
        case .clientEventRejected: "The client event was rejected"
        case .watchlistTooLong: "The watchlist is too long: the first ids are watched, the rest are not"
        }
    }
}
