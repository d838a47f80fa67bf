internal import Reactor
internal import Synchronization
internal import Telemetry

/// Which refusals of the process get a line, and the count of those that did not. Safe from any thread.
///
/// One for all loops, so that the bound is the process's. The lock is taken for refusals only.
final class RefusalLog: Sendable {
    private let limiter: Mutex<LineLimiter>
    /// Something was left out; spares the tick the lock.
    private let owing = Atomic<Bool>(false)

    /// Whether counts wait to be said.
    var isOwing: Bool { owing.load(ordering: .relaxed) }

    init(linesPerSecond: Int) {
        limiter = Mutex(LineLimiter(kinds: RefusalKind.allCases.count, linesPerSecond: linesPerSecond))
    }

    /// Asks for a line of the kind.
    /// - Parameter words: feeds in what the line says of the fault, without what differs each time; the same is said once a second.
    /// - Returns: how many were left out before it; nil: there is no line now.
    func admit(_ kind: RefusalKind, saying words: (inout Hasher) -> Void) -> UInt64? {
        guard Log.writes(.info) else { return nil }
        var hasher = Hasher()
        words(&hasher)
        let said = hasher.finalize()
        let suppressed = limiter.withLock { $0.admit(kind.rawValue, saying: said, now: Self.milliseconds) }
        if suppressed == nil { owing.store(true, ordering: .relaxed) }
        return suppressed
    }

    /// Counts refusals that nobody kept one by one.
    func leaveOut(_ count: UInt64, of kind: RefusalKind) {
        guard Log.writes(.info) else { return }
        limiter.withLock { $0.leaveOut(count, of: kind.rawValue, now: Self.milliseconds) }
        owing.store(true, ordering: .relaxed)
    }

    /// Writes the counts that no line has said within a second, or all of them.
    func tellOverdue(all: Bool = false) {
        guard isOwing else { return }
        let due = limiter.withLock { limiter in
            let due = limiter.takeOverdue(now: Self.milliseconds, all: all)
            owing.store(limiter.isOwing, ordering: .relaxed)
            return due
        }
        for one in due {
            guard let kind = RefusalKind(rawValue: one.kind) else { continue }
            Log.info("refused", ("kind", kind.name), ("suppressed", one.suppressed))
        }
    }

    private static var milliseconds: UInt64 { MonotonicTime.now().nanoseconds / 1_000_000 }
}
