/// Why a connection has to go although its peer did nothing but read slowly.
public struct Overflow: Equatable, Sendable {
    /// What waited for it when that was decided.
    public var waitingBytes: Int
    public var cause: Cause

    /// Which limit was passed.
    public enum Cause: Sendable {
        /// The connection's own.
        case connection
        /// That of all backlogs of the process, and this one was among the largest.
        case backlogs
        /// That of the whole memory (`BacklogLedger.squeeze`), and this one was among the largest.
        case memory
    }
}

/// A connection whose handler is to hear that it overflowed.
struct OverflowNotice {
    var token: EventToken
    var overflow: Overflow
    /// Its backlog was thrown away in the middle of a message, so it can only be reset.
    var isCut: Bool
}

extension ConnectionTable {
    /// More than this is not kept of a begun message when memory is short: the connection is reset instead.
    private static let begunBytesMax = 128 * 1_024

    /// Decides that a connection has to go: it takes no more frames, what waits for it is dropped at once but for the rest of the message
    /// it has begun to receive, and its handler hears of it at the end of this turn or a later one.
    /// - Parameter mustCut: the rest of the message that it has begun to receive is lost already.
    mutating func overflow(
        _ slot: UInt32, _ cause: Overflow.Cause, isCut mustCut: Bool = false, _ outbox: Outbox
    ) {
        statistics.overflows &+= 1
        switch cause {
        case .connection: break
        case .backlogs: statistics.overflowsOfProcess &+= 1
        case .memory: statistics.overflowsOfMemory &+= 1
        }
        if cause != .connection { backlogs.ledger.budget.countRefusal() }
        let why = Overflow(waitingBytes: self[slot].backlogCount, cause: cause)
        outbox.mark(slot, Outbox.refusing)
        backlogs.strike(slot, states)
        self[slot].flags.insert(.overflowed)
        self[slot].flags.remove(.sealed)
        let isMeasured = keepStartedMessage(slot)
        let isCut = mustCut || !isMeasured || cause != .connection && self[slot].backlogCount > Self.begunBytesMax
        if isCut { freeBacklog(slot) }
        overflowing.append(
            OverflowNotice(
                token: EventToken(slot: slot, generation: self[slot].generation), overflow: why, isCut: isCut))
    }
}
