internal import BrokerCore
internal import PusherProtocol

/// What of the refusals operators may have told as webhooks: a client that was not let in, and one that was closed because it does not
/// read. Only of a known app, since webhooks are an app's.
enum OperatorReport {
    /// What a refusal is to those who ask; nil: nothing.
    static func kind(of refusal: Refusal) -> ChannelEdge.Kind? {
        switch refusal.kind {
        case .handshake, .address: .connectionRefused
        case .slowConsumer: .slowConsumer
        case .http, .auth, .limit, .subscription, .signIn, .clientEvent, .message, .webSocket, .authorization,
            .transport,
            .tls, .proxy:
            nil
        }
    }

    /// - Parameters:
    ///   - reason: without secrets.
    ///   - socketID: of an open connection.
    static func change(
        _ refusal: Refusal, reason: String, address: String, socketID: SocketID?
    ) -> ChannelEdge.Change? {
        switch (kind(of: refusal), socketID) {
        case (.connectionRefused, _):
            .connectionRefused(.init(code: refusal.code ?? 0, reason: reason, address: address))
        case (.slowConsumer, let socketID?):
            .slowConsumer(
                .init(socketID: socketID, reason: reason, address: address, backlogBytes: refusal.backlogBytes))
        default: nil
        }
    }
}
