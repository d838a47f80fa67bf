internal import BrokerCore
public import Reactor
internal import TLS
internal import Wire

/// From a connection to an answer: what the loop tells.
extension WebhookClient {
    /// Queues the request; it leaves with the end of the turn.
    func transmit(_ request: OutgoingRequest, over slot: UInt32) {
        pool.occupy(slot)
        loop.outbox.send(request.bytes, to: slot)
    }

    /// The attempt that a connection is for now.
    private func flight(on slot: UInt32) -> Flight? {
        guard let connection = pool[slot], connection.phase != .leaving, let flight = flights[connection.endpoint],
            flight.slot == slot
        else { return nil }
        return flight
    }

    public func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        guard let flight = flight(on: slot) else { return loop.abort(slot) }
        // Without a layer nobody has taken the connection yet.
        if pool[slot]?.layer != nil { flights[flight.request.endpoint.id]?.stage = .exchanging(slot) }
        transmit(flight.request, over: slot)
    }

    public func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        guard let flight = flight(on: slot) else {
            // Nobody asked for anything: what this would be the answer to is a guess.
            if pool[slot]?.phase != .leaving { drop(slot) }
            return bytes.count
        }
        let endpoint = flight.request.endpoint.id
        flights[endpoint]?.stage = .exchanging(slot)
        guard let (consumed, progress) = pool.read(slot, UnsafeBufferPointer(bytes), now: WallClock.seconds()) else {
            return bytes.count
        }
        switch progress {
        case .more: return consumed
        case .failed(let failure):
            drop(slot)
            land(endpoint, .failed(failure))
        case .whole(let answer): settle(endpoint, slot, answer, hasMore: consumed < bytes.count)
        }
        return bytes.count
    }

    /// A whole answer is here.
    private func settle(
        _ endpoint: WebhookEndpointID, _ slot: UInt32, _ answer: AnswerReader.Answer, hasMore: Bool
    ) {
        let outcome = AttemptOutcome.answered(status: answer.status, retryAfterSeconds: answer.retryAfterSeconds)
        if loop.hasUnsent(slot) {
            drop(slot)
            // A refusal need not have heard everything; but nobody can have taken what was not sent.
            guard outcome.isSuccess else { return land(endpoint, outcome) }
            return fail(endpoint, .answer, "The server answered \(answer.status) before the request was whole")
        }
        if answer.keepsAlive && !hasMore && !isStopping { pool.keep(slot, now: loop.now) } else { hangUp(slot) }
        land(endpoint, outcome)
    }

    public func endOfStream(_ slot: UInt32) {
        guard let flight = flight(on: slot) else {
            if pool[slot] != nil { hangUp(slot) }
            return
        }
        let endpoint = flight.request.endpoint.id
        if pool[slot]?.reader.isUntouched == true {
            let connection = pool[slot]
            drop(slot)
            return ended(flight, connection, "closed the connection without an answer")
        }
        switch pool.endOfStream(slot) {
        case .whole(let answer): settle(endpoint, slot, answer, hasMore: false)
        case .failed(let failure):
            drop(slot)
            land(endpoint, .failed(failure))
        case .more, nil: break
        }
    }

    public func closed(_ slot: UInt32, _ why: TransportClose) {
        let flight = flight(on: slot)
        guard let connection = pool.remove(slot), let flight else { return }
        let endpoint = flight.request.endpoint.id
        if let layer = connection.layer, layer.hasFailed || (!layer.isEstablished && !Self.isOfSocket(why)) {
            return fail(endpoint, .tls, layer.serverProblem(host: flight.request.endpoint.url.host))
        }
        switch why {
        case .error(let code) where flight.stage == .connecting(slot):
            refused(endpoint, by: connection.peer, code: code)
        case .peerClosed: ended(flight, connection, "closed the connection without an answer")
        case .reset: ended(flight, connection, "reset the connection")
        case .error(let code): ended(flight, connection, "is gone: \(IOError.text(code))")
        case .timeout: ended(flight, connection, "does not acknowledge what it is sent")
        case .overflow: fail(endpoint, .answer, "The answer is too large: its head does not end")
        case .tooSlow, .local: ended(flight, connection, "is too slow: there is no room for what waits for it")
        }
    }

    /// The kernel found nobody.
    private static func isOfSocket(_ why: TransportClose) -> Bool {
        switch why {
        case .error, .timeout: true
        case .peerClosed, .reset, .overflow, .tooSlow, .local: false
        }
    }

    /// The connection ended before the answer was whole.
    private func ended(_ flight: Flight, _ connection: ClientConnection?, _ how: String) {
        let endpoint = flight.request.endpoint.id
        let isUntouched = connection?.reader.isUntouched != false
        if isUntouched, let connection, connection.answers > 0 {
            // The server had closed it while it was idle, and our request crossed that on its way. The next one has carried no answer yet, so
            // that this happens once.
            counted.repeated += 1
            flights[endpoint]?.stage = .beginning
            return begin(endpoint)
        }
        let when = isUntouched ? "" : " in the middle of its answer"
        fail(endpoint, .closed, "\(flight.request.endpoint.url.authority) \(how)\(when)")
    }

    public func overflowed(_ slot: UInt32, _ why: Overflow) { loop.abort(slot) }

    /// Deadlines are looked at in `tick`.
    public func timerFired(_ slot: UInt32) {}
}
