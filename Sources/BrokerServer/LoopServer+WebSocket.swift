internal import Configuration
internal import BrokerCore
internal import PusherProtocol
internal import Reactor
internal import Wire

/// A WebSocket connection from its first frame to its last: frames in, heartbeats, the closing handshake.
extension LoopServer {
    func receiveFrames(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        sessions[slot].isProbed = false
        var offset = 0
        do throws(WebSocketFailure) {
            while sessions[slot].phase == .webSocket, canAnswerMore(slot, waiting: bytes.count - offset) {
                let event = try sessions[slot].receiver.next(bytes, from: &offset, limits: webSocketLimits)
                if case .needMore = event {
                    loop.inputLimit(slot, bytes: webSocketLimits.messageBytesMax + 16)
                    break
                }
                act(on: event, slot, bytes)
            }
        } catch {
            applyEffects()
            logRefusal(.webSocket, slot, code: Int(error.closeCode), error.text)
            closeWebSocket(slot, code: error.closeCode, reason: error.text)
        }
        applyEffects()
        if sessions[slot].receiver.assembly.capacity != sessions[slot].assemblyBytesHeld { countAssembly(slot) }
        return sessions[slot].phase == .webSocket ? offset : bytes.count
    }

    /// Counts the fragments of a message that is not whole.
    private func countAssembly(_ slot: UInt32) {
        let holds = sessions[slot].receiver.assembly.capacity
        let held = sessions[slot].assemblyBytesHeld
        guard holds < held || state.inputBudget.acquire(holds - held, withinGrace: holds <= Self.inputGraceBytes) else {
            state.inputBudget.countRefusal()
            return inputRefused(slot)
        }
        if holds < held { state.inputBudget.give(held - holds) }
        sessions[slot].assemblyBytesHeld = holds
    }

    /// A connection that has ended holds no fragments.
    func releaseAssembly(_ slot: UInt32) {
        guard sessions[slot].assemblyBytesHeld > 0 else { return }
        state.inputBudget.give(sessions[slot].assemblyBytesHeld)
        sessions[slot].assemblyBytesHeld = 0
    }

    private func act(on event: WebSocketReceiver.Event, _ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) {
        switch event {
        case .needMore: break
        case .message(.inPlace(let range), _):
            let text = UnsafeBufferPointer(rebasing: bytes[range])
            broker.receive(slot: slot, message: text.span)
        case .message(.assembled, _):
            let text = sessions[slot].receiver.assembly
            broker.receive(slot: slot, message: text.span)
        case .ping(let range):
            // Before the pong, what earlier messages of this read answered.
            applyEffects()
            control.removeAll(keepingCapacity: true)
            WebSocketFrame.appendHeader(.pong, payloadBytes: range.count, to: &control)
            control.append(contentsOf: bytes[range])
            loop.outbox.send(control, to: slot)
            readThrottle.answeredBytes += control.count
        case .pong: break
        case .close(let code, _):
            applyEffects()
            // RFC 6455 §5.5.1: the answer carries the code that came.
            control.removeAll(keepingCapacity: true)
            if let code {
                WebSocketFrame.appendClose(code: code, reason: "", to: &control)
            } else {
                WebSocketFrame.appendHeader(.close, payloadBytes: 0, to: &control)
            }
            sendLast(slot, .closeFrame(code: code))
        }
    }

    // MARK: Closing

    /// Sends `control` as the last words of a connection and ends it; the peer has the linger time to answer.
    func sendLast(_ slot: UInt32, _ cause: EndCause) {
        loop.outbox.send(control, to: slot)
        end(slot, cause)
        loop.finish(slot, lingerNanoseconds: Self.lingerNanoseconds)
    }

    /// Sends the close frame of a protocol code and ends the connection.
    func closeWebSocket(_ slot: UInt32, _ code: PusherErrorCode) {
        closeWebSocket(slot, code: code.rawValue, reason: code.text)
    }

    func closeWebSocket(_ slot: UInt32, code: UInt16, reason: String) {
        guard sessions[slot].phase == .webSocket else { return }
        control.removeAll(keepingCapacity: true)
        WebSocketFrame.appendClose(code: code, reason: reason, to: &control)
        sendLast(slot, .closed(code: code))
    }

