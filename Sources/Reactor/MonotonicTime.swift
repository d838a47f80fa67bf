internal import CLinux

/// Nanoseconds on the monotonic clock, never wall time.
public struct MonotonicTime: Comparable, Hashable, Sendable {
    /// Since an arbitrary point (boot).
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The clock read now (about 25 ns). Loop code takes `EventLoop.now` instead: one read per turn. Safe on any thread.
    public static func now() -> Self { Self(nanoseconds: clinux_monotonic_nanoseconds()) }

    /// This time plus a delay in nanoseconds; saturates at the end of time.
    public func after(nanoseconds delay: UInt64) -> Self {
        let (sum, isOver) = nanoseconds.addingReportingOverflow(delay)
        return Self(nanoseconds: isOver ? .max : sum)
    }

    /// Nanoseconds since `earlier`, 0 when it is in the future.
    public func nanosecondsSince(_ earlier: Self) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }

    public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
}

/// The wall clock, for what people and other machines compare: signatures' timestamps, webhooks, log lines.
public enum WallClock {
    /// Nanoseconds since 1970 UTC. Safe on any thread.
    public static func nanoseconds() -> UInt64 { clinux_wall_nanoseconds() }
    /// Milliseconds since 1970 UTC. Safe on any thread.
    public static func milliseconds() -> Int { Int(clinux_wall_nanoseconds() / 1_000_000) }
    /// Seconds since 1970 UTC. Safe on any thread.
    public static func seconds() -> Int { Int(clinux_wall_nanoseconds() / 1_000_000_000) }
}
