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
        table[slot].filedTick = wheel.file(token(slot), deadlineTick: deadline)
    }

    /// - Returns: whether a 100 ms step has passed.
    func fireTimers(_ handler: any LoopHandler) -> Bool {
        let isTick = now >= wheel.nextTickTime
        if isTick { takeTimers() }
        if !due.timers.isEmpty { fireDue(handler) }
        return isTick
    }

    private func takeTimers() {
        let passed = wheel.passedTick(at: now)
        timings.ticked(lateNanoseconds: now.nanosecondsSince(wheel.nextTickTime))
        while wheel.tick < passed { wheel.step(into: &due.timers) }
    }

    /// Thousands that are due at once, because they came at once, go off in several turns.
    @inline(never)
    private func fireDue(_ handler: any LoopHandler) {
        for place in 0..<due.timers.count {
            if place % 16 == 15, isServedEnough { return }
            if let token = due.timers.popFirst() { fire(token, handler) }
        }
    }

    private func fire(_ token: EventToken, _ handler: any LoopHandler) {
        guard isLive(token) else { return }
        let slot = token.slot
        // Re-armed to a later time since, or filed twice and gone off.
        guard table[slot].filedTick != 0, table[slot].filedTick <= wheel.tick else { return }
        table[slot].filedTick = 0
        let deadline = table[slot].deadlineTick
        if deadline == 0 { return }
        if deadline > wheel.tick {
            table[slot].filedTick = wheel.file(token, deadlineTick: deadline)
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
