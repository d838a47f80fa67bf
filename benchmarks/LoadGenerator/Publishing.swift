/// API calls by a timetable.
struct Publishing {
    let timetable: Timetable
    /// A state query instead of events.
    let query: (path: String, info: String)?
    /// Deliveries of one event.
    private let perEvent: Int
    private var pacer: Pacer?
    private var nextChannel = 0
    /// A due call found no free connection: what follows waits for the server, not for us.
    private var isBlocked = false
    /// Closed loop: deliveries that may still be caused in this turn.
    private var allowance = 0

    init(_ timetable: Timetable, query: (path: String, info: String)? = nil, perEvent: Int) {
        (self.timetable, self.query, self.perEvent) = (timetable, query, perEvent)
        guard timetable.isOpenLoop else { return }
        pacer = Pacer(start: timetable.start, ratePerSecond: timetable.ratePerSecond / Double(timetable.batch))
    }

    /// Begins a turn of a closed loop: a publish is under way until every subscriber has it.
    mutating func allow(outstanding: Int) { allowance = timetable.inFlight * perEvent - outstanding }

    /// The next call. `hasFree`: whether a connection is free for it.
    mutating func take(now: UInt64, hasFree: Bool) -> Due<Send> {
        guard let due = pacer?.next else { return takeClosed(now, hasFree) }
        guard due < timetable.end else { return .over }
        guard due <= now else {
            isBlocked = false
            return .later(due)
        }
        guard hasFree else {
            isBlocked = true
            return .waiting
        }
        pacer?.step()
        let isLate = now - due > Send.lateNanoseconds
        return .now(Send(scheduled: due, lateness: !isLate ? .none : isBlocked ? .queued : .late))
    }

    private mutating func takeClosed(_ now: UInt64, _ hasFree: Bool) -> Due<Send> {
        guard now < timetable.end else { return .over }
        guard now >= timetable.start else { return .later(timetable.start) }
        // Without subscribers, the free connections are the only bound.
        guard hasFree, allowance >= perEvent else { return .waiting }
        allowance -= perEvent
        return .now(Send(scheduled: now))
    }

    /// The channels take turns.
    mutating func takeChannel(of count: Int) -> Int {
        let channel = nextChannel
        nextChannel = channel + 1 == count ? 0 : channel + 1
        return channel
    }
}
