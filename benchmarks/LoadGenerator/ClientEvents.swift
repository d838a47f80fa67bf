/// Client events of this worker's clients, in turn, by a timetable.
struct ClientEvents {
    let timetable: Timetable
    private let clients: Int
    /// Deliveries of one event, at least 1 so that a closed loop ends.
    private let perEvent: Int
    private var pacer: Pacer?
    private var nextClient = 0
    private var allowance = 0

    /// `peers`: clients of one channel.
    init(_ timetable: Timetable, clients: Int, peers: Int) {
        (self.timetable, self.clients, perEvent) = (timetable, clients, max(1, peers - 1))
        if timetable.isOpenLoop { pacer = Pacer(start: timetable.start, ratePerSecond: timetable.ratePerSecond) }
    }

    /// Begins a turn of a closed loop.
    mutating func allow(outstanding: Int) { allowance = timetable.inFlight * perEvent - outstanding }

    /// The next event.
    mutating func take(now: UInt64) -> Due<Send> {
        guard clients > 0 else { return .over }
        guard let due = pacer?.next else {
            guard now < timetable.end else { return .over }
            guard now >= timetable.start else { return .later(timetable.start) }
            guard allowance > 0 else { return .waiting }
            allowance -= perEvent
            return .now(Send(scheduled: now))
        }
        guard due < timetable.end else { return .over }
        guard due <= now else { return .later(due) }
        pacer?.step()
        return .now(Send(scheduled: due, lateness: now - due > Send.lateNanoseconds ? .late : .none))
    }

    /// The local index of the client that sends it.
    mutating func takeClient() -> Int {
        let client = nextClient
        nextClient = client + 1 == clients ? 0 : client + 1
        return client
    }
}
