internal import Reactor

/// What two servers say to each other when one takes over from the other, in lines over a Unix socket.
///
///     the next                                    the one that serves
///     starling-takeover 1 ──────────────────────▶ who asks is of the same user
///                          ◀────────────────────  listener main 0 6001 127.0.0.1     each with its descriptor
///                          ◀────────────────────  end 3
///     (loads, starts its loops, accepts)          (goes on serving: they accept side by side)
///     ready ────────────────────────────────────▶ closes its listeners, sends its clients away, ends
///
/// If the next one ends or fails before `ready`, nothing has happened. Values only; who sends and waits is `TakeoverOffer` and
/// `TakeoverRequest`.
enum TakeoverTalk {
    static let greeting = "starling-takeover 1\n"
    static let ready = "ready\n"

    /// What goes with a descriptor.
    struct Handed: Equatable {
        var role: ListenerRole
        var isGiven: Bool
        var port: UInt16
        var host: String

        var line: String { "listener \(role.rawValue) \(isGiven ? 1 : 0) \(port) \(host)\n" }
    }

    static func end(count: Int) -> String { "end \(count)\n" }
    static func refusal(_ text: String) -> String { "refused \(text)\n" }

    /// A line of the one that serves.
    enum Answer: Equatable {
        case listener(Handed)
        case end(count: Int)
        case refused(String)

        /// nil: it is none of these.
        init?(_ line: Substring) {
            let words = line.split(separator: " " as Character, maxSplits: 4).map(String.init)
            switch words.first {
            case "listener":
                guard words.count == 5, let role = ListenerRole(rawValue: words[1]), ["0", "1"].contains(words[2]),
                    let port = UInt16(words[3])
                else { return nil }
                self = .listener(Handed(role: role, isGiven: words[2] == "1", port: port, host: words[4]))
            case "end":
                guard words.count == 2, let count = Int(words[1]), count >= 0 else { return nil }
                self = .end(count: count)
            case "refused": self = .refused(String(line.dropFirst(8)))
            default: return nil
            }
        }
    }
}

/// The talk on the side that serves, with one that asks. Time is milliseconds of one monotonic clock.
struct TakeoverOffering {
    enum Action: Equatable {
        /// Send the listeners.
        case give
        /// The next one serves.
        case leave
        /// Nothing comes of it, for this reason; empty: nobody wanted anything.
        case drop(String)
    }

    private enum State: Equatable { case asked, given, over }

    /// The first line comes at once.
    static let greetingMilliseconds: UInt64 = 2_000
    /// A start may load many apps, and wait for a machine that does much else.
    static let startMilliseconds: UInt64 = 120_000

    private var state = State.asked
    private var text = ""
    private(set) var deadline: UInt64

    init(milliseconds now: UInt64) { deadline = now + Self.greetingMilliseconds }

    /// - Parameter said: what came; nil: the other end has closed.
    mutating func hear(_ said: String?, milliseconds now: UInt64) -> Action? {
        guard let said else { return end(state == .given ? "it ended before it was ready" : "") }
        text += said
        switch state {
        case .asked where text == TakeoverTalk.greeting:
            (state, text, deadline) = (.given, "", now + Self.startMilliseconds)
            return .give
        case .given where text == TakeoverTalk.ready:
            state = .over
            return .leave
        case .asked where TakeoverTalk.greeting.hasPrefix(text), .given where TakeoverTalk.ready.hasPrefix(text):
            return nil
        case .asked, .given, .over: return end("it speaks in another way")
        }
    }

    mutating func advance(milliseconds now: UInt64) -> Action? {
        now >= deadline && state != .over ? end("it was not ready in time") : nil
    }

    private mutating func end(_ why: String) -> Action? {
        guard state != .over else { return nil }
        state = .over
        return .drop(why)
    }
}
