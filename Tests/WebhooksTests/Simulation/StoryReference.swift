import BrokerCore
import PusherProtocol

/// The rule of the three seconds as plainly as it can be said, for all edges of a run at once.
///
/// For each channel, member and user: the times at which it came and went. A "gone" by disconnect that is followed by a "here" within the
/// wait is struck out, and so is that "here".
struct StoryReference {
    struct Subject: Hashable {
        var app: Int
        var channel: String
        var user: String?
    }

    /// What is told of one subject: `true` here, `false` gone; and when it happened.
    struct Line: Equatable {
        var isHere: Bool
        var milliseconds: UInt64
    }

    private(set) var lines: [Subject: [Line]] = [:]
    private(set) var suppressed: UInt64 = 0
    private let wait: UInt64
    /// Those who are gone and may come back: when they went, and when their time is over.
    private var pending: [Subject: (since: UInt64, until: UInt64)] = [:]

    init(wait: Int) { self.wait = UInt64(wait) }

    mutating func add(_ edge: ChannelEdge) {
        let channel = String(decoding: edge.channel, as: UTF8.self)
        func member(_ id: [UInt8]) -> Subject {
            Subject(app: edge.app, channel: channel, user: String(decoding: id, as: UTF8.self))
        }
        let own = Subject(app: edge.app, channel: channel)
        let at = edge.milliseconds
        switch edge.change {
        case .occupied, .userOnline: came(own, at)
        case .memberAdded(let id, _): came(member(id), at)
        case .memberRemoved(let id, let leave): went(member(id), at, until: leave == .disconnected ? at + wait : at)
        case .userOffline: went(own, at, until: at + wait)
        case .vacated(let leave):
            // Not before the last of its members who may come back.
            let members = pending.filter { $0.key.app == own.app && $0.key.channel == channel }.map(\.value.until)
            went(own, at, until: max(leave == .disconnected ? at + wait : at, members.max() ?? 0))
        default: break
        }
    }

    private mutating func came(_ subject: Subject, _ at: UInt64) {
        if let gone = pending.removeValue(forKey: subject) {
            if at < gone.until {
                suppressed += 1
                return
            }
            lines[subject, default: []].append(Line(isHere: false, milliseconds: gone.since))
        }
        lines[subject, default: []].append(Line(isHere: true, milliseconds: at))
    }

    private mutating func went(_ subject: Subject, _ at: UInt64, until: UInt64) {
        if until > at {
            pending[subject] = (at, until)
        } else {
            lines[subject, default: []].append(Line(isHere: false, milliseconds: at))
        }
    }

    /// All lines when everybody's time is over.
    mutating func end() {
        for (subject, gone) in pending {
            lines[subject, default: []].append(Line(isHere: false, milliseconds: gone.since))
        }
        pending = [:]
    }
}
