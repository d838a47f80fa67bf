/// When a loop asks malloc to give back what it keeps for the next allocation: rarely, because that walks the whole heap, and
/// only when much has been freed and the freeing is over.
struct TrimPolicy {
    /// What must have been freed since the last time: so much, and so much of what is left.
    static let bytesMin = 1 << 20
    static let partMin = 16
    static let intervalMilliseconds: UInt64 = 5_000
    static let quietTicksMin = 5

    private var peak = 0
    private var previous = 0
    /// Ticks since much was last freed. The tables shrink a tick or two after that.
    private var quietTicks = 0
    private var lastMilliseconds: UInt64?

    /// Takes what connections and channels hold at this tick, estimated.
    mutating func isDue(heldBytes: Int, milliseconds: UInt64) -> Bool {
        quietTicks = heldBytes < previous - Self.bytesMin / 16 ? 0 : quietTicks + 1
        previous = heldBytes
        peak = max(peak, heldBytes)
        guard quietTicks >= Self.quietTicksMin else { return false }
        guard peak - heldBytes >= max(Self.bytesMin, heldBytes / Self.partMin) else { return false }
        if let lastMilliseconds, milliseconds < lastMilliseconds + Self.intervalMilliseconds { return false }
        lastMilliseconds = milliseconds
        peak = heldBytes
        return true
    }
}
