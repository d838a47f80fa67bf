internal import PusherProtocol
internal import Reactor

/// What ended a connection, for the log.
enum EndCause {
    /// The client's close frame, with its code if it had one.
    case closeFrame(code: UInt16?)
    /// Our close frame.
    case closed(code: UInt16)
    /// An HTTP connection that got its last answer, or asked nothing for too long.
    case answered, idle
    case transport(TransportClose)

    /// Our close frame of a protocol code.
    static func closed(with code: PusherErrorCode) -> EndCause { .closed(code: code.rawValue) }

    var code: UInt16? {
        switch self {
        case .closeFrame(let code): code
        case .closed(let code): code
        case .answered, .idle, .transport: nil
        }
    }

    var text: String {
        switch self {
        case .closeFrame: "the client closed"
        case .closed: "closed by the server"
        case .answered: "answered"
        case .idle: "idle"
        case .transport(.peerClosed): "the client closed without a close frame"
        case .transport(.reset): "the client reset the connection"
        case .transport(.timeout): "the kernel gave up on unacknowledged bytes"
        case .transport(.overflow): "buffered input passed its bound"
        case .transport(.tooSlow): "unsent output that could not be shortened passed backlogBytes or backlogTotalBytes"
        case .transport(.local): "closed by the server"
        case .transport(.error(let code)): IOError.text(code)
        }
    }
}
