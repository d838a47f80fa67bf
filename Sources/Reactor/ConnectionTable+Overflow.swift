/// Why a connection has to go although its peer did nothing but read slowly.
public struct Overflow: Equatable, Sendable {
    /// What waited for it when that was decided.
    public var waitingBytes: Int
    /// The backlogs of the whole process held too much, and this one was among the largest; else it passed its own limit.
    public var isOfProcess: Bool
}

/// A connection whose handler is to hear that it overflowed.
struct OverflowNotice {
    var slot: UInt32
    var generation: UInt32
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
        _ slot: UInt32, isOfProcess: Bool, isCut mustCut: Bool = false, _ outbox: borrowing OutboxState
    ) {
        let state = states + Int(slot)
        statistics.overflows &+= 1
        if isOfProcess {
            statistics.overflowsOfProcess &+= 1
            backlogs.ledger.budget.countRefusal()
        }
        let why = Overflow(waitingBytes: state.pointee.backlogCount, isOfProcess: isOfProcess)
        outbox.mark(slot, OutboxState.refusing)
        backlogs.strike(slot, states)
        state.pointee.flags.insert(.overflowed)
        state.pointee.flags.remove(.sealed)
        let isMeasured = keepStartedMessage(slot)
        let isCut = mustCut || !isMeasured || isOfProcess && state.pointee.backlogCount > Self.begunBytesMax
        if isCut { freeBacklog(slot) }
        overflowing.append(
            OverflowNotice(slot: slot, generation: state.pointee.generation, overflow: why, isCut: isCut))
    }
}
