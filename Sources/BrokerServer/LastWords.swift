internal import PusherProtocol
internal import Wire

/// What a WebSocket client is told at its end.
enum LastWords: Equatable {
    /// It is an HTTP connection, or it has left.
    case none
    /// The answer to its close frame, with the code that came (RFC 6455 §5.5.1).
    case echo(code: UInt16?)
    /// A close frame.
    case close(code: UInt16, reason: String)
    /// `pusher:error`, then the close frame of the same code (PW-009, PW-018).
    case error(PusherErrorCode, reason: String)

    /// An error with its code's own text.
    static func error(_ code: PusherErrorCode) -> LastWords { .error(code, reason: code.text) }

    func append(to out: inout [UInt8]) {
        switch self {
        case .none: break
        case .echo(nil): WebSocketFrame.appendHeader(.close, payloadBytes: 0, to: &out)
        case .echo(let code?): WebSocketFrame.appendClose(code: code, reason: "", to: &out)
        case .close(let code, let reason): WebSocketFrame.appendClose(code: code, reason: reason, to: &out)
        case .error(let code, let reason):
            var json: [UInt8] = []
            ServerFrame.error(code: Int(code.rawValue), message: reason, to: &json)
            WebSocketFrame.appendHeader(.text, payloadBytes: json.count, to: &out)
            out.append(contentsOf: json)
            WebSocketFrame.appendClose(code: code.rawValue, reason: reason, to: &out)
        }
    }
}
