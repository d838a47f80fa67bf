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
    mutating func overflow(_ slot: UInt32, isOfProcess: Bool, _ outbox: borrowing OutboxState) {
        let state = states + Int(slot)
        statistics.overflows &+= 1
        if isOfProcess { statistics.overflowsOfProcess &+= 1 }
        let why = Overflow(waitingBytes: state.pointee.backlogCount, isOfProcess: isOfProcess)
        outbox.mark(slot, OutboxState.refusing)
        backlogs.strike(Int(state.pointee.backlogCapacity))
        state.pointee.flags.insert(.overflowed)
        state.pointee.flags.remove(.sealed)
        let isMeasured = keepStartedMessage(slot)
        let isCut = !isMeasured || isOfProcess && state.pointee.backlogCount > Self.begunBytesMax
        if isCut { freeBacklog(slot) }
        overflowing.append(
            OverflowNotice(slot: slot, generation: state.pointee.generation, overflow: why, isCut: isCut))
    }

    /// One of this loop's connections that hold most memory, if that is as much as a class.
    ///
    /// A hand goes round the slots, so that a round sends away everybody of the worst class.
    mutating func worstOffender(atLeast sizeClass: Int, except: UInt32) -> UInt32? {
        let worst = backlogs.worstClass
        guard worst >= sizeClass else { return nil }
        for _ in 0..<used {
            hand = hand + 1 < used ? hand + 1 : 0
            let state = states + hand
            guard state.pointee.backlog != nil, !state.pointee.flags.contains(.overflowed), hand != Int(except) else {
                continue
            }
            if BacklogLedger.sizeClass(Int(state.pointee.backlogCapacity)) == worst { return UInt32(hand) }
        }
        return nil
    }

    /// While the process's backlogs hold almost what they may, sends away this loop's worst offenders if nobody elsewhere owes more;
    /// a bounded number, because each is some work.
    mutating func relievePressure(_ outbox: borrowing OutboxState) {
        for _ in 0..<options.overflowsPerTurn {
            guard backlogs.ledger.isPressed, !backlogs.ledger.hasMember(above: backlogs.worstClass),
                let worst = worstOffender(atLeast: 1, except: .max)
            else { return }
            overflow(worst, isOfProcess: true, outbox)
        }
    }
}
