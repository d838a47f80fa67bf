/// Time as the broker is told it; it has no clock of its own.
public struct BrokerTime: Sendable, Equatable {
    /// Monotonic.
    public var milliseconds: UInt64
    /// Wall clock, for API timestamps and for the day of a daily quota.
    public var unixSeconds: Int
    /// What deliveries posted now carry, so that their owner sees how long they took: its business alone. 0: they are not measured.
    public var stamp: UInt32

    public init(milliseconds: UInt64, unixSeconds: Int, stamp: UInt32 = 0) {
        self.milliseconds = milliseconds
        self.unixSeconds = unixSeconds
        self.stamp = stamp
    }
}
