internal import CLinux

extension EventLoop {
    /// Tells the handler who overflowed, a bounded number in a turn: their memory is back already, and saying goodbye to a client costs many
    /// times more than deciding to. Those who cannot be told anything are reset at once.
    func deliverOverflows(_ handler: any LoopHandler) {
        resetCut(0)
        let known = table.overflowing.count
        let told = min(known, table.options.overflowsPerTurn)
        for _ in 0..<told {
            guard let notice = table.overflowing.popFirst(), isLive(notice.token) else { continue }
            let slot = notice.token.slot
            if table[slot].flags.contains(.finishing) {
                // Its last words went with the rest of its backlog.
                if !table.isBehind(slot) { allSent(slot) }
            } else {
                handler.overflowed(slot, notice.overflow)
            }
        }
        // The last words of one may have taken the memory of another.
        resetCut(known - told)
    }

    /// - Parameter known: waiting notices that were looked at before.
    private func resetCut(_ known: Int) {
        for notice in table.overflowing.waiting.dropFirst(known) where notice.isCut && isLive(notice.token) {
            clinux_set_reset_on_close(table[notice.token.slot].descriptor)
            close(notice.token.slot, .tooSlow)
        }
    }

    // MARK: What a peer still has to take

    /// Says that answers to the peer are among this turn's frames; see `hasUnsentAnswers`.
    public func markAnswered(_ slot: UInt32) { table[slot].flags.insert(.answered) }

    /// Whether the kernel has not yet taken every answer that was marked. What was queued behind the last one does not matter.
    public func hasUnsentAnswers(_ slot: UInt32) -> Bool {
        table[slot].flags.contains(.answered) || table[slot].owesAnswers
    }

    /// Tells the handler whose answers are with the kernel now.
    func deliverCaughtUp(_ handler: any LoopHandler) {
        let caughtUp = table.caughtUp
        table.caughtUp.removeAll(keepingCapacity: caughtUp.count < 4_096)
        for slot in caughtUp where slot < table.used && table[slot].isOpen() { handler.answersTaken(slot) }
    }

    /// How many bytes the kernel has taken of the connection's backlog so far, wrapping: it changes while a slow peer reads.
    public func drainedBytes(_ slot: UInt32) -> UInt32 { table[slot].drained }
}
