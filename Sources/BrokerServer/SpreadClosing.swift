/// Sends clients of one loop away, each at a time of its own, so that they neither end in one turn nor all come back at once: while the
/// server drains (PW-037), and when a reload removed or disabled their app.
///
///     begin(who is here) ─▶ tick: so many are due, evenly over the window ─▶ next: one of them, at random; `perTurn` a turn
///
/// It knows slots only: who has one by then may be another, or nobody, and its owner looks at that. Time is milliseconds of the loop's
/// clock. Loop thread only.
struct SpreadClosing {
    /// Closed in one turn at most; the next turn follows at once.
    static let perTurn = 128

    private var waiting: [UInt32] = []
    /// Of `waiting`, those whose time has come.
    private var due = 0
    /// Parts of clients that are due; less than one.
    private var credit = 0.0
    private var perMillisecond = 0.0
    private var toldMilliseconds: UInt64 = 0
    private var endMilliseconds: UInt64 = 0
    private var random: SplitMix

    init(seed: UInt64) { random = SplitMix(state: seed) }

    var isEmpty: Bool { waiting.isEmpty }
    /// Somebody's time has come.
    var isDue: Bool { due > 0 }

    /// Begins with these, who may be some of those that still wait. Whoever waited gets no more time by it than he had.
    mutating func begin(_ slots: [UInt32], milliseconds now: UInt64, windowMilliseconds: UInt64) {
        let wanted = windowMilliseconds == 0 ? 0 : Double(slots.count) / Double(windowMilliseconds)
        perMillisecond = max(wanted, waiting.isEmpty ? 0 : perMillisecond)
        waiting = slots
        (due, credit) = (min(due, slots.count), 0)
        (toldMilliseconds, endMilliseconds) = (now, now + windowMilliseconds)
    }

    /// One more has to go, by the time at which the others have.
    mutating func add(_ slot: UInt32) { waiting.append(slot) }

    /// Nobody has to go any more.
    mutating func cancel() { (waiting, due) = ([], 0) }

    /// Counts who is due.
    mutating func tick(milliseconds now: UInt64) {
        guard !waiting.isEmpty else { return }
        guard now < endMilliseconds else { return due = waiting.count }
        credit += perMillisecond * Double(now - toldMilliseconds)
        toldMilliseconds = now
        let whole = min(Int(credit), waiting.count - due)
        credit -= Double(whole)
        due += whole
    }

    /// One of those whose time has come: any of those who wait, so that a client's time does not follow from when it came.
    mutating func next() -> UInt32? {
        guard due > 0 else { return nil }
        due -= 1
        waiting.swapAt(Int.random(in: waiting.indices, using: &random), waiting.count - 1)
        return waiting.removeLast()
    }
}

/// Random enough for who goes first (Steele, Lea, Flood 2014), and as fast as a list is long.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
