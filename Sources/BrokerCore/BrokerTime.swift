/// Time as the broker is told it; it has no clock of its own.
public struct BrokerTime: Sendable, Equatable {
    /// Monotonic.
    public var milliseconds: UInt64
    /// Wall clock, for API timestamps and for the day of a daily quota.
    public var unixSeconds: Int

    public init(milliseconds: UInt64, unixSeconds: Int) {
        self.milliseconds = milliseconds
        self.unixSeconds = unixSeconds
    }
}
