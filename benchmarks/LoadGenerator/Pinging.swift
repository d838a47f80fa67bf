/// What idle clients do: each sends `pusher:ping` once in an interval, spread evenly.
struct Pinging {
    var pacer: Pacer
    let end: UInt64
    private var nextClient = 0

    init(pacer: Pacer, end: UInt64) { (self.pacer, self.end) = (pacer, end) }

    /// The local index of the client whose turn it is.
    mutating func take(now: UInt64, clients: Int) -> Due<Int> {
        guard clients > 0 else { return .over }
        switch pacer.take(now: now, before: end) {
        case .now:
            let client = nextClient % clients
            nextClient = client + 1
            return .now(client)
        case .later(let time): return .later(time)
        case .waiting: return .waiting
        case .over: return .over
        }
    }
}
