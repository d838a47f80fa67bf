internal import CLinux
internal import Glibc

/// The signals a daemon answers.
public enum ProcessSignal: Sendable, CaseIterable {
    case terminate, interrupt, hangup, user1, user2

    fileprivate var number: CInt {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .hangup: SIGHUP
        case .user1: SIGUSR1
        case .user2: SIGUSR2
        }
    }

    init?(number: CInt) {
        switch number {
        case SIGTERM: self = .terminate
        case SIGINT: self = .interrupt
        case SIGHUP: self = .hangup
        case SIGUSR1: self = .user1
        case SIGUSR2: self = .user2
        default: return nil
        }
    }
}

/// Signals as readable data instead of handlers. Make it on the main thread before any other thread exists: those inherit the
/// blocked set, so that no thread is interrupted. SIGPIPE is ignored from then on.
public final class SignalSource: Sendable {
    private let descriptor: Descriptor

    /// Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 in this thread and opens a signalfd for them.
    public init() throws(IOError) {
        descriptor = Descriptor(owning: try IOError.check(clinux_signal_source(), "signalfd"))
    }

    /// Readable when a signal is pending; for `EventLoop.watch`.
    public var raw: CInt { descriptor.raw }

    /// The next pending signal without waiting.
    public func next() -> ProcessSignal? {
        while true {
            let number = clinux_signal_next(descriptor.raw)
            if number == 0 { return nil }
            if let signal = ProcessSignal(number: number) { return signal }
        }
    }

    /// Whether one of these waits to be heard; it goes on waiting.
    public func isPending(_ signals: Set<ProcessSignal>) -> Bool {
        var pending = sigset_t()
        guard sigpending(&pending) == 0 else { return false }
        return signals.contains { sigismember(&pending, $0.number) == 1 }
    }

    /// Waits for signals on a plain thread, and takes those that are pending, so that none waits behind a storm of another: the kernel
    /// hands out the lowest number first.
    /// - Parameter others: the wait also ends when one of these few descriptors is readable.
    /// - Returns: none when the time ran out, or another descriptor has something.
    public func waitAll(milliseconds: Int32 = -1, others: [CInt] = []) -> [ProcessSignal] {
        if !others.isEmpty {
            let all = [descriptor.raw] + others
            _ = clinux_wait_any(all, CInt(all.count), milliseconds)
        }
        guard let first = wait(milliseconds: others.isEmpty ? milliseconds : 0) else { return [] }
        var all = [first]
        while all.count < Self.takenAtOnce, let more = next() { all.append(more) }
        return all
    }

    private static let takenAtOnce = 32

    /// Waits for a signal on a plain thread. nil: the time ran out. Negative milliseconds wait for ever.
    public func wait(milliseconds: Int32 = -1) -> ProcessSignal? {
        while true {
            if let signal = next() { return signal }
            if clinux_wait_readable(descriptor.raw, milliseconds) == 0 && milliseconds >= 0 { return nil }
        }
    }
}
