extension EventLoop {
    /// Arms the connection's one timer, replacing what was set: `timerFired` comes once, at most 100 ms late and never early. Storing a
    /// later deadline is two stores, so it may be called per message.
    public func setTimer(_ slot: UInt32, afterMilliseconds milliseconds: UInt32) {
        guard !table[slot].flags.contains(.finishing) else { return }
        arm(slot, after: UInt64(milliseconds) * 1_000_000)
    }

    func arm(_ slot: UInt32, after nanoseconds: UInt64) {
        guard table[slot].isOpen() else { return }
        let deadline = wheel.deadlineTick(at: now.after(nanoseconds: nanoseconds))
        table[slot].deadlineTick = deadline
        if table[slot].filedTick != 0 && table[slot].filedTick <= deadline { return }
        table[slot].filedTick = wheel.file(slot, deadlineTick: deadline)
    }

    /// - Returns: whether a 100 ms step has passed.
    func fireTimers(_ handler: any LoopHandler) -> Bool {
        let isTick = now >= wheel.nextTickTime
        if isTick { takeTimers() }
        if wheel.hasDue { fireDue(handler) }
        return isTick
    }

    private func takeTimers() {
        let passed = wheel.passedTick(at: now)
        timings.ticked(lateNanoseconds: now.nanosecondsSince(wheel.nextTickTime))
        while wheel.tick < passed { wheel.step() }
    }

    /// Thousands that are due at once, because they came at once, go off in several turns.
    @inline(never)
    private func fireDue(_ handler: any LoopHandler) {
        for count in 1... {
            guard let slot = wheel.popDue() else { return }
            fire(slot, handler)
            if count % 16 == 0, isServedEnough { return }
        }
    }

    private func fire(_ slot: UInt32, _ handler: any LoopHandler) {
        table[slot].filedTick = 0
        let deadline = table[slot].deadlineTick
        // Disarmed since, or closed, and the slot is nobody's or its next one has armed nothing yet.
        if deadline == 0 { return }
        // Re-armed to a later time since, by whoever has the slot now.
        if deadline > wheel.tick {
            table[slot].filedTick = wheel.file(slot, deadlineTick: deadline)
            return
        }
        table[slot].deadlineTick = 0
        table.statistics.timersFired &+= 1
        // The linger time of one that finishes, or a handshake's.
        if table[slot].flags.contains(.finishing) { return close(slot, .timeout) }
        guard table[slot].flags.contains(.announced) else { return handshakeTimedOut(slot, handler) }
        handler.timerFired(slot)
    }
}
