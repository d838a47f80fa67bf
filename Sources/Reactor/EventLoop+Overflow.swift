internal import CLinux

extension EventLoop {
    /// Tells the handler who overflowed, a bounded number in a turn: their memory is back already, and saying goodbye to a client costs many
    /// times more than deciding to. Those who cannot be told anything are reset at once.
    func deliverOverflows(_ handler: any LoopHandler) {
        resetCut(from: 0)
        let known = table.pointee.overflowing.count
        let until = min(known, overflowsDone + options.overflowsPerTurn)
        while overflowsDone < until {
            let notice = table.pointee.overflowing[overflowsDone]
            overflowsDone += 1
            guard isLive(notice.slot, notice.generation) else { continue }
            if state(notice.slot).pointee.flags.contains(.finishing) {
                // Its last words went with the rest of its backlog.
                if state(notice.slot).pointee.backlog == nil { allSent(notice.slot) }
            } else {
                handler.overflowed(notice.slot, notice.overflow)
            }
        }
        // The last words of one may have taken the memory of another.
        resetCut(from: known)
        guard overflowsDone == table.pointee.overflowing.count else { return }
        table.pointee.overflowing.removeAll(keepingCapacity: overflowsDone < 4_096)
        overflowsDone = 0
    }

    private func resetCut(from start: Int) {
        for index in start..<table.pointee.overflowing.count where table.pointee.overflowing[index].isCut {
            let notice = table.pointee.overflowing[index]
            guard isLive(notice.slot, notice.generation) else { continue }
            clinux_set_reset_on_close(state(notice.slot).pointee.descriptor)
            close(notice.slot, .tooSlow)
        }
    }

    // MARK: What a peer still has to take

    /// Says that answers to the peer are among this turn's frames; see `hasUnsentAnswers`.
    public func markAnswered(_ slot: UInt32) { state(slot).pointee.flags.insert(.answered) }

    /// Whether the kernel has not yet taken every answer that was marked. What was queued behind the last one does not matter.
    public func hasUnsentAnswers(_ slot: UInt32) -> Bool {
        let one = state(slot)
        return one.pointee.flags.contains(.answered) || one.pointee.owesAnswers
    }

    /// Tells the handler whose answers are with the kernel now.
    func deliverCaughtUp(_ handler: any LoopHandler) {
        guard !table.pointee.caughtUp.isEmpty else { return }
        let due = table.pointee.caughtUp
        table.pointee.caughtUp.removeAll(keepingCapacity: due.count < 4_096)
        for slot in due where slot < table.pointee.used && state(slot).pointee.isOpen() { handler.answersTaken(slot) }
    }

    /// How many bytes the kernel has taken of the connection's backlog so far, wrapping: it changes while a slow peer reads.
    public func drainedBytes(_ slot: UInt32) -> UInt32 { state(slot).pointee.drained }
}
