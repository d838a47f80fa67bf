extension EventLoop {
    /// Arms the connection's one timer, replacing what was set: `timerFired` comes once, at most 100 ms late and never early. Storing a
    /// later deadline is two stores, so it may be called per message.
    public func setTimer(_ slot: UInt32, after nanoseconds: UInt64) {
        guard !state(slot).pointee.flags.contains(.finishing) else { return }
        arm(slot, after: nanoseconds)
    }

    func arm(_ slot: UInt32, after nanoseconds: UInt64) {
        let one = state(slot)
        guard one.pointee.isOpen() else { return }
        let deadline = wheel.deadlineTick(at: now.after(nanoseconds: nanoseconds))
        one.pointee.deadlineTick = deadline
        if one.pointee.filedTick != 0 && one.pointee.filedTick <= deadline { return }
        one.pointee.filedTick = wheel.file(slot: slot, generation: one.pointee.generation, deadlineTick: deadline)
    }

    /// Disarms the timer (a finishing connection's linger deadline stays).
    public func clearTimer(_ slot: UInt32) {
        if !state(slot).pointee.flags.contains(.finishing) { state(slot).pointee.deadlineTick = 0 }
    }

    /// - Returns: whether a 100 ms step has passed.
    func fireTimers(_ handler: any LoopHandler) -> Bool {
        let passed = wheel.passedTick(at: now)
        guard wheel.tick < passed else { return false }
        while wheel.tick < passed {
            for entry in wheel.step() { fire(entry, handler) }
        }
        return true
    }

    private func fire(_ entry: TimerWheel.Entry, _ handler: any LoopHandler) {
        guard isLive(entry.slot, entry.generation) else { return }
        let one = state(entry.slot)
        guard one.pointee.filedTick == wheel.tick else { return }  // re-armed to an earlier time since, or filed twice
        one.pointee.filedTick = 0
        let deadline = one.pointee.deadlineTick
        if deadline == 0 { return }
        if deadline > wheel.tick {
            one.pointee.filedTick = wheel.file(
                slot: entry.slot, generation: entry.generation, deadlineTick: deadline)
            return
        }
        one.pointee.deadlineTick = 0
        table.pointee.statistics.timersFired &+= 1
        if one.pointee.flags.contains(.finishing) { return close(entry.slot, .timeout) }
        handler.timerFired(entry.slot)
    }
}
