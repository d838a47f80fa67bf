internal import Synchronization

/// A loop's plain counters for other threads: the loop counts in an ordinary struct and publishes a copy now and then (each tick),
/// so that counting costs an add and reading never touches the loop. Safe on any thread.
public final class Published<Counters: Sendable>: Sendable {
    private let latest: Mutex<Counters>

    public init(_ start: Counters) { latest = Mutex(start) }

    /// Replaces the published copy. About each 100 ms, from the owner's thread.
    public func publish(_ counters: Counters) { latest.withLock { $0 = counters } }

    /// The copy published last; at most one tick old.
    public var value: Counters { latest.withLock { $0 } }
}
