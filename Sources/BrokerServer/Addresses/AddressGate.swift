internal import BrokerCore
internal import Configuration
internal import PusherProtocol
internal import Reactor

/// What a connection has of its address, which is always that of `Session.peer`.
enum AddressPlace: UInt8 {
    /// It is not counted: nothing limits it, or it speaks for many (a proxy), or for an app (a signed call).
    case none
    /// It has taken of what its address may open in a second.
    case rated
    /// The same, and it is one of its address's open connections.
    case counted
    /// Above a limit. It is told so as soon as it says what it wants.
    case overConnections, overRate

    /// The limit that it is above.
    var limit: AddressLimit? {
        switch self {
        case .none, .rated, .counted: nil
        case .overConnections: .connections
        case .overRate: .rate
        }
    }
}

/// Holds connections to the limits of their addresses. Loop thread only.
///
/// ```
///  TCP connection ─▶ arrive ─▶ of a trusted proxy: not counted itself
///                      │ admitted ··········································▶ leave
///                      │ above a limit: waits for its first request, 8 s at most (more than 1,024 of an address: closed at once)
///                      ▼
///  first request: WebSocket ─▶ enter: 4100; or by a proxy: its client is counted now
///                 signed and in order ─▶ passes, and is counted no more: who has an app's secret is no stranger
///                 anything else ─▶ judge: 429
/// ```
struct AddressGate {
    let state: LoopState

    /// What becomes of a connection that has come.
    enum Arrival { case admitted, toldLater, cutOff(Refusal) }

    private var limits: AddressLimits { state.snapshot.addressLimits }

    /// A connection has come; its first byte has not.
    func arrive(_ session: inout Session, now: MonotonicTime) -> Arrival {
        guard !state.settings.trustedProxies.believes(session.peer), let block = AddressBlock(session.peer) else {
            return .admitted
        }
        session.place = claim(block, now)
        guard let limit = session.place.limit else { return .admitted }
        if state.shared.addresses.with(block, { $0.wait(block, now: now.nanoseconds) }) { return .toldLater }
        session.place = .none
        return .cutOff(refusal(limit, block, answer: .cutOff(nil)))
    }

    /// A client is about to be let in.
    /// - Parameter client: whom a proxy speaks for; nil: the peer itself.
    func enter(_ session: inout Session, client: PeerAddress?, now: MonotonicTime) throws(Refusal) {
        guard let block = AddressBlock(client ?? session.peer) else { return }
        if client != nil { giveBack(&session, now: now) }
        if session.place == .none {
            let place = claim(block, now)
            if let limit = place.limit { throw refusal(limit, block, answer: .error(.overCapacity)) }
            session.place = place
        } else if let limit = limit(above: session) {
            throw refusal(limit, block, answer: .error(.overCapacity))
        }
    }

    /// A request that is no WebSocket was answered, or refused in its own right.
    /// - Parameter isSigned: it is a call of the API, and its signature is right.
    /// - Returns: what is answered instead.
    func judge(_ session: inout Session, isSigned: Bool, now: MonotonicTime) -> Refusal? {
        guard let block = AddressBlock(session.peer) else { return nil }
        if isSigned {
            if session.place.limit == nil {
                state.shared.addresses.with(block) { $0.forgive(block, limits, now: now.nanoseconds) }
            }
            giveBack(&session, now: now)
            return nil
        }
        guard let limit = limit(above: session) else { return nil }
        return refusal(limit, block, answer: .status(429, headers: "Retry-After: 1\r\n", closes: true))
    }

    /// It was to be told, and has not asked anything in time.
    func judgeSilent(_ session: Session) -> Refusal? {
        guard let limit = limit(above: session), let block = AddressBlock(session.peer) else { return nil }
        return refusal(limit, block, answer: .cutOff(nil))
    }

    /// It has gone, or speaks for somebody else.
    func giveBack(_ session: inout Session, now: MonotonicTime) {
        defer { session.place = .none }
        guard let block = AddressBlock(session.peer) else { return }
        switch session.place {
        case .none, .rated: break
        case .counted: state.shared.addresses.with(block) { $0.leave(block, now: now.nanoseconds) }
        case .overConnections, .overRate:
            state.shared.addresses.with(block) { $0.endWait(block, now: now.nanoseconds) }
        }
    }

    private func claim(_ block: AddressBlock, _ now: MonotonicTime) -> AddressPlace {
        let limits = limits
        guard limits.isOn else { return .none }
        switch state.shared.addresses.with(block, { $0.claim(block, limits, now: now.nanoseconds) }) {
        case .admitted: return limits.connections == nil ? .rated : .counted
        case .over(.connections): return .overConnections
        case .over(.rate): return .overRate
        case .uncounted: return .none
        }
    }

    /// The limit that it is above, if a reload has not taken it away.
    private func limit(above session: Session) -> AddressLimit? {
        session.place.limit.flatMap { limits[$0] == nil ? nil : $0 }
    }

    private func refusal(_ limit: AddressLimit, _ block: AddressBlock, answer: Refusal.Answer) -> Refusal {
        let count = state.shared.addresses.with(block) { $0.refuse(block) }
        let most = limits[limit] ?? 0
        let text =
            switch limit {
            case .connections: "Too many connections from your address: \(most) at once are allowed"
            case .rate: "Too many new connections from your address: \(most) a second are allowed"
            }
        var refusal = Refusal(kind: .address, answer: answer, text: text, logged: "\(text) (\(limit.rawValue))")
        refusal.address = .init(limit: limit, block: block, count: count)
        return refusal
    }
}
