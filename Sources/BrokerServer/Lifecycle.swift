internal import Reactor

/// What the server does about signals and time, from the moment it serves to its end (PW-037).
///
///     serving ──TERM, INT──▶ unready ──after the delay──▶ leaving ──everybody gone, or the grace over──▶ ended
///        ▲ └────USR2───────▶ unready ──after the delay──▶ leaving ··stays··          (a second TERM or INT: ended, from anywhere)
///        └──────USR2──────────┴────────────────────────────┘
///     from anywhere with open listeners ──another process serves them──▶ leaving
///
/// `unready`: `/ready` fails, and all else goes on, so that balancers can notice. `leaving`: nobody is let in and clients are sent away; the
/// listeners close if the end has begun, and stay open after USR2. Who had connected by the time they close has his answer before the end, if
/// he asks within `answers`. Time is milliseconds of one monotonic clock.
struct Lifecycle {
    /// As the settings have them when they are needed; milliseconds.
    struct Times {
        var delay: UInt64
        var grace: UInt64
        /// How long the last requests may take to come and to be answered.
        var answers: UInt64 = 1_000
    }

    /// Who is left.
    struct Left: Equatable {
        /// WebSocket clients.
        var clients = 0
        /// Connections that wait for their first or next answer, or have not asked yet; nil: that is not known yet.
        var unanswered: Int?
        /// What receivers of webhooks would never be told, because it is in memory alone.
        var untold = 0
    }

    enum Action: Equatable {
        case failReadiness, sendClientsAway, closeListeners, serveAgain
        /// The listeners are another process's: they close here, and nobody is accepted any more.
        case leaveListeners
        /// The process ends, in good order or, the second time it was told, now.
        case end(now: Bool)
    }

    private enum Phase: Equatable {
        case serving
        case unready(until: UInt64)
        case leaving(until: UInt64)
        case ended
    }

    private var phase = Phase.serving
    /// When nobody is waited for any more who only might ask; nil: the listeners are open.
    private var answersUntil: UInt64?
    /// TERM or INT was heard: there is no way back.
    private(set) var isEnding = false

    var hasEnded: Bool { phase == .ended }

    /// What a signal asks for; `advance` may have more at once. Signals that are nobody's here ask for nothing.
    mutating func hear(_ signal: ProcessSignal, milliseconds now: UInt64, _ times: Times) -> [Action] {
        switch (signal, phase) {
        case (_, .ended), (.hangup, _), (.user1, _): return []
        case (.terminate, _) where isEnding, (.interrupt, _) where isEnding:
            phase = .ended
            return [.end(now: true)]
        case (.terminate, let before), (.interrupt, let before):
            isEnding = true
            // After USR2 the balancers have known for long.
            guard case .leaving = before else { return before == .serving ? failReadiness(now, times) : [] }
            phase = .leaving(until: now + times.grace)
            answersUntil = now + times.answers
            return [.closeListeners]
        case (.user2, _) where isEnding: return []
        case (.user2, .serving): return failReadiness(now, times)
        case (.user2, .unready), (.user2, .leaving):
            phase = .serving
            return [.serveAgain]
        }
    }

    /// There is something to hand over.
    var hasListeners: Bool { answersUntil == nil && phase != .ended }

    /// Another process serves the listeners. It is ready, so no balancer has to be told and no delay waited for.
    mutating func replaced(milliseconds now: UInt64, _ times: Times) -> [Action] {
        guard hasListeners else { return [] }
        isEnding = true
        phase = .leaving(until: now + times.grace)
        answersUntil = now + times.answers
        return [.leaveListeners, .sendClientsAway]
    }

    private mutating func failReadiness(_ now: UInt64, _ times: Times) -> [Action] {
        phase = .unready(until: now + times.delay)
        return [.failReadiness]
    }

    /// What is due by now.
    mutating func advance(milliseconds now: UInt64, _ times: Times, _ left: Left) -> [Action] {
        var actions: [Action] = []
        if case .unready(let until) = phase, now >= until {
            phase = .leaving(until: now + times.grace)
            if isEnding { answersUntil = now + times.answers }
            actions += isEnding ? [.sendClientsAway, .closeListeners] : [.sendClientsAway]
        }
        if case .leaving(let until) = phase, let answersUntil,
            left.clients == 0 && left.untold == 0 || now >= until,
            left.unanswered == 0 || now >= answersUntil
        {
            phase = .ended
            actions.append(.end(now: false))
        }
        return actions
    }

    private static let lookMilliseconds: UInt64 = 20

    /// How long until `advance` may have something to do; nil: nothing but a signal brings it.
    func wait(milliseconds now: UInt64) -> UInt64? {
        switch phase {
        case .serving, .ended: nil
        case .unready(let until): until > now ? until - now : 0
        // Whether everybody is gone is asked, not told.
        case .leaving: isEnding ? Self.lookMilliseconds : nil
        }
    }
}
