internal import BrokerCore
internal import Glibc
internal import Reactor
internal import TLS
internal import Wire

/// From `send` to a connection.
extension WebhookClient {
    func begin(_ endpoint: WebhookEndpointID) {
        guard let flight = flights[endpoint] else { return }
        let origin = ConnectionOrigin(flight.request.endpoint)
        if let slot = pool.idleSlot(of: endpoint) {
            if pool.mayReuse(slot, for: origin, now: loop.now) {
                counted.reused += 1
                flights[endpoint]?.stage = .exchanging(slot)
                return transmit(flight.request, over: slot)
            }
            hangUp(slot)
        }
        let host = flight.request.endpoint.url.host
        if let literal = IPAddress(host) { return resolved(endpoint, [literal]) }
        flights[endpoint]?.stage = .lookingUp
        switch lookups.ask(host, now: loop.now) {
        case .known(let addresses): resolved(endpoint, addresses)
        case .failed(let failure): land(endpoint, .failed(failure))
        case .pending: break
        }
    }

    /// A name was looked up.
    func found(_ name: String, _ answer: Lookups.Answer) {
        for (endpoint, flight) in flights where flight.stage == .lookingUp && flight.request.endpoint.url.host == name {
            switch answer {
            case .known(let addresses): resolved(endpoint, addresses)
            case .failed(let failure): land(endpoint, .failed(failure))
            case .pending: break
            }
        }
    }

    /// All addresses are judged, and only those that may be called are tried.
    private func resolved(_ endpoint: WebhookEndpointID, _ addresses: [IPAddress]) {
        guard let target = flights[endpoint]?.request.endpoint else { return }
        let refusals = addresses.map { AddressGuard.refusal(of: $0, allowsPrivate: target.allowsPrivate) }
        let allowed = zip(addresses, refusals).filter { $0.1 == nil }.map(\.0)
        guard !allowed.isEmpty else {
            guard let address = addresses.first, let refusal = refusals.first ?? nil else {
                return fail(endpoint, .name, "\(target.url.host) has no address")
            }
            let isLiteral = IPAddress(target.url.host) != nil
            let name = isLiteral ? "\(address) is" : "\(target.url.host) is \(address),"
            let rule = refusal.isForGood ? "webhooks never go there" : "webhooks go there only with allowPrivate"
            return fail(endpoint, .address, "\(name) \(refusal.what): \(rule)")
        }
        flights[endpoint]?.addresses = allowed[...]
        dialNext(endpoint)
    }

    /// Tries the next address, when there is a place for one more connection; else it waits for one.
    func dialNext(_ endpoint: WebhookEndpointID) {
        guard let flight = flights[endpoint] else { return }
        guard !flight.addresses.isEmpty else {
            lookups.forget(flight.request.endpoint.url.host)
            let nobody = AttemptFailure(.connect, "\(flight.request.endpoint.url.authority) takes no connection")
            return land(endpoint, .failed(flight.refusal ?? nobody))
        }
        guard !pool.isFull else {
            // Its place gets free with the end of this turn.
            if let slot = pool.idleLongest { drop(slot) }
            flights[endpoint]?.stage = .waiting
            queue.append(endpoint)
            counted.waits += 1
            return
        }
        guard let address = flights[endpoint]?.nextAddress(now: loop.now) else { return }
        dial(endpoint, address, flight.request.endpoint)
    }

    private func dial(_ endpoint: WebhookEndpointID, _ address: IPAddress, _ target: WebhookEndpoint) {
        let peer = PeerAddress(
            family: address.family == .ipv4 ? .ipv4 : .ipv6, port: target.url.port, high: address.high, low: address.low
        )
        let layer: TLSLayer?
        switch makeLayer(for: target) {
        case .success(let made): layer = made
        case .failure(let failure): return land(endpoint, .failed(failure))
        }
        do throws(IOError) {
            let slot = try loop.connect(to: peer, layer: layer)
            counted.dialled += 1
            pool.add(slot, ClientConnection(endpoint, ConnectionOrigin(target), peer, layer, now: loop.now))
            flights[endpoint]?.stage = .connecting(slot)
        } catch {
            refused(endpoint, by: peer, code: error.code)
        }
    }

