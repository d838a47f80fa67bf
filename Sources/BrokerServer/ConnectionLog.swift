internal import BrokerCore
internal import Configuration
internal import PusherProtocol
internal import Reactor
internal import Telemetry
internal import TLS
internal import Wire

/// What one loop says of its connections: refusals at `info`, what goes well at `debug`. Loop thread only.
///
/// Lines are rare, so nothing is kept for them but the peer. It cannot be copied, so that to ask it counts no reference.
struct ConnectionLog: ~Copyable {
    let state: LoopState
    let broker: LoopBroker
    /// What goes well is logged too.
    var isTracing: Bool
    /// The head of the request that is being answered; its bytes are valid so long.
    var asking = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// What is counted of this loop's connections; refusals whether they are logged or not.
    var counts = ConnectionCounts()

    init(state: LoopState, broker: LoopBroker, isTracing: Bool) {
        (self.state, self.broker, self.isTracing) = (state, broker, isTracing)
    }

    // MARK: Refusals

    /// The one place where a refusal is counted and becomes a line: who, whose app, why; if its kind has a line left this second.
    ///
    /// App, socket id, peer, method and path come from the connection and from `asking`. The reason is the full one, also under
    /// `--production`; it must hold no secret and no expected signature.
    mutating func refused(_ refusal: Refusal, _ slot: UInt32, _ peer: PeerAddress) {
        counts.refusals.add(refusal.kind, code: refusal.code)
        if let address = refusal.address { counts.addressHits.add(address.limit) }
        guard let suppressed = state.shared.refusals.admit(refusal.kind, saying: { say(refusal, slot, peer, &$0) })
        else {
            return
        }
        var fields: [LogField] = [("kind", refusal.kind.name)]
        if let code = refusal.code { fields.append(("code", code)) }
        fields += connectionFields(slot, peer, app: refusal.app)
        if !refusal.channel.isEmpty { fields.append(("channel", Self.text(refusal.channel[...]))) }
        if let address = refusal.address {
            fields += [("address_block", "\(address.block)"), ("address_refusals", address.count)]
        }
        if let bytes = refusal.backlogBytes { fields.append(("backlog_bytes", bytes)) }
        if suppressed > 0 { fields.append(("suppressed", suppressed)) }
        // Last, because it may be long.
        fields.append(("reason", state.secrets.redacted(refusal.logged ?? refusal.text)))
        Log.write(.info, "refused", fields)
    }

