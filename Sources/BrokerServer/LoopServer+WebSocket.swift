internal import BrokerCore
internal import Configuration
internal import Crypto
internal import PusherProtocol
internal import Reactor
internal import Wire

/// A WebSocket connection from its handshake to its last frame, and the end of every connection.
extension LoopServer {
    // MARK: Opening

    /// The handshake, then `connection_established` or the refusal (Pusher protocol §1.2, §1.4).
    func openWebSocket(_ slot: UInt32, _ request: RequestView, key: Range<Int>) throws(Refusal) {
        sendHandshake(slot, request)
        log.counts.http.add(.webSocket, status: 101)
        scratch.query.read(request.slice(request.head.query).span)
        let query = scratch.query
        let app = try routes.admission.decide(request, query, key: key, isSecured: loop.cameSecured(slot))
        if state.countsAddresses || sessions[slot].place != .none {
            try acquireCountedPlaces(slot, of: app, request.peer)
        } else {
            try routes.admission.acquirePlaces(of: app, broker)
        }
        broker.open(slot: slot, app: app, random: scratch.random.next())
        sessions[slot].becomeWebSocket(
            milliseconds: milliseconds, seconds: seconds, meter: broker.meter(of: app.index))
        if let client = log.forwardedPeer(of: request.peer) { sessions[slot].peer = client }
        armHeartbeat(slot, app)
        if upkeep.isDraining { upkeep.leaving.add(slot) }
        log.connected(slot, sessions[slot].peer, query)
    }

    /// Takes the places that a client needs, that of its address first: of the client that a proxy speaks for, if one does.
    @inline(never)
    private func acquireCountedPlaces(_ slot: UInt32, of app: App, _ peer: PeerAddress) throws(Refusal) {
        let (addresses, client) = (routes.admission.addresses, log.forwardedPeer(of: peer))
        do throws(Refusal) {
            try addresses.enter(&sessions[slot], client: client, now: loop.now)
            sessions[slot].peer = client ?? peer
            try routes.admission.acquirePlaces(of: app, broker)
        } catch {
            if client != nil, sessions[slot].place != .none { addresses.giveBack(&sessions[slot], now: loop.now) }
            sessions[slot].peer = peer
            throw error.about(app)
        }
    }

    private func sendHandshake(_ slot: UInt32, _ request: RequestView) {
        guard let nonce = request.head.webSocketKey.map(request.slice) else {
            preconditionFailure("a handshake without fault has a key")
        }
        let digest = acceptDigest(nonce)
        let input = request.bytes
        scratch.write(unixSeconds: clock.unixSeconds) { date, out in
            // The first of the list, as soketi does; some stacks give up without one (PW-014).
            if let offered = request.head.webSocketProtocol,
                let first = HTTPText.firstItem(of: offered, in: input.span)
            {
                let chosen = request.slice(first)
                WebSocketHandshake.appendResponse(digest: digest.span, date: date, subprotocol: chosen.span, to: &out)
            } else {
                WebSocketHandshake.appendResponse(digest: digest.span, date: date, subprotocol: nil, to: &out)
            }
        }
        loop.outbox.send(scratch.bytes, to: slot)
    }

    /// The proof that the key was read (RFC 6455 §4.2.2).
    private func acceptDigest(_ nonce: UnsafeBufferPointer<UInt8>) -> InlineArray<20, UInt8> {
        scratch.write {
            $0.append(contentsOf: nonce)
            $0.append(text: WebSocketHandshake.keySuffix)
        }
        let text = scratch.bytes
        return Digest.sha1(text.span)
    }

    private var seconds: UInt32 { UInt32(truncatingIfNeeded: loop.now.nanoseconds / 1_000_000_000) }

    // MARK: Frames

    /// Messages of one read that are acted on in one turn: subscribes come to about a millisecond.
    static let messagesPerRead = 256

    func receiveFrames(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var (offset, left) = (0, Self.messagesPerRead)
        do throws(WebSocketFailure) {
            while left > 0, sessions[slot].phase == .webSocket, canAnswerMore(slot, waiting: bytes.count - offset) {
                let event = try sessions[slot].receiver.next(bytes, from: &offset, limits: state.limits.webSocket)
                if case .needMore = event {
                    loop.inputLimit(slot, bytes: state.limits.webSocket.messageBytesMax + 16)
                    break
                }
                act(on: event, slot, bytes)
                left -= 1
                if left == 0 { pauseForOthers(slot, waiting: bytes.count - offset) }
            }
        } catch {
            applyEffects()
            refuse(slot, .frames(error))
        }
        applyEffects()
        if sessions[slot].receiver.assembly.capacity != sessions[slot].assemblyBytesHeld { countAssembly(slot) }
        return sessions[slot].phase == .webSocket ? offset : bytes.count
    }

