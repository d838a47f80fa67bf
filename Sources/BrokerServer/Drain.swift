/// Sends the clients of one loop away while the server stops, spread over the grace period, so that they do not all come back to the
/// next server at once (PW-037).
///
/// The listeners stay open meanwhile, so that `/ready` can say 503; upgrades are refused. Loop thread only.
struct Drain {
    /// Ticks come every 100 ms; a fifth of the grace is left for the closing handshakes.
    static func ticks(graceSeconds: Int) -> Int { max(1, graceSeconds * 8) }

    private var leaving: [UInt32] = []
    private var leavingPerTick = 0
    private(set) var hasBegun = false

    /// Begins with those who are here.
    mutating func begin(_ slots: [UInt32], graceSeconds: Int) {
        let ticks = Self.ticks(graceSeconds: graceSeconds)
        (hasBegun, leaving, leavingPerTick) = (true, slots, (slots.count + ticks - 1) / ticks)
    }

    /// Who is sent away at this tick. Each slot once; who has it by then may be another, or nobody.
    mutating func tick() -> ArraySlice<UInt32> {
        let due = leaving.suffix(leavingPerTick)
        leaving.removeLast(due.count)
        return due
    }
}
