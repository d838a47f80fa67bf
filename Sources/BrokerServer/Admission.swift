internal import BrokerCore
internal import Configuration
internal import PusherProtocol
internal import Wire

/// Whether a WebSocket client is let in (Pusher protocol §1.2, §1.4). Decides by the request and the settings alone; whoever lets the
/// client in takes the places it needs.
struct Admission {
    let state: LoopState
    var addresses: AddressGate { AddressGate(state: state) }

    /// Whether the request may become a WebSocket. What is refused here gets an HTTP status.
    func upgrade(_ request: RequestView, key: Range<Int>) throws(Refusal) -> Answer {
        let input = request.bytes
        if let fault = UpgradeFault(request.head, input.span, trustsProxy: isFromProxy(request)) {
            let headers = fault.status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : ""
            // Who tried may have sent frames already.
            let closes = request.head.upgradesToWebSocket
            throw .http(fault.status, fault.text, headers: headers, closes: closes, isHandshake: true)
        }
        guard !state.shared.isDraining || state.shared.isReplaced else {
            throw .http(503, "The server is shutting down: reconnect", closes: true, isHandshake: true)
        }
        return .webSocket(key: key)
    }

    /// The app of a client that is let in, as far as its request and the app's settings say: the checks of Pusher protocol §1.4 in their
    /// order; the first that fails is told.
    /// - Parameter isSecured: it speaks TLS with us, or with the proxy whose PROXY header says so.
    func decide(
        _ request: RequestView, _ query: APIQuery, key: Range<Int>, isSecured: Bool = false
    ) throws(Refusal) -> App {
        let rawKey = request.slice(key)
        let app = app(rawKey: rawKey.span)
        do throws(PusherErrorCode) {
            _ = try ProtocolVersion.parse(query.value("protocol"), isStrict: app?.settings.isProtocolStrict ?? false)
        } catch {
            throw .handshake(error)
        }
        guard let app else {
            let shown = String(decoding: (Percent.decode(rawKey.span) ?? Array(rawKey)).prefix(40), as: UTF8.self)
            throw .handshake(
                .unknownKey, "App key \(shown) does not exist here: check the key and the server's address")
        }
        do throws(Refusal) { try check(request, app, isSecured: isSecured) } catch { throw error.about(app) }
        return app
    }

    private func app(rawKey: Span<UInt8>) -> App? {
        guard Percent.containsEscapes(rawKey) else { return state.app(key: rawKey) }
        guard let decoded = Percent.decode(rawKey) else { return nil }
        return state.app(key: decoded.span)
    }

    /// Whether it came by a proxy that the operator trusts.
    private func isFromProxy(_ request: RequestView) -> Bool {
        state.settings.trustedProxies.believes(request.peer)
    }

    private func check(_ request: RequestView, _ app: App, isSecured: Bool) throws(Refusal) {
        guard app.settings.isEnabled else { throw .handshake(.appDisabled) }
        if app.settings.requiresTLS,
            let fault = TLSFault(request.head, trustsProxy: isFromProxy(request), isSecured: isSecured)
        {
            throw .handshake(.tlsRequired, fault.text)
        }
        // Requests without an Origin come from native apps and are always allowed (PW-016).
        let allowed = app.settings.allowedOrigins
        if !allowed.isEmpty, let origin = request.text(request.head.origin), !OriginRule.allows(origin, allowed) {
            throw .handshake(.unauthorized, "The origin \(origin) is not allowed for this app")
        }
    }

    /// Takes the places of one client: of the process, and of its app.
    func acquirePlaces(of app: App, _ broker: LoopBroker) throws(Refusal) {
        do throws(Refusal) { try state.shared.memory.admitConnection() } catch { throw error.about(app) }
        guard state.shared.acquireWebSocket() else {
            throw .handshake(.overCapacity, "The server has no room for more connections").about(app)
        }
        guard broker.acquireConnectionQuota(of: app) else {
            state.shared.releaseWebSocket()
            let code = PusherErrorCode(rawValue: UInt16(clamping: app.settings.quotaCode)) ?? .overQuota
            throw .handshake(code, PusherErrorCode.overQuota.text).about(app)
        }
    }
}

extension Refusal {
    /// The same, of an app that is known by now.
    func about(_ app: App) -> Refusal {
        var known = self
        known.app = app.index
        return known
    }
}