    /// `pusher:error`, then the close frame of the same code.
    func sendErrorAndClose(_ slot: UInt32, _ code: PusherErrorCode) {
        guard sessions[slot].phase == .webSocket else { return }
        control.removeAll(keepingCapacity: true)
        appendErrorAndClose(code, reason: code.text, to: &control)
        sendLast(slot, .closed(code: code.rawValue))
    }

    func appendErrorAndClose(_ code: PusherErrorCode, reason: String, to out: inout [UInt8]) {
        var json: [UInt8] = []
        ServerFrame.error(code: Int(code.rawValue), message: reason, to: &json)
        WebSocketFrame.appendHeader(.text, payloadBytes: json.count, to: &out)
        out.append(contentsOf: json)
        WebSocketFrame.appendClose(code: code.rawValue, reason: reason, to: &out)
    }

    // MARK: Heartbeat

    /// Silence is answered by a ping, more silence by 4201 (PW-026). Any byte heard proves life, and so does a backlog that gets shorter: our
    /// ping, or the answer to it, may be far behind what the peer is still reading.
    func heartbeatTimer(_ slot: UInt32) {
        if authorizationIsOverdue(slot) {
            logRefusal(.authorization, slot, code: 4009, "neither signed in nor in a private channel in time")
            control.removeAll(keepingCapacity: true)
            appendErrorAndClose(.unauthorized, reason: "Connection not authorized within timeout", to: &control)
            return sendLast(slot, .closed(code: 4009))
        }
        let timeout = UInt32(broker.app(of: slot).settings.activityTimeoutSeconds) * 1_000
        let patience = sessions[slot].isProbed ? timeout + pongMilliseconds : timeout
        let silent = milliseconds &- sessions[slot].heardMilliseconds
        guard silent >= patience else { return armHeartbeat(slot) }
        let drained = loop.drainedBytes(slot)
        if sessions[slot].isProbed, sessions[slot].drainedBytes != drained {
            sessions[slot].drainedBytes = drained
            sessions[slot].heardMilliseconds = milliseconds
            return armHeartbeat(slot)
        }
        sessions[slot].drainedBytes = drained
        if sessions[slot].isProbed { return sendErrorAndClose(slot, .noPong) }
        sessions[slot].isProbed = true
        control.removeAll(keepingCapacity: true)
        WebSocketFrame.appendHeader(.ping, payloadBytes: 0, to: &control)
        loop.outbox.send(control, to: slot)
        armHeartbeat(slot)
    }

    /// Sets the connection's one timer to whatever is due first.
    func armHeartbeat(_ slot: UInt32) {
        let settings = broker.app(of: slot).settings
        var due =
            UInt32(settings.activityTimeoutSeconds) * 1_000 + (sessions[slot].isProbed ? pongMilliseconds : 0)
        let silent = milliseconds &- sessions[slot].heardMilliseconds
        due = due > silent ? due - silent : 1
        if settings.authorizedConnectionsRequired, !broker.isAuthorized(slot) {
            let age = milliseconds &- sessions[slot].sinceMilliseconds
            let limit = UInt32(settings.authorizationTimeoutSeconds) * 1_000
            due = min(due, limit > age ? limit - age : 1)
        }
        loop.setTimer(slot, after: UInt64(due) * 1_000_000)
    }

    private var pongMilliseconds: UInt32 { UInt32(state.settings.pongTimeoutSeconds) * 1_000 }

    private func authorizationIsOverdue(_ slot: UInt32) -> Bool {
        let settings = broker.app(of: slot).settings
        guard settings.authorizedConnectionsRequired, !broker.isAuthorized(slot) else { return false }
        let age = milliseconds &- sessions[slot].sinceMilliseconds
        return age >= UInt32(settings.authorizationTimeoutSeconds) * 1_000
    }

    // MARK: Drain

    /// While the server drains, sends clients away with 4200, spread over the grace period (PW-037).
    ///
    /// The listener stays open, so that `/ready` can say 503; upgrades are refused.
    func drainTick() {
        guard state.isDraining else { return }
        if !isLeaving {
            isLeaving = true
            leaving = sessions.slots(in: .webSocket)
            // Ticks come every 100 ms; a fifth of the grace is left for the closing handshakes.
            let ticks = max(1, state.settings.shutdownGraceSeconds * 8)
            leavingPerTick = (leaving.count + ticks - 1) / ticks
        }
        for _ in 0..<min(leavingPerTick, leaving.count) { sendErrorAndClose(leaving.removeLast(), .reconnect) }
    }
}
