/// A connection that might have to go so that the process's backlogs keep their limit.
struct Offender {
    var slot: UInt32
    var sizeClass: Int
    /// Its backlog has not moved lately: it does not read.
    var isStalled: Bool

    /// Classes in a factor of four. Who reads goes before who does not only if it holds more than so much more.
    static let factorClasses = 8

    /// Whether this one should go rather than another: who does not read before who reads, then who holds more.
    func isWorse(than other: Offender) -> Bool {
        guard isStalled != other.isStalled else { return sizeClass > other.sizeClass }
        return isStalled
            ? sizeClass + Self.factorClasses >= other.sizeClass : sizeClass > other.sizeClass + Self.factorClasses
    }
}

extension ConnectionTable {
    /// A backlog that has not moved for so long is one of a peer that does not read: half a second.
    private static let stalledTicks: UInt32 = 5
    /// Of one class so many are looked at for one that does not read; the next search goes on behind them.
    private static let looksMax = 16

    func isStalled(_ slot: UInt32) -> Bool { tick &- self[slot].movedTick >= Self.stalledTicks }

    /// Whom this loop should send away first: of those that hold a quarter of what the largest holds or more, one that does not read;
    /// else one that holds most. Bounded work.
    mutating func worstOffender(except: UInt32) -> Offender? {
        let worst = backlogs.worstClass
        guard worst > 0 else { return nil }
        for sizeClass in stride(from: worst, through: max(1, worst - Offender.factorClasses), by: -1) {
            if let slot = look(sizeClass, except, stalledOnly: true) {
                return Offender(slot: slot, sizeClass: sizeClass, isStalled: true)
            }
        }
        // If nobody else is there, the one that is left out holds more than anybody.
        guard let slot = look(worst, except, stalledOnly: false) else { return nil }
        return Offender(slot: slot, sizeClass: worst, isStalled: isStalled(slot))
    }

    /// The next of a class that fits, of those whose turn it is.
    private mutating func look(_ sizeClass: Int, _ except: UInt32, stalledOnly: Bool) -> UInt32? {
        for _ in 0..<min(Self.looksMax, backlogs.memberCount(sizeClass)) {
            let slot = backlogs.takeTurn(sizeClass, states)
            if slot != except, !stalledOnly || isStalled(slot) { return slot }
        }
        return nil
    }

    /// While the process's backlogs hold almost what they may, or more than its memory has room for, sends away this loop's worst offenders if nobody elsewhere owes much more
    /// (or, for those who read, more); a bounded number, because each is some work.
    mutating func relievePressure(_ outbox: Outbox) {
        let ledger = backlogs.ledger
        for _ in 0..<options.overflowsPerTurn {
            guard ledger.isPressed, let worst = worstOffender(except: .max), worst.isStalled || ledger.isStrained
            else { return }
            let margin = worst.isStalled ? Offender.factorClasses : 0
            guard !ledger.hasMember(above: worst.sizeClass + margin) else { return }
            overflow(worst.slot, ledger.isPressedByItself ? .backlogs : .memory, outbox)
        }
    }
}
