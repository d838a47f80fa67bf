internal import BrokerCore
internal import Configuration
internal import Reactor
internal import Telemetry
internal import Wire

/// The request that is being answered, as the log wants it. Its bytes are valid while it is answered.
struct Asking {
    var head = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// The app it named, by index; -1 until that is known.
    var app = -1
    /// It asked for a WebSocket.
    var isHandshake = false
}

/// The one place where a refusal becomes a line: who, whose app, why. Lines are rare, so nothing is kept for them but the peer.
extension LoopServer {
    /// Logs a refusal at `info`, if its kind has a line left this second.
    ///
    /// App, socket id, peer, method and path come from the connection and from `asking`. The reason is the full one, also under
    /// `--production`; it must hold no secret and no expected signature.
    func logRefusal(
        _ kind: RefusalKind, _ slot: UInt32, code: Int? = nil, channel: [UInt8] = [],
        _ reason: @autoclosure () -> String, _ more: LogField...
    ) {
        guard let suppressed = state.refusals.admit(kind) else { return }
        var fields: [LogField] = [("kind", kind.name)]
        if let code { fields.append(("code", code)) }
        fields += connectionFields(slot)
        if !channel.isEmpty { fields.append(("channel", String(decoding: channel, as: UTF8.self))) }
        fields += more
        if suppressed > 0 { fields.append(("suppressed", suppressed)) }
        // Last, because it may be long.
        fields.append(("reason", state.secrets.redacted(reason())))
        Log.write(.info, "refused", fields)
    }

    /// A connection the kernel ended otherwise than in good order. One that was ending anyway is no news.
    func logTransport(_ slot: UInt32, _ why: TransportClose) {
        let phase = sessions[slot].phase
        guard phase == .webSocket || phase == .http else { return }
        switch why {
        case .timeout, .overflow, .error: logRefusal(.transport, slot, EndCause.transport(why).text)
        case .tooSlow: logRefusal(.slowConsumer, slot, EndCause.transport(why).text)
        case .peerClosed, .reset, .local: break
        }
    }

    /// Who it is: app, socket id, peer; and what was asked for, while a request is being answered.
    func connectionFields(_ slot: UInt32) -> [LogField] {
        var fields: [LogField] = []
        if sessions[slot].phase == .webSocket, broker.isOpen(slot) {
            fields += [("app", broker.app(of: slot).settings.id), ("socket_id", socketText(slot))]
        } else if asking.app >= 0 {
            fields.append(("app", state.broker.apps[asking.app].settings.id))
        }
        let peer = sessions[slot].peer
        if let client = forwardedPeer() {
            fields += [("peer", client.logText), ("via", peer.logText)]
        } else {
            fields.append(("peer", peer.logText))
        }
        if !asking.head.isEmpty {
            let line = RequestWords(asking.head.span)
            fields += [("method", line.method), ("path", state.secrets.redacted(line.path))]
        }
        return fields
    }

    /// The client that a trusted proxy speaks for in the request that is being answered.
    func forwardedPeer() -> PeerAddress? {
        guard state.settings.trustsProxy, !asking.head.isEmpty else { return nil }
        let node = ForwardedFor.lastNode(inHead: asking.head.span)
        return node.flatMap { PeerAddress.parse(host: $0.host, port: $0.port) }
    }
}

extension PeerAddress {
    /// `192.0.2.1:443`, and without a port that a proxy did not tell.
    var logText: String { port == 0 ? host : description }
}
