internal import CLinux
internal import Glibc

/// Who started the process and wants to hear how it is: systemd, by the datagrams of sd_notify(3). Main thread only.
struct Supervisor {
    /// A path, or an abstract name behind `@`; nil: nobody listens.
    let socket: String?
    /// It ends a process that is silent for so long.
    let watchdogMilliseconds: UInt64?

    /// - Parameters:
    ///   - predecessor: the process whose place this one takes, and with it its duties.
    ///   - variable: looks a variable up.
    init(process: pid_t, predecessor: pid_t? = nil, variable: (String) -> String?) {
        let name = variable("NOTIFY_SOCKET") ?? ""
        socket = name.hasPrefix("/") || name.hasPrefix("@") ? name : nil
        let isMeant =
            variable("WATCHDOG_PID").map { [process, predecessor].compactMap { $0.map(String.init) }.contains($0) }
            ?? true
        let microseconds = variable("WATCHDOG_USEC").flatMap { UInt64($0) } ?? 0
        watchdogMilliseconds = isMeant && socket != nil && microseconds >= 1_000 ? microseconds / 1_000 : nil
    }

    static func here(predecessor: pid_t?) -> Supervisor {
        Supervisor(process: getpid(), predecessor: predecessor) { name in getenv(name).map { String(cString: $0) } }
    }

    /// What is told.
    enum News: Equatable {
        case ready(status: String)
        /// Another process is the service from now on. Either may say so, as far as the supervisor listens to it.
        case mainProcess(pid_t)
        /// `ready` follows, whatever comes of it.
        case reloading(monotonicNanoseconds: UInt64)
        case status(String)
        /// The end has begun and takes so long at most.
        case stopping(status: String, milliseconds: UInt64)
        case alive

        /// A line of `NAME=value` each.
        var text: String {
            switch self {
            case .ready(let status): "READY=1\nSTATUS=\(status)"
            case .mainProcess(let process): "MAINPID=\(process)"
            case .reloading(let nanoseconds): "RELOADING=1\nMONOTONIC_USEC=\(nanoseconds / 1_000)\nSTATUS=reloading"
            case .status(let status): "STATUS=\(status)"
            case .stopping(let status, let milliseconds):
                "STOPPING=1\nSTATUS=\(status)\nEXTEND_TIMEOUT_USEC=\(milliseconds * 1_000)"
            case .alive: "WATCHDOG=1"
            }
        }
    }

    /// A supervisor that does not listen is no reason to do anything.
    func tell(_ news: News) {
        if let socket { _ = clinux_notify(socket, news.text) }
    }
}

/// Says when a supervisor may be told that the process lives: only when every loop has turned since it was asked to.
///
///     ask the loops ─▶ all have answered? ─yes─▶ feed, ask again      four times in the interval
///                            └─no─▶ look again, and feed nobody
///
/// Time is milliseconds of one monotonic clock.
struct Watchdog {
    enum Action: Equatable { case ask, feed }

    private let period: UInt64
    private var due: UInt64
    private var isAsked = false

    init(intervalMilliseconds: UInt64, now: UInt64) {
        period = max(1, intervalMilliseconds / 4)
        due = now
    }

    /// - Parameter haveAnswered: every loop has turned since the last `ask`.
    mutating func advance(milliseconds now: UInt64, haveAnswered: Bool) -> [Action] {
        guard now >= due else { return [] }
        due = now + period
        guard isAsked else {
            isAsked = true
            return [.ask]
        }
        return haveAnswered ? [.feed, .ask] : []
    }

    func wait(milliseconds now: UInt64) -> UInt64 { due > now ? due - now : 0 }
}