    private func act(on event: WebSocketReceiver.Event, _ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) {
        switch event {
        case .needMore: break
        case .message(.inPlace(let range), _):
            let text = UnsafeBufferPointer(rebasing: bytes[range])
            countMessage(slot, text.count)
            broker.receive(slot: slot, message: text.span)
        case .message(.assembled, _):
            let text = sessions[slot].receiver.assembly
            countMessage(slot, text.count)
            broker.receive(slot: slot, message: text.span)
        case .ping(let range):
            // Before the pong, what earlier messages of this read answered.
            applyEffects()
            scratch.write {
                WebSocketFrame.appendHeader(.pong, payloadBytes: range.count, to: &$0)
                $0.append(contentsOf: bytes[range])
            }
            sendAnswer(slot)
        case .pong: break
        case .close(let code, _):
            applyEffects()
            end(slot, .closeFrame(code: code), .finish(.echo(code: code)))
        }
    }

    @inline(__always)
    private func countMessage(_ slot: UInt32, _ bytes: Int) {
        guard let meter = sessions[slot].meter else { return }
        meter.pointee.messages &+= 1
        meter.pointee.messageBytes &+= UInt64(truncatingIfNeeded: bytes)
    }

    /// Counts the fragments of a message that is not whole.
    private func countAssembly(_ slot: UInt32) {
        let holds = sessions[slot].receiver.assembly.capacity
        let held = sessions[slot].assemblyBytesHeld
        let isWithinGrace = holds <= KeptRequest.graceBytes
        guard holds < held || state.shared.inputBudget.acquire(holds - held, withinGrace: isWithinGrace) else {
            state.shared.inputBudget.countRefusal()
            return inputRefused(slot)
        }
        if holds < held { state.shared.inputBudget.give(held - holds) }
        sessions[slot].assemblyBytesHeld = holds
    }

    // MARK: Heartbeat

    func checkHeartbeat(_ slot: UInt32) {
        let app = broker.app(of: slot)
        let action = sessions[slot].heartbeat.check(
            now: milliseconds, heartbeatLimits(app), isAuthorized: broker.isAuthorized(slot),
            drainedBytes: loop.drainedBytes(slot))
        switch action {
        case .wait(let milliseconds): loop.setTimer(slot, afterMilliseconds: milliseconds)
        case .ping(let milliseconds):
            scratch.write { WebSocketFrame.appendHeader(.ping, payloadBytes: 0, to: &$0) }
            loop.outbox.send(scratch.bytes, to: slot)
            loop.setTimer(slot, afterMilliseconds: milliseconds)
        case .close(.unauthorized): refuse(slot, .unauthorized)
        case .close(let code): end(slot, .closed(with: code), .finish(.error(code)))
        }
    }

    private func armHeartbeat(_ slot: UInt32, _ app: App) {
        let due = sessions[slot].heartbeat.next(milliseconds, heartbeatLimits(app), broker.isAuthorized(slot))
        loop.setTimer(slot, afterMilliseconds: due)
    }

    private func heartbeatLimits(_ app: App) -> Heartbeat.Limits {
        let isProofWanted = app.settings.authorizedConnectionsRequired
        return Heartbeat.Limits(
            activityMilliseconds: UInt32(app.settings.activityTimeoutSeconds) * 1_000,
            pongMilliseconds: UInt32(state.settings.pongTimeoutSeconds) * 1_000,
            authorizationMilliseconds: isProofWanted ? UInt32(app.settings.authorizationTimeoutSeconds) * 1_000 : nil)
    }

    // MARK: Refusals

    /// Counts, logs and answers a refusal. Everything that is refused comes by here, also what the broker has answered itself.
    ///
    /// `keepAlive`, `omitBody`: as the request that is refused has it; a request that cannot be read has neither.
    func refuse(_ slot: UInt32, _ refusal: Refusal, keepAlive: Bool = true, omitBody: Bool = false) {
        log.refused(refusal, slot, sessions[slot].peer)
        if let kind = OperatorReport.kind(of: refusal) { report(refusal, kind, slot) }
        switch refusal.answer {
        case .status(let status, let headers, let closes):
            scratch.reply.set(error: status, refusal.text, headers: headers, closes: closes)
            log.counts.http.add(routes.asked, status: status)
            sendReply(slot, keepAlive: keepAlive, omitBody: omitBody)
        case .error(let code):
            end(slot, .closed(with: code), .finish(.error(code, reason: refusal.text)))
        case .closeFrame(let code):
            end(slot, .closed(code: code), .finish(.close(code: code, reason: refusal.text)))
        case .cutOff(let code?): end(slot, .closed(with: code), .cutOff(.error(code, reason: refusal.text)))
        case .cutOff(nil): end(slot, .transport(.tooSlow), .cutOff(.none))
        case .given: break
        }
    }