    /// What makes two refusals the same to the operator: whose, from which host, for which path, and why; ports and socket ids do not count.
    private func say(_ refusal: Refusal, _ slot: UInt32, _ peer: PeerAddress, _ hasher: inout Hasher) {
        hasher.combine(refusal.code)
        hasher.combine(broker.isOpen(slot) ? broker.app(of: slot).index : refusal.app)
        let client = forwardedPeer(of: peer) ?? peer
        hasher.combine(client.high)
        hasher.combine(client.low)
        refusal.channel.withUnsafeBytes { hasher.combine(bytes: $0) }
        hasher.combine(refusal.logged ?? refusal.text)
        let path = asking.prefix(RequestWords.bytesMax).prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "\r") }
        hasher.combine(bytes: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: path)))
    }

    /// A client that never became a connection.
    mutating func handshakeFailed(_ why: TLSFailure, _ peer: PeerAddress) {
        counts.refusals.add(.tls)
        counts.handshakeFailures.add(why)
        let admitted = state.shared.refusals.admit(.tls) { hasher in
            hasher.combine(why.name.description)
            hasher.combine(peer.high)
            hasher.combine(peer.low)
        }
        guard let suppressed = admitted else { return }
        var fields: [LogField] = [("kind", RefusalKind.tls.name), ("cause", why.name), ("peer", peer.logText)]
        if suppressed > 0 { fields.append(("suppressed", suppressed)) }
        Log.write(.info, "refused", fields + [("reason", why.text) as LogField])
    }

    /// A connection that should have begun with a PROXY header.
    mutating func preambleFailed(_ why: PreambleFailure, _ peer: PeerAddress) {
        let fault = ProxyFaultCounts.Fault(why)
        counts.refusals.add(.proxy)
        counts.proxyFaults.add(fault)
        let admitted = state.shared.refusals.admit(.proxy) { hasher in
            hasher.combine(why.text)
            hasher.combine(peer.high)
            hasher.combine(peer.low)
        }
        guard let suppressed = admitted else { return }
        var fields: [LogField] = [
            ("kind", RefusalKind.proxy.name), ("cause", fault.rawValue), ("peer", peer.logText),
        ]
        if suppressed > 0 { fields.append(("suppressed", suppressed)) }
        Log.write(.info, "refused", fields + [("reason", why.text) as LogField])
    }

    /// Who it is: app, socket id, peer; and what was asked for, while a request is being answered.
    private func connectionFields(_ slot: UInt32, _ peer: PeerAddress, app: Int?) -> [LogField] {
        var fields: [LogField] = []
        if broker.isOpen(slot) {
            fields += [("app", broker.app(of: slot).settings.id), ("socket_id", socketText(slot))]
        } else if let app {
            fields.append(("app", broker.directory.apps[app].settings.id))
        }
        if let client = forwardedPeer(of: peer) {
            fields += [("peer", client.logText), ("via", peer.logText)]
        } else {
            fields.append(("peer", peer.logText))
        }
        if !asking.isEmpty {
            let line = RequestWords(asking.span)
            fields += [("method", line.method), ("path", state.secrets.redacted(line.path))]
        }
        return fields
    }

    /// The client that a trusted proxy speaks for in the request that is being answered.
    func forwardedPeer(of peer: PeerAddress) -> PeerAddress? {
        guard !asking.isEmpty, state.settings.trustedProxies.believes(peer) else { return nil }
        let proxies = state.settings.trustedProxies
        let node = ForwardedFor.client(inHead: asking.span, past: proxies.isProxy)
        return node.flatMap { PeerAddress.parse(host: $0.host, port: $0.port) }
    }

    // MARK: Notes

    /// Writes what the broker noted of the last commands: once a turn, and before a connection loses its name.
    mutating func writeNotes(_ sessions: borrowing SessionTable) {
        // A request that is being answered now has nothing to do with them.
        let kept = asking
        asking = UnsafeBufferPointer(start: nil, count: 0)
        defer { asking = kept }
        for note in broker.effects.notes.list {
            let peer = sessions[note.slot].peer
            switch note.kind {
            case .subscriptionRefused, .signInRefused, .clientEventRefused, .messageRefused:
                refused(Refusal(note), note.slot, peer)
            case .subscribed: trace("subscribed", note, peer)
            case .unsubscribed: trace("unsubscribed", note, peer)
            case .signedIn: trace("signed in", note, peer, ("user_id", note.text))
            case .clientEventSent: trace("client event", note, peer, ("event", Self.unquoted(note.text)))
            }
        }
        for (raw, count) in broker.effects.notes.leftOut.enumerated() where count > 0 {
            guard let kind = Notes.Kind(rawValue: UInt8(raw)).flatMap(RefusalKind.init) else { continue }
            counts.refusals.add(kind, count)
            state.shared.refusals.leaveOut(count, of: kind)
        }
        broker.effects.notes.clear()
    }

    // MARK: What goes well

    func connected(_ slot: UInt32, _ peer: PeerAddress, _ query: APIQuery) {
        guard isTracing else { return }
        let client = query.value("client").map { Self.text($0.prefix(64)) } ?? "-"
        Log.write(.debug, "connected", whoseFields(slot, peer) + [("client", client) as LogField])
    }

    func disconnected(_ slot: UInt32, _ peer: PeerAddress, lifetimeSeconds: UInt32, _ cause: EndCause) {
        var fields = whoseFields(slot, peer)
        fields += [("lifetime_seconds", lifetimeSeconds), ("cause", cause.text)]
        if let code = cause.code { fields.append(("code", code)) }
        Log.write(.debug, "disconnected", fields)
    }

    /// One event of a publish that was admitted.
    static func published(_ event: PublishRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App) {
        let own = event.storage
        let literal =
            event.name.isInBody ? String(decoding: body[event.name.range], as: UTF8.self) : text(own[event.name.range])
        let channels = event.channels.map { text(own[$0.name]) }.joined(separator: ",")
        Log.debug(
            "published", ("app", app.settings.id), ("event", unquoted(literal)), ("channel", channels),
            ("data_bytes", event.dataBytes))
    }

    private func trace(_ message: StaticString, _ note: Notes.Note, _ peer: PeerAddress, _ more: LogField...) {
        var fields = whoseFields(note.slot, peer)
        if !note.channel.isEmpty { fields.append(("channel", Self.text(note.channel[...]))) }
        Log.write(.debug, message, fields + more)
    }

    private func whoseFields(_ slot: UInt32, _ peer: PeerAddress) -> [LogField] {
        guard broker.isOpen(slot) else { return [("peer", peer.logText)] }
        return [
            ("app", broker.app(of: slot).settings.id), ("socket_id", socketText(slot)), ("peer", peer.logText),
        ]
    }

    private func socketText(_ slot: UInt32) -> String {
        var text: [UInt8] = []
        broker.socketID(of: slot).append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// A JSON literal without its quotes; what is escaped in it stays so.
    private static func unquoted(_ literal: String) -> String {
        literal.hasPrefix("\"") && literal.hasSuffix("\"") ? String(literal.dropFirst().dropLast()) : literal
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension Refusal {
    /// A refusal that the broker has given and noted.
    init(_ note: Notes.Note) {
        self.init(
            kind: RefusalKind(note.kind) ?? .message, answer: .given(code: note.code), text: note.text,
            channel: note.channel)
    }
}

extension RefusalKind {
    /// The kind of a note; nil when it notes what went well.
    init?(_ noted: Notes.Kind) {
        switch noted {
        case .subscriptionRefused: self = .subscription
        case .signInRefused: self = .signIn
        case .clientEventRefused: self = .clientEvent
        case .messageRefused: self = .message
        case .subscribed, .unsubscribed, .signedIn, .clientEventSent: return nil
        }
    }
}

extension PeerAddress {
    /// `192.0.2.1:443`, and without a port that a proxy did not tell; `unix` of who came by a Unix socket, which has no address.
    var logText: String { family == .none ? "unix" : port == 0 ? host : description }

    /// The same without the port.
    var hostText: String { family == .none ? "unix" : host }
}
