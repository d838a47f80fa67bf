/// What was refused. Each kind has its own lines per second in the log.
enum RefusalKind: Int, CaseIterable {
    /// A request that cannot be read, or asks for what is not there.
    case http
    /// An API call whose key, signature or time is not right.
    case auth
    /// An API call or request above a limit, a rate or a quota; also while the server has no room.
    case limit
    /// A WebSocket client that was not let in.
    case handshake
    case subscription
    case signIn
    case clientEvent
    /// A message that is no Pusher message.
    case message
    /// Bytes that are no WebSocket.
    case webSocket
    /// A connection that did not authorize itself in time.
    case authorization
    case slowConsumer
    /// A connection the kernel gave up, or whose input passed its bound.
    case transport
    /// A TLS handshake that failed, TLS where there is none, or plain HTTP where there is only TLS.
    case tls
    /// A connection from a trusted network that does not begin with a PROXY header.
    case proxy
    /// A connection above a limit of its address.
    case address

    /// The kind of an HTTP answer.
    static func http(status: Int) -> RefusalKind {
        switch status {
        case 401: .auth
        case 403, 413, 414, 429, 431, 503: .limit
        default: .http
        }
    }

    /// The value of `kind=` in the log.
    var name: StaticString {
        switch self {
        case .http: "http"
        case .auth: "auth"
        case .limit: "limit"
        case .handshake: "handshake"
        case .subscription: "subscription"
        case .signIn: "sign_in"
        case .clientEvent: "client_event"
        case .message: "message"
        case .webSocket: "websocket"
        case .authorization: "authorization"
        case .slowConsumer: "slow_consumer"
        case .transport: "transport"
        case .tls: "tls"
        case .proxy: "proxy"
        case .address: "address"
        }
    }
}
