/// Whose handshake is under way, and who waits to begin one: decides, and does nothing. A handshake costs as much as hundreds of messages and,
/// until it is over, three times the memory of a connection that rests. Thousands may come back together, and thousands may begin and stall.
///
/// ```
/// accepted, silent ──first byte──▶ a place is free, and memory? ──▶ running ──▶ done, failed, timed out
///   (no place, no layer)               │                               └─ not over soon: it waits for its peer, and leaves its place
///                                      │ no memory: whoever has stalled longest ends for it, if it had time enough
///                                      └ no place: waiting, unread; the newest begins next
/// ```
/// Two bounds. The places (`placesMax`) are for time: so many run at once, and the others that come meanwhile wait, so that who is here already is
/// served between. One that waits for its peer costs no time any more: it leaves its place and costs memory only, of which there is some
/// (`heldMax`). So whoever begins and stalls keeps nobody out: newcomers find places, and the memory of those who stall goes to them. How long
/// one may wait for its peer when memory is wanted depends on how long others take, and on whether most that begin finish: a crowd that is slow
/// is not taken for one that stalls. Newcomers come before those who have waited long, and have perhaps given up.
struct Handshakes {
    static let placesMax = 64
    /// So many run before somebody begins who has waited since before the last tick.
    static let placesOfWaiting = 48
    /// Running ones, with and without a place.
    static let heldMax = 256
    /// So many have time enough for any distance, however fast the others are.
    static let patientMax = 16
    /// Begun in one turn: to answer a hello takes a quarter of a millisecond, in which others wait to be accepted.
    static let begunPerTurn = 8

    /// After so long it is the peer who is waited for.
    static let workNanoseconds: UInt64 = 25_000_000
    /// How long a peer is waited for though others want the memory: at most, and at least as long as most who begin finish.
    static let patienceNanoseconds: UInt64 = 1_000_000_000
    static let patienceOfTrustNanoseconds: UInt64 = 250_000_000

    /// What is done with somebody whose first byte is here.
    enum Course: Equatable {
        /// It is read.
        case begins
        /// It is read, and this one, which has stalled, ends for it.
        case replaces(EventToken)
        case waits
        /// It is asked again in the next turn.
        case comesLater
    }

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
    /// How many of the newest of those who wait came since the last tick.
    private var newcomers = 0
    /// Let in since the places were looked at last; their bytes come in the next turn.
    private var invited = 0
    /// How long those took that succeeded, smoothed.
    private var usualNanoseconds: UInt64 = 12_500_000
    /// Of 256 that began lately, so many finished, and the others were ended because they stalled.
    private var finishedOf256 = 256
    private var turn: UInt64 = 0
    private var begunInTurn = 0

    var areWaiting: Bool { !waiting.isEmpty }

    /// What is done with somebody whose first byte is here.
    /// - Parameter needsPlace: looks at that byte; a plain connection is read whoever else is here. Asked only when it matters.
    mutating func course(turn: UInt64, now: MonotonicTime, needsPlace: () -> Bool) -> Course {
        if turn != self.turn { (self.turn, begunInTurn) = (turn, 0) }
        let isExhausted = begunInTurn >= Self.begunPerTurn
        let hasPlace = atWork(now) < Self.placesMax
        if hasPlace, running.count < Self.heldMax, !isExhausted { return .begins }
        guard needsPlace() else { return .begins }
        if isExhausted { return .comesLater }
        guard hasPlace, let stalled = stalled(now: now) else { return .waits }
        return .replaces(stalled)
    }

    /// What the end of the time before `opened` is called; nil: one that said nothing wanted nothing.
    static func lateness(isUndecided: Bool, isWaiting: Bool) -> HandshakeFailure? {
        isUndecided && !isWaiting ? nil : .timeout
    }

    mutating func begin(_ token: EventToken, now: MonotonicTime) {
        let isPatient = patientCount < Self.patientMax
        if isPatient { patientCount += 1 }
        begunInTurn += 1
        running.append(Running(token: token, began: now, isPatient: isPatient))
    }

    /// How a handshake ended. `stalled`: for the sake of others.
    enum End { case done, stalled, failed }

    mutating func end(_ slot: UInt32, _ how: End, now: MonotonicTime) {
        guard let index = running.firstIndex(where: { $0.token.slot == slot }) else { return }
        let one = running.remove(at: index)
        if one.isPatient { patientCount -= 1 }
        switch how {
        case .failed: break
        case .stalled: finishedOf256 -= (finishedOf256 + 15) / 16
        case .done:
            usualNanoseconds = (usualNanoseconds * 7 + now.nanosecondsSince(one.began)) / 8
            finishedOf256 += (256 - finishedOf256 + 15) / 16
        }
    }

    // MARK: Places and memory

    /// How many have a place.
    func atWork(_ now: MonotonicTime) -> Int {
        running.reversed().prefix { now.nanosecondsSince($0.began) <= Self.workNanoseconds }.count
    }

    /// Most that began lately finished.
    var isTrusted: Bool { finishedOf256 >= 128 }

    /// When a running one has had time enough.
    private func end(of one: Running) -> MonotonicTime {
        let least = isTrusted ? Self.patienceOfTrustNanoseconds : Self.workNanoseconds
        let usual = min(Self.patienceNanoseconds, max(least, usualNanoseconds * 4))
        return one.began.after(nanoseconds: one.isPatient ? Self.patienceNanoseconds : usual)
    }

    /// The oldest that has had time enough.
    func stalled(now: MonotonicTime) -> EventToken? { running.first { now > end(of: $0) }?.token }

    // MARK: Those who wait

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
        newcomers += 1
    }

    /// The places are looked at: once a turn, behind all that began in it.
    /// - Parameter isTick: whoever waits now is no newcomer any more.
    mutating func renew(isTick: Bool, isWaiting: (EventToken) -> Bool) {
        invited = 0
        guard isTick else { return }
        newcomers = 0
        waiting.removeAll { !isWaiting($0.token) }
    }

    /// Who is let in next, and who has to end for it. It may have gone meanwhile: then nobody has to (`withdraw`).
    mutating func nextInvitation(now: MonotonicTime) -> (guest: EventToken, stalled: EventToken?)? {
        let places = newcomers > 0 ? Self.placesMax : Self.placesOfWaiting
        guard !waiting.isEmpty, invited < Self.begunPerTurn, atWork(now) + invited < places else { return nil }
        var ending: EventToken?
        if running.count + invited >= Self.heldMax {
            ending = stalled(now: now)
            if ending == nil { return nil }
        }
        guard let guest = waiting.popLast()?.token else { return nil }
        newcomers = max(0, newcomers - 1)
        invited += 1
        return (guest, ending)
    }

    /// Who was let in has gone.
    mutating func withdraw() { invited -= 1 }

    /// Nanoseconds until somebody may be let in though nothing else happens; nil: nobody waits.
    func untilInvitation(now: MonotonicTime) -> UInt64? {
        guard areWaiting else { return nil }
        var least = UInt64.max
        for one in running {
            for end in [one.began.after(nanoseconds: Self.workNanoseconds), end(of: one)] where end >= now {
                least = min(least, end.nanosecondsSince(now) + 1)
            }
        }
        return least
    }
}