    /// A connection to one address failed; others may take one.
    func refused(_ endpoint: WebhookEndpointID, by peer: PeerAddress, code: CInt) {
        flights[endpoint]?.refusal = AttemptFailure(.connect, "\(peer) takes no connection: \(IOError.text(code))")
        dialNext(endpoint)
    }

    /// Nil: the URL is `http`.
    private func makeLayer(for target: WebhookEndpoint) -> Result<TLSLayer?, AttemptFailure> {
        guard target.url.isSecure else { return .success(nil) }
        do throws(TLSProblem) {
            let context = try security.contexts.context(for: ConnectionOrigin(target).files)
            guard context.hasAuthorities else {
                return .failure(
                    AttemptFailure(
                        .tls,
                        "This machine knows no certificate authorities: install ca-certificates, set SSL_CERT_FILE, or give the endpoint an authority"
                    ))
            }
            guard let layer = TLSLayer(connecting: context, to: target.url.host, in: security.room) else {
                return .failure(AttemptFailure(.tls, "There is no memory for TLS"))
            }
            return .success(layer)
        } catch {
            return .failure(AttemptFailure(.tls, error.text))
        }
    }

    /// As many of those who wait as there are places.
    func dialWaiting() {
        while !queue.isEmpty, !pool.isFull {
            let endpoint = queue.removeFirst()
            flights[endpoint]?.stage = .beginning
            dialNext(endpoint)
        }
        // Connections that were kept since, and are in the way.
        if !queue.isEmpty, !pool.isLeaving, let slot = pool.idleLongest { drop(slot) }
    }

    // MARK: Time

    /// While it is not known whether the server takes a connection.
    func lookAt(_ slot: UInt32, _ endpoint: WebhookEndpointID, _ flight: Flight) {
        if loop.isConnected(slot) {
            // That of a layer is over when it is opened.
            if pool[slot]?.layer == nil { flights[endpoint]?.stage = .exchanging(slot) }
        } else if loop.now >= flight.addressDeadline, !flight.addresses.isEmpty, let peer = pool[slot]?.peer {
            drop(slot)
            refused(endpoint, by: peer, code: ETIMEDOUT)
        }
    }

    func timeOut(_ endpoint: WebhookEndpointID, _ flight: Flight) {
        let (url, seconds) = (flight.request.endpoint.url, flight.request.endpoint.timeoutSeconds)
        let kind: AttemptFailure.Kind = flight.stage == .lookingUp ? .name : .timeout
        let text =
            switch flight.stage {
            case .beginning, .lookingUp: "The name \(url.host) was not looked up"
            case .waiting: "All \(pool.limits.connectionsMax) connections of webhooks were in use"
            case .connecting(let slot):
                if !loop.isConnected(slot) {
                    "\(pool[slot].map { "\($0.peer)" } ?? url.authority) did not take the connection"
                } else if url.isSecure {
                    "The TLS handshake with \(url.authority) was not over"
                } else {
                    Self.stalled(url, loop.hasUnsent(slot), pool[slot])
                }
            case .exchanging(let slot): Self.stalled(url, loop.hasUnsent(slot), pool[slot])
            }
        if let slot = flight.slot { drop(slot) }
        if case .connecting = flight.stage { lookups.forget(url.host) }
        fail(endpoint, kind, "\(text) within \(seconds) s")
    }

    private static func stalled(_ url: WebURL, _ hasUnsent: Bool, _ connection: ClientConnection?) -> String {
        if hasUnsent { return "\(url.authority) did not take the whole request" }
        return connection?.reader.isUntouched == false
            ? "The answer of \(url.authority) was not whole" : "\(url.authority) did not answer"
    }
}
