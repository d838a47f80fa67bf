/// Connections still to be made, in the order of a worker's clients.
struct Dialing {
    /// Stop trying after so many failures, which are then reported instead.
    static let failuresMax = 1_000

    private var next = 0
    private let end: Int
    private var underWay = 0
    private let window: Int
    private var pacer: Pacer?

    /// `window`: handshakes under way at a time; a rate of 0 is as fast as that allows.
    init(clients: Int, ratePerSecond: Double, window: Int, now: UInt64) {
        (end, self.window) = (clients, max(1, window))
        if ratePerSecond > 0 { pacer = Pacer(start: now, ratePerSecond: ratePerSecond) }
    }

    /// The next client to dial, by its local index; it is under way then.
    mutating func take(now: UInt64) -> Due<Int> {
        guard next < end else { return .over }
        guard underWay < window else { return .waiting }
        if let due = pacer?.next, due > now { return .later(due) }
        pacer?.step()
        underWay += 1
        next += 1
        return .now(next - 1)
    }

    /// A client that was under way is ready, or has failed.
    mutating func settle() { underWay -= 1 }
}
