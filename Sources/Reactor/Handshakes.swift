/// Whose handshake is under way, and who waits to begin one. A handshake costs as much as hundreds of messages and, until it is over, three
/// times the memory, so that only so many run at once: thousands that come back together are let in one after the other, and who is here
/// already is served between.
///
/// ```
/// accepted, silent ──first byte──▶ a place is free? ──▶ running ──▶ done, failed, timed out: the place is free again
///   (no place, no layer)               │ no: the one that has stalled longest gives up its place, if it had time enough
///                                      └ no: waiting, unread; the newest begins next, and only while a quarter of the places is left
/// ```
/// Who says nothing needs no place. Who begins and stalls cannot keep others out: places turn over, newcomers find some that those who wait
/// do not take, and they come before them: who has waited long has perhaps given up, and a flood of stalled ones waits behind.
struct Handshakes {
    static let placesMax = 64
    /// So many run before somebody who waits begins.
    static let placesOfWaiting = 48
    /// So many have time enough for any distance, however fast the others are.
    static let patientMax = 16
    /// Begun in one turn: to answer a hello takes a quarter of a millisecond.
    static let begunPerTurn = 16

    static let patienceNanoseconds: UInt64 = 1_000_000_000
    static let patienceNanosecondsMin: UInt64 = 50_000_000

    struct Running {
        var token: EventToken
        var began: MonotonicTime
        var isPatient: Bool
    }

    /// The oldest first.
    private(set) var running: [Running] = []
    /// The newest last, by when it was accepted; those that have gone meanwhile among them.
    private var waiting: [(token: EventToken, number: UInt32)] = []
    private var accepted: UInt32 = 0
    private var patientCount = 0
    /// How long those took that succeeded, smoothed.
    private var usualNanoseconds: UInt64 = 12_500_000
    private var turn: UInt64 = 0
    private var begunInTurn = 0

    var hasPlace: Bool { running.count < Self.placesMax }
    var areWaiting: Bool { !waiting.isEmpty }

    /// Whether this turn has done enough of them.
    mutating func isExhausted(turn: UInt64) -> Bool {
        if turn != self.turn { (self.turn, begunInTurn) = (turn, 0) }
        return begunInTurn >= Self.begunPerTurn
    }

    mutating func begin(_ token: EventToken, now: MonotonicTime) {
        let isPatient = patientCount < Self.patientMax
        if isPatient { patientCount += 1 }
        begunInTurn += 1
        running.append(Running(token: token, began: now, isPatient: isPatient))
    }

    /// A handshake is over.
    mutating func end(_ slot: UInt32, isDone: Bool, now: MonotonicTime) {
        guard let index = running.firstIndex(where: { $0.token.slot == slot }) else { return }
        let one = running.remove(at: index)
        if one.isPatient { patientCount -= 1 }
        guard isDone else { return }
        usualNanoseconds = (usualNanoseconds * 7 + now.nanosecondsSince(one.began)) / 8
    }

    /// The oldest that has had time enough.
    func stalled(now: MonotonicTime) -> EventToken? {
        let usual = min(Self.patienceNanoseconds, max(Self.patienceNanosecondsMin, usualNanoseconds * 4))
        return running.first {
            now.nanosecondsSince($0.began) > ($0.isPatient ? Self.patienceNanoseconds : usual)
        }?.token
    }

    /// A number for whoever is accepted, higher than all before.
    mutating func nextNumber() -> UInt32 {
        accepted &+= 1
        return accepted
    }

    /// - Parameter number: its `nextNumber`. What orders is not who is read first: of a crowd that is no order.
    mutating func wait(_ token: EventToken, number: UInt32) {
        var (low, high) = (0, waiting.count)
        while low < high {
            let middle = (low + high) / 2
            if Int32(bitPattern: waiting[middle].number &- number) < 0 { low = middle + 1 } else { high = middle }
        }
        waiting.insert((token, number), at: low)
    }

    /// Who may try next; it may have gone meanwhile.
    mutating func popWaiting() -> EventToken? { running.count < Self.placesOfWaiting ? waiting.popLast()?.token : nil }

    /// Forgets those who have gone, when there are many.
    mutating func prune(_ isLive: (EventToken) -> Bool) { waiting.removeAll { !isLive($0.token) } }
}
