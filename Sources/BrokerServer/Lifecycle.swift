internal import Reactor

/// What the server does about signals and time, from the moment it serves to its end (PW-037).
///
///     serving ──TERM, INT──▶ unready ──after the delay──▶ leaving ──everybody gone, or the grace over──▶ ended
///        ▲ └────USR2───────▶ unready ──after the delay──▶ leaving ··stays··          (a second TERM or INT: ended, from anywhere)
///        └──────USR2──────────┴────────────────────────────┘
///
/// `unready`: `/ready` fails, and all else goes on, so that balancers can notice. `leaving`: nobody is let in and clients are sent away; the
/// listeners close if the end has begun, and stay open after USR2. Time is milliseconds of one monotonic clock.
struct Lifecycle {
    /// As the settings have them when they are needed; milliseconds.
    struct Times {
        var delay: UInt64
        var grace: UInt64
    }

    enum Action: Equatable {
        case failReadiness, sendClientsAway, closeListeners, serveAgain
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
            return [.closeListeners]
        case (.user2, _) where isEnding: return []
        case (.user2, .serving): return failReadiness(now, times)
        case (.user2, .unready), (.user2, .leaving):
            phase = .serving
            return [.serveAgain]
        }
    }

    private mutating func failReadiness(_ now: UInt64, _ times: Times) -> [Action] {
        phase = .unready(until: now + times.delay)
        return [.failReadiness]
    }

    /// What is due by now.
    /// - Parameter clients: WebSocket clients that are left.
    mutating func advance(milliseconds now: UInt64, _ times: Times, clients: Int) -> [Action] {
        var actions: [Action] = []
        if case .unready(let until) = phase, now >= until {
            phase = .leaving(until: now + times.grace)
            actions += isEnding ? [.sendClientsAway, .closeListeners] : [.sendClientsAway]
        }
        if case .leaving(let until) = phase, isEnding, clients == 0 || now >= until {
            phase = .ended
            actions.append(.end(now: false))
        }
        return actions
    }

    /// How long until `advance` may have something to do; nil: nothing but a signal brings it.
    func wait(milliseconds now: UInt64) -> UInt64? {
        switch phase {
        case .serving, .ended: nil
        case .unready(let until): until > now ? until - now : 0
        // Whether everybody is gone is asked, not told.
        case .leaving(let until): isEnding ? min(50, until > now ? until - now : 0) : nil
        }
    }
}
