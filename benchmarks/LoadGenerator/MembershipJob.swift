/// Clients that join and leave channels.
struct MembershipJob: Sendable {
    enum Mode: Sendable { case join, leave, churn }

    /// A member whose turn it is.
    struct Change: Equatable {
        /// Its index among the worker's members.
        var member: Int
        /// Counts the changes, so that members do not always take the same channel.
        var round: Int
        /// When it was due; nil: as soon as it could be.
        var scheduled: UInt64?
    }

    var mode: Mode
    /// Joins under way at a time on this worker.
    let window: Int
    /// Joins a second on this worker; 0: as the window allows.
    let ratePerSecond: Double
    let start: UInt64
    /// Churn goes on until then.
    let end: UInt64
    private var next = 0
    private var underWay = 0
    private var pacer: Pacer?

    init(mode: Mode, window: Int, ratePerSecond: Double = 0, start: UInt64 = 0, end: UInt64 = .max) {
        (self.mode, self.window, self.ratePerSecond, self.start, self.end) = (mode, window, ratePerSecond, start, end)
        if ratePerSecond > 0 { pacer = Pacer(start: start, ratePerSecond: ratePerSecond) }
    }

    /// The next member; it is only under way when `begin` is told so, since it may not be able to change now.
    mutating func take(now: UInt64, members: Int) -> Due<Change> {
        guard now >= start else { return .later(start) }
        guard members > 0, now < end, mode == .churn || next < members else { return .over }
        guard underWay < window else { return .waiting }
        if let due = pacer?.next, due > now { return .later(due) }
        next += 1
        return .now(Change(member: (next - 1) % members, round: next, scheduled: pacer?.next))
    }

    /// The member that was taken is told to change. A leave is not confirmed.
    mutating func begin() {
        pacer?.step()
        if mode != .leave { underWay += 1 }
    }

    /// A join was confirmed, or its connection has gone.
    mutating func settle() { underWay -= 1 }
}
