internal import CLinux

extension EventLoop {
    /// Closes now, with a reset when bytes were still unsent. `closed(.local)` comes from the loop, never from inside this call.
    public func abort(_ slot: UInt32) {
        guard table[slot].isOpen() else { return }
        let hasFrames = outbox.hasEntry(slot)
        if hasFrames || table.isBehind(slot) { clinux_set_reset_on_close(table[slot].descriptor) }
        close(slot, .local)
    }

    func close(_ slot: UInt32, _ why: TransportClose) {
        guard table[slot].isOpen() else { return }
        let isInHandshake = table[slot].flags.contains(.secured) && !table[slot].flags.contains(.announced)
        if !told.isEmpty { told.forget(slot) }
        clinux_close(table[slot].descriptor)  // which also takes it out of epoll
        table.kill(slot, outbox)
        if isInHandshake { handshakes.end(slot, .failed, now: now) }
        due.closing.append((slot, why))
    }

    /// After a turn that left no frame behind, the end of the slab may go; not while the number of somebody who was closed in it rests.
    func releaseUnusedSlots() {
        guard outbox.frameCount == 0 else { return }
        let capacity = table.capacity
        table.releaseUnused(outbox)
        if table.capacity < capacity { wheel.forget(from: UInt32(table.used)) }
    }

    func deliverCloses(_ handler: any LoopHandler) {
        let closing = due.closing
        due.closing.removeAll(keepingCapacity: closing.count < 4_096)
        for one in closing {
            if !table[one.slot].flags.isDisjoint(with: [.announced, .adopted]) { handler.closed(one.slot, one.why) }
            table.retire(one.slot)
        }
    }
}
