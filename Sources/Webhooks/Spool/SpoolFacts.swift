public import Telemetry

/// How a spool does, for metrics.
public struct SpoolFacts: Sendable {
    /// Of its files.
    public var bytes = 0
    public var segments = 0
    /// Events written, those among them that were written again.
    public var eventsWritten: UInt64 = 0
    /// Events that still waited and are on no disk: there was no room, in the queue, in memory or on the disk. They are sent all the same,
    /// unless the process ends.
    public var eventsDropped: UInt64 = 0
    /// Events that wait now and are on no disk.
    public var notDurable = 0
    public var deadLetters = 0
    /// Dead letters forgotten because there were too many.
    public var lettersDropped: UInt64 = 0
    public var writeErrors: UInt64 = 0
    public var syncErrors: UInt64 = 0
    /// Empty: there was none.
    public var lastError = ""
    /// The disk takes nothing just now: all is in memory only.
    public var isFailing = false
    /// How long the disk took to say that it has what was written.
    public var syncs = DurationHistogram()

    public init() {}
}