    /// Tells operators who asked for it, while the connection still has a name.
    @inline(never)
    private func report(_ refusal: Refusal, _ kind: ChannelEdge.Kind, _ slot: UInt32) {
        let isOpen = broker.isOpen(slot)
        guard let app = isOpen ? broker.app(of: slot) : refusal.app.map({ broker.directory.apps[$0] }),
            broker.isAsked(for: kind, in: app)
        else { return }
        let peer = log.forwardedPeer(of: sessions[slot].peer) ?? sessions[slot].peer
        let change = OperatorReport.change(
            refusal, reason: state.secrets.redacted(refusal.logged ?? refusal.text), address: peer.hostText,
            socketID: isOpen ? broker.socketID(of: slot) : nil)
        if let change { broker.report(change, in: app) }
    }

    // MARK: Sending away

    /// Begins to send everybody away when the server drains, and stops when it serves again.
    func followDrain() {
        guard upkeep.isDraining != state.shared.isDraining else { return }
        upkeep.isDraining.toggle()
        if upkeep.isDraining {
            beginLeaving(sessions.slots(in: .webSocket))
        } else {
            upkeep.leaving.cancel()
            leaveClosedApps()
        }
    }

    func leaveClosedApps() {
        beginLeaving(sessions.slots(in: .webSocket).filter { broker.app(of: $0).isClosed })
    }

    /// A fifth of the grace is left for the closing handshakes.
    private func beginLeaving(_ slots: [UInt32]) {
        upkeep.leaving.begin(
            slots, milliseconds: loop.now.nanoseconds / 1_000_000,
            windowMilliseconds: UInt64(state.settings.shutdownGraceSeconds) * 800)
    }

    /// Sends away those whose time has come.
    func sendAway() {
        for _ in 0..<SpreadClosing.perTurn {
            guard let slot = upkeep.leaving.next() else { return }
            guard sessions[slot].phase == .webSocket, let code = partingCode(slot) else { continue }
            end(slot, .closed(with: code), .finish(.error(code)))
        }
    }

    /// Why a client has to go; nil: it may stay, because its app is open again, or because it is another.
    private func partingCode(_ slot: UInt32) -> PusherErrorCode? {
        let app = broker.app(of: slot)
        if app.isRemoved { return .unknownKey }
        if app.isClosed { return .appDisabled }
        return upkeep.isDraining ? .reconnect : nil
    }

    // MARK: The end

    /// The broker sends a client away: a close frame and no error.
    func closeWebSocket(_ slot: UInt32, _ code: PusherErrorCode) {
        guard sessions[slot].phase == .webSocket else { return }
        end(slot, .closed(with: code), .finish(.close(code: code.rawValue, reason: code.text)))
    }

    /// Ends a connection, once: the one place where it leaves the broker, holds nothing any more, and gets its last words. Whatever ends it
    /// comes by here; the reactor's `closed` follows and frees the slot.
    func end(_ slot: UInt32, _ cause: EndCause, _ farewell: Farewell) {
        switch sessions[slot].phase {
        case .http: break
        case .webSocket: leaveBroker(slot, cause)
        case .ending, .free:
            // It has had its last words, and does not take them.
            if case .cutOff = farewell { loop.abort(slot) }
            return
        }
        // Who is above a limit counts as one who waits until his socket is gone.
        if sessions[slot].place == .counted { routes.admission.addresses.giveBack(&sessions[slot], now: loop.now) }
        let held = sessions[slot].end()
        if held > 0 { state.shared.inputBudget.give(held) }
        say(farewell, slot)
    }

    private func leaveBroker(_ slot: UInt32, _ cause: EndCause) {
        // While it still has a name.
        if broker.hasNotes { log.writeNotes(sessions) }
        if log.isTracing {
            let lifetime = seconds &- sessions[slot].beganSeconds
            log.disconnected(slot, sessions[slot].peer, lifetimeSeconds: lifetime, cause)
        }
        log.counts.closes.add(cause)
        broker.close(slot: slot)
        state.shared.releaseWebSocket()
    }

    private func say(_ farewell: Farewell, _ slot: UInt32) {
        switch farewell {
        case .gone: break
        case .finish(let words, let lingerSeconds):
            scratch.write { words.append(to: &$0) }
            if !scratch.bytes.isEmpty { loop.outbox.send(scratch.bytes, to: slot) }
            loop.finish(slot, lingerNanoseconds: lingerSeconds * 1_000_000_000)
        case .cutOff(.none): loop.abort(slot)
        case .cutOff(let words):
            scratch.write { words.append(to: &$0) }
            scratch.bytes.withUnsafeBytes { loop.finishWithFrame(slot, $0) }
        }
    }
}
