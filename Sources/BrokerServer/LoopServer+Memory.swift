internal import BrokerCore
internal import CLinux
internal import Reactor
internal import Telemetry

/// After many clients have left, their memory goes back to the machine.
extension LoopServer {
    /// Called once per tick.
    func releaseMemory() {
        // While the server drains, `leaving` names slots.
        guard !state.isDraining else { return }
        sessions.releaseUnused()
        broker.releaseUnused()
        // What the loops share is one loop's to notice: a trim is of the whole process.
        let shared = broker.loop == 0 ? broker.shared.tableStatistics.heldBytes : 0
        let held = loop.statistics.heldBytes + shared
        guard trimming.isDue(heldBytes: held, milliseconds: loop.now.nanoseconds / 1_000_000) else { return }
        releaseScratch()
        let start = MonotonicTime.now()
        clinux_trim_heap()
        Log.debug("heap trimmed", ("microseconds", Int(MonotonicTime.now().nanosecondsSince(start) / 1_000)))
    }

    /// Storage that is used again by every command is as large as its largest use.
    private func releaseScratch() {
        reply = []
        response = []
        control = []
        broker.releaseScratch()
    }
}

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

extension LoopStatistics {
    /// An estimate: a connection's records and its share of the channels' come to about a kilobyte.
    fileprivate var heldBytes: Int { connections * 1_024 + backlogBytes + inputBytes }
}
