internal import BrokerCore
internal import Configuration
internal import PusherProtocol
internal import Reactor
internal import Telemetry
internal import Wire

/// What goes well, at `debug`: connect, subscribe, unsubscribe, sign-in, publish, disconnect. Nothing here is reached at other levels,
/// but for the notes of refusals.
extension LoopServer {
    /// Remembers when a WebSocket connection began and whom the log names for it.
    func beginConnection(_ slot: UInt32, _ query: APIQuery) {
        if state.settings.trustsProxy, let client = forwardedPeer() { sessions[slot].peer = client }
        sessions[slot].beganSeconds = seconds
        guard isTracing else { return }
        let client = query.value("client").map { String(decoding: $0.prefix(64), as: UTF8.self) } ?? "-"
        Log.write(.debug, "connected", whoseFields(slot) + [("client", client) as LogField])
    }

    func logDisconnect(_ slot: UInt32, _ cause: EndCause) {
        var fields = whoseFields(slot)
        fields += [("lifetime_seconds", seconds &- sessions[slot].beganSeconds), ("cause", cause.text)]
        if let code = cause.code { fields.append(("code", code)) }
        Log.write(.debug, "disconnected", fields)
    }

    /// One event of a publish that was admitted.
    func logPublished(_ event: PublishRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App) {
        let own = event.storage
        let literal =
            event.name.isInBody
            ? String(decoding: body[event.name.range], as: UTF8.self) : Self.text(own[event.name.range])
        let channels = event.channels.map { Self.text(own[$0.name]) }.joined(separator: ",")
        Log.debug(
            "published", ("app", app.settings.id), ("event", Self.unquoted(literal)), ("channel", channels),
            ("data_bytes", event.dataBytes))
    }

    /// Writes what the broker noted of the last commands: once a turn, and before a connection loses its name.
    func logNotes() {
        // A request that is being answered now has nothing to do with them.
        let kept = asking
        asking = Asking()
        defer { asking = kept }
        for note in broker.effects.notes.list {
            switch note.kind {
            case .subscriptionRefused, .signInRefused, .clientEventRefused, .messageRefused:
                logRefusal(
                    RefusalKind(note.kind) ?? .message, note.slot, code: note.code, channel: note.channel, note.text)
            case .subscribed: trace("subscribed", note)
            case .unsubscribed: trace("unsubscribed", note)
            case .signedIn: trace("signed in", note, ("user_id", note.text))
            case .clientEventSent: trace("client event", note, ("event", Self.unquoted(note.text)))
            }
        }
        for (raw, count) in broker.effects.notes.leftOut.enumerated() where count > 0 {
            guard let kind = Notes.Kind(rawValue: UInt8(raw)).flatMap(RefusalKind.init) else { continue }
            state.refusals.leaveOut(count, of: kind)
        }
        broker.effects.notes.clear()
    }

    private func trace(_ message: StaticString, _ note: Notes.Note, _ more: LogField...) {
        var fields = whoseFields(note.slot)
        if !note.channel.isEmpty { fields.append(("channel", Self.text(note.channel[...]))) }
        Log.write(.debug, message, fields + more)
    }

    private func whoseFields(_ slot: UInt32) -> [LogField] {
        guard broker.isOpen(slot) else { return [("peer", sessions[slot].peer.logText)] }
        return [
            ("app", broker.app(of: slot).settings.id), ("socket_id", socketText(slot)),
            ("peer", sessions[slot].peer.logText),
        ]
    }

    /// A JSON literal without its quotes; what is escaped in it stays so.
    private static func unquoted(_ literal: String) -> String {
        literal.hasPrefix("\"") && literal.hasSuffix("\"") ? String(literal.dropFirst().dropLast()) : literal
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private var seconds: UInt32 { UInt32(truncatingIfNeeded: loop.now.nanoseconds / Self.second) }
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
