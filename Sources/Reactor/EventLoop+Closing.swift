internal import CLinux

extension EventLoop {
    /// Closes now, with a reset when bytes were still unsent. `closed(.local)` comes from the loop, never from inside this call.
    public func abort(_ slot: UInt32) {
        guard state(slot).pointee.isOpen() else { return }
        let hasFrames = outbox.state.pointee.dirtyIndex[Int(slot)] < OutboxState.refusing
        if hasFrames || state(slot).pointee.backlog != nil { clinux_set_reset_on_close(state(slot).pointee.descriptor) }
        close(slot, .local)
    }

    func close(_ slot: UInt32, _ why: TransportClose) {
        guard state(slot).pointee.isOpen() else { return }
        clinux_close(state(slot).pointee.descriptor)  // which also takes it out of epoll
        table.pointee.kill(slot, &outbox.state.pointee)
        closing.append((slot, why))
    }

    /// After a turn in which nobody was queued or closed, the end of the slab may go.
    func releaseUnusedSlots() {
        let isQuiet = outbox.state.pointee.frameCount == 0 && outbox.state.pointee.entryCount == 0 && closing.isEmpty
        guard isQuiet else { return }
        table.pointee.releaseUnused(&outbox.state.pointee)
    }

    func deliverCloses(_ handler: any LoopHandler) {
        // The dirty list is empty here, so a number retired in an earlier turn can no longer get somebody else's frames.
        if outbox.state.pointee.entryCount == 0 { table.pointee.endRest() }
        guard !closing.isEmpty else { return }
        let due = closing
        closing.removeAll(keepingCapacity: due.count < 4_096)
        for one in due {
            if state(one.slot).pointee.flags.contains(.announced) { handler.closed(one.slot, one.why) }
            table.pointee.retire(one.slot)
        }
    }
}
