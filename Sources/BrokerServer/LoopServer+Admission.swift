internal import Configuration
internal import BrokerCore
internal import Crypto
internal import PusherProtocol
internal import Reactor
internal import Wire

/// From an upgrade request to `connection_established`, or to the refusal that says why not (Pusher protocol §1.2, §1.4).
extension LoopServer {
    /// Answers `GET /app/{key}`.
    func answerWebSocket(_ slot: UInt32, _ request: RequestView, key: Range<Int>) {
        asking.isHandshake = true
        let input = request.bytes
        if let fault = UpgradeFault(request.head, input.span, trustsProxy: state.settings.trustsProxy) {
            return refuseUpgrade(slot, request, fault)
        }
        guard let nonce = request.head.webSocketKey.map(request.slice) else {
            preconditionFailure("a handshake without fault has a key")
        }
        guard request.body.isEmpty else {
            return respondError(slot, status: 400, "An upgrade request has no body", for: request, closes: true)
        }
        guard !state.isDraining else {
            return respondError(slot, status: 503, "The server is shutting down: reconnect", for: request, closes: true)
        }
        sendHandshake(slot, request, nonce: nonce)
        sessions[slot].phase = .webSocket
        do throws(Refusal) {
            try admit(slot, request, key: key)
        } catch {
            refuseWebSocket(slot, error)
        }
        applyEffects()
    }

    private func refuseUpgrade(_ slot: UInt32, _ request: RequestView, _ fault: UpgradeFault) {
        let upgrade = fault.status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : ""
        // Who tried may have sent frames already.
        respondError(
            slot, status: fault.status, fault.text, extraHeaders: upgrade, for: request,
            closes: request.head.upgradesToWebSocket)
    }

    /// A refusal after the upgrade: browsers cannot see an HTTP status.
    struct Refusal: Error {
        var code: PusherErrorCode
        var text: String

        init(_ code: PusherErrorCode, _ text: String? = nil) {
            self.code = code
            self.text = text ?? code.text
        }
    }

    private func sendHandshake(_ slot: UInt32, _ request: RequestView, nonce: UnsafeBufferPointer<UInt8>) {
        control.removeAll(keepingCapacity: true)
        control.append(contentsOf: nonce)
        control.append(contentsOf: WebSocketHandshake.keySuffix.description.utf8)
        let text = control
        let digest = Digest.sha1(text.span)
        var accept: [UInt8] = []
        Base64.append(digest.span, to: &accept)
        response.removeAll(keepingCapacity: true)
        date.set(unixSeconds: unixSeconds)
        let input = request.bytes
        // The first of the list, as soketi does; some stacks give up without one (PW-014).
        if let offered = request.head.webSocketProtocol, let first = HTTPText.firstItem(of: offered, in: input.span) {
            let chosen = request.slice(first)
            WebSocketHandshake.appendResponse(accept: accept.span, date: date, subprotocol: chosen.span, to: &response)
        } else {
            WebSocketHandshake.appendResponse(accept: accept.span, date: date, subprotocol: nil, to: &response)
        }
        loop.outbox.send(response, to: slot)
    }

    /// The checks in the order of Pusher protocol §1.4; the first that fails is told.
    private func admit(_ slot: UInt32, _ request: RequestView, key: Range<Int>) throws(Refusal) {
        let query = APIQuery(request.slice(request.head.query).span)
        let rawKey = request.slice(key)
        let decodedKey = Percent.decode(rawKey.span)
        let app = decodedKey.flatMap { state.broker.app(key: $0.span) }
        do throws(PusherErrorCode) {
            _ = try ProtocolVersion.parse(query.value("protocol"), isStrict: app?.settings.isProtocolStrict ?? false)
        } catch {
            throw Refusal(error)
        }
        guard let app else {
            let shown = String(decoding: (decodedKey ?? Array(rawKey)).prefix(40), as: UTF8.self)
            throw Refusal(.unknownKey, "App key \(shown) does not exist here: check the key and the server's address")
        }
        asking.app = app.index
        let settings = app.settings
        guard settings.isEnabled else { throw Refusal(.appDisabled) }
        if settings.requiresTLS, let fault = TLSFault(request.head, trustsProxy: state.settings.trustsProxy) {
            throw Refusal(.tlsRequired, fault.text)
        }
        guard originIsAllowed(request, settings) else {
            throw Refusal(
                .unauthorized, "The origin \(request.text(request.head.origin) ?? "-") is not allowed for this app")
        }
        guard state.acquireWebSocket() else {
            throw Refusal(.overCapacity, "The server has no room for more connections")
        }
        guard broker.acquireConnectionQuota(of: app) else {
            state.releaseWebSocket()
            throw Refusal(settings.quotaCode == 4100 ? .overCapacity : .overQuota, PusherErrorCode.overQuota.text)
        }
        broker.open(slot: slot, app: app, random: Randomness.uint32())
        sessions[slot].sinceMilliseconds = milliseconds
        sessions[slot].isReceiving = false
        sessions[slot].bytesAwaited = 0
        armHeartbeat(slot)
        beginConnection(slot, query)
    }

    /// Requests without an Origin come from native apps and are always allowed (PW-016).
    private func originIsAllowed(_ request: RequestView, _ settings: AppSettings) -> Bool {
        guard let origin = request.text(request.head.origin) else { return true }
        return OriginRule.allows(origin, settings.allowedOrigins)
    }

    /// `pusher:error`, then the close frame, both with the code (PW-009, PW-018).
    private func refuseWebSocket(_ slot: UInt32, _ refusal: Refusal) {
        logRefusal(.handshake, slot, code: Int(refusal.code.rawValue), refusal.text)
        control.removeAll(keepingCapacity: true)
        appendErrorAndClose(refusal.code, reason: refusal.text, to: &control)
        // It never was a connection of the broker (PW-020).
        sessions[slot].phase = .ending
        sendLast(slot, .closed(code: refusal.code.rawValue))
    }
}
