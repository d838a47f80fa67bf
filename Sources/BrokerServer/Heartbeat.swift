internal import PusherProtocol

/// Notices the silent client, and the one that does not prove itself in time (Pusher protocol §2.3, §5.2; PW-026, PW-122).
///
///     heard ──silence──▶ probed ──silence──▶ closed 4201          anything heard ──▶ heard
///       └────── not authorized in time ──────▶ closed 4009         a backlog that got shorter: probed, from now
///
/// Times are milliseconds of the loop's clock, truncated: only differences mean something. Loop thread only.
struct Heartbeat: Equatable {
    /// What one app allows.
    struct Limits: Equatable {
        /// Silence before a ping, and after it before the end.
        var activityMilliseconds: UInt32
        var pongMilliseconds: UInt32
        /// How long a client may be here without proof; nil where none is wanted.
        var authorizationMilliseconds: UInt32?
    }

    enum Action: Equatable {
        /// Nothing is due: look again after so long, which is more than 0.
        case wait(milliseconds: UInt32)
        /// Send a WebSocket ping, then look again after so long.
        case ping(thenMilliseconds: UInt32)
        case close(PusherErrorCode)
    }

    private enum State: Equatable { case heard, probed }

    private var state = State.heard
    private var heardMilliseconds: UInt32
    private let openedMilliseconds: UInt32
    /// `EventLoop.drainedBytes` when it was last looked at: another number means that the peer reads.
    private var drainedBytes: UInt32 = 0

    /// A client that was let in just now.
    init(now: UInt32) { (heardMilliseconds, openedMilliseconds) = (now, now) }

    /// Any byte proves life, whatever it says (PW-027).
    @inline(__always)
    mutating func heard(now: UInt32) { (state, heardMilliseconds) = (.heard, now) }

    /// What is due now. Our ping, or the answer to it, may be far behind what the peer is still reading: a backlog that gets shorter
    /// proves life too.
    mutating func check(now: UInt32, _ limits: Limits, isAuthorized: Bool, drainedBytes drained: UInt32) -> Action {
        if authorizationLeft(now, limits, isAuthorized) == 0 { return .close(.unauthorized) }
        guard now &- heardMilliseconds >= patience(limits) else {
            return .wait(milliseconds: next(now, limits, isAuthorized))
        }
        let isReading = drained != drainedBytes
        drainedBytes = drained
        switch (state, isReading) {
        case (.probed, true):
            heardMilliseconds = now
            return .wait(milliseconds: next(now, limits, isAuthorized))
        case (.probed, false): return .close(.noPong)
        case (.heard, _):
            state = .probed
            return .ping(thenMilliseconds: next(now, limits, isAuthorized))
        }
    }

    /// How long from now until something may be due; more than 0.
    func next(_ now: UInt32, _ limits: Limits, _ isAuthorized: Bool) -> UInt32 {
        let silent = now &- heardMilliseconds, patience = patience(limits)
        let ofSilence = patience > silent ? patience - silent : 1
        return max(1, min(ofSilence, authorizationLeft(now, limits, isAuthorized) ?? .max))
    }

    private func patience(_ limits: Limits) -> UInt32 {
        state == .probed ? limits.activityMilliseconds + limits.pongMilliseconds : limits.activityMilliseconds
    }

    /// What is left of the time to prove itself; nil: it has all the time.
    private func authorizationLeft(_ now: UInt32, _ limits: Limits, _ isAuthorized: Bool) -> UInt32? {
        guard let limit = limits.authorizationMilliseconds, !isAuthorized else { return nil }
        let age = now &- openedMilliseconds
        return limit > age ? limit - age : 0
    }
}
