internal import Glibc

/// Where bytes go: a socket, or in tests memory.
protocol ByteSink {
    /// As send(2) without blocking: bytes taken, or a negative errno.
    mutating func send(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int

    /// What the connection may owe; asked when it owes more than `LoopOptions.backlogBytesMax`.
    func backlogAllowance(_ slot: UInt32) -> Int
}

/// What became of one connection's bytes.
enum FlushOutcome: Equatable {
    /// The slot's entry was void (closed meanwhile).
    case skipped
    /// Everything is with the kernel.
    case sent
    /// A backlog remains: ask for EPOLLOUT.
    case backlogged
    /// It owes more than it may and has to go.
    case overflowed
    /// There is no memory for what it owes, and it has to go.
    case refused
    /// Nor for the rest of the message that it has begun to receive: it can be told nothing.
    case cut
    /// The socket answered this errno.
    case failed(CInt)
}

/// Whether there was memory for unsent bytes.
enum BacklogRoom: Equatable {
    case made
    /// The process's backlogs hold what they may, and nobody on this loop owes as much as this one would.
    case refused
    /// The machine has none, or the 4 GiB that one backlog can address are full.
    case noMemory
}

extension ConnectionTable {
    /// Sends a connection's backlog once. `.sent`: it is empty and freed.
    mutating func drainBacklog<Sink: ByteSink>(_ slot: UInt32, _ sink: inout Sink) -> FlushOutcome {
        let state = states + Int(slot)
        guard let backlog = state.pointee.backlog else { return .sent }
        let count = state.pointee.backlogCount
        let taken = sink.send(state.pointee.descriptor, backlog + Int(state.pointee.backlogHead), count)
        statistics.sends &+= 1
        guard taken >= 0 else { return taken == -Int(EAGAIN) ? .backlogged : .failed(CInt(truncatingIfNeeded: -taken)) }
        statistics.bytesOut &+= UInt64(taken)
        let owedAnswers = state.pointee.owesAnswers
        state.pointee.drained &+= UInt32(truncatingIfNeeded: taken)
        if taken > 0 { state.pointee.movedTick = tick }
        if owedAnswers, !state.pointee.owesAnswers { caughtUp.append(slot) }
        if taken == count {
            freeBacklog(slot)
            return .sent
        }
        statistics.shortWrites &+= 1
        statistics.backlogBytes -= taken
        state.pointee.backlogHead += UInt32(taken)
        return .backlogged
    }

    /// Copies unsent bytes. `boundary`: offset of the first message start within them, used when the backlog was empty.
    /// Nothing is kept unless room was made, for which those who owe most have to go (they are in `overflowing` then).
    mutating func appendBacklog(
        _ slot: UInt32, _ bytes: UnsafeRawPointer, _ count: Int, boundary: Int, _ outbox: borrowing OutboxState
    ) -> BacklogRoom {
        guard count > 0 else { return .made }
        let state = states + Int(slot)
        if state.pointee.backlog == nil {
            state.pointee.backlogBoundary = UInt32(clamping: boundary)
            state.pointee.movedTick = tick
        }
        let room = reserveBacklog(slot, more: count, outbox)
        guard room == .made, let backlog = state.pointee.backlog else { return room }
        (backlog + Int(state.pointee.backlogEnd)).update(
            from: bytes.assumingMemoryBound(to: UInt8.self), count: count)
        state.pointee.backlogEnd += UInt32(count)
        statistics.backlogBytes += count
        return .made
    }

    private mutating func reserveBacklog(
        _ slot: UInt32, more: Int, _ outbox: borrowing OutboxState
    ) -> BacklogRoom {
        let state = states + Int(slot)
        let end = Int(state.pointee.backlogEnd)
        if end + more <= Int(state.pointee.backlogCapacity) { return .made }
        // When half or more was sent, slide instead of growing.
        if state.pointee.backlogCount <= Int(state.pointee.backlogHead) {
            slideBacklog(state)
            if Int(state.pointee.backlogEnd) + more <= Int(state.pointee.backlogCapacity) { return .made }
        }
        let needed = Int(state.pointee.backlogEnd) + more
        let wanted = BacklogMemory.rounded(
            max(4_096, needed, min(Int(state.pointee.backlogCapacity) * 2, needed + 1_048_576)))
        guard wanted < UInt32.max else { return .noMemory }
        while true {
            let room = resizeBacklog(slot, to: wanted)
            guard room == .refused else { return room }
            let grown = Offender(
                slot: slot, sizeClass: BacklogLedger.sizeClass(wanted), isStalled: isStalled(slot))
            guard let worst = worstOffender(except: slot), !grown.isWorse(than: worst) else { return .refused }
            overflow(worst.slot, isOfProcess: true, outbox)
        }
    }

    /// Moves what is unsent to the front.
    private func slideBacklog(_ state: UnsafeMutablePointer<ConnectionState>) {
        guard let backlog = state.pointee.backlog, state.pointee.backlogHead > 0 else { return }
        _ = advanceBoundary(state)
        let head = state.pointee.backlogHead
        memmove(backlog, backlog + Int(head), state.pointee.backlogCount)
        state.pointee.backlogEnd -= head
        state.pointee.backlogHead = 0
        if state.pointee.backlogBoundary != ConnectionState.noBoundary { state.pointee.backlogBoundary -= head }
    }

    private mutating func resizeBacklog(_ slot: UInt32, to wanted: Int) -> BacklogRoom {
        let state = states + Int(slot)
        let old = Int(state.pointee.backlogCapacity)
        guard backlogs.resize(slot, states, from: old, to: wanted) else { return .refused }
        let resized = BacklogMemory.resized(
            state.pointee.backlog, from: old, to: wanted, used: Int(state.pointee.backlogEnd))
        guard let resized else {
            _ = backlogs.resize(slot, states, from: wanted, to: old)
            return .noMemory
        }
        state.pointee.backlog = resized
        state.pointee.backlogCapacity = UInt32(wanted)
        return .made
    }

    /// Walks the known message start forward until it is at or behind the head (bytes before the head are still there).
    /// - Returns: that offset; nil when the output is not a chain of messages whose ends can be told.
    private func advanceBoundary(_ state: UnsafeMutablePointer<ConnectionState>) -> Int? {
        guard let backlog = state.pointee.backlog, state.pointee.backlogBoundary != ConnectionState.noBoundary else {
            return nil
        }
        let end = Int(state.pointee.backlogEnd)
        var at = Int(state.pointee.backlogBoundary)
        while at < Int(state.pointee.backlogHead) {
            guard let length = FrameBoundary.length(backlog + at, end - at), at + length <= end else {
                state.pointee.backlogBoundary = ConnectionState.noBoundary
                return nil
            }
            at += length
        }
        state.pointee.backlogBoundary = UInt32(at)
        return at
    }

    /// Drops every whole message of the backlog but the rest of the one the peer has begun to receive, and gives their memory back. A
    /// backlog that is not made of messages we can measure is kept whole: late is better than garbled.
    /// - Returns: whether it could be measured.
    @discardableResult
    mutating func keepStartedMessage(_ slot: UInt32) -> Bool {
        let state = states + Int(slot)
        guard state.pointee.backlog != nil else { return true }
        guard let boundary = advanceBoundary(state) else { return false }
        statistics.backlogBytes -= Int(state.pointee.backlogEnd) - boundary
        state.pointee.backlogEnd = UInt32(boundary)
        guard state.pointee.backlogCount > 0 else {
            freeBacklog(slot)
            return true
        }
        slideBacklog(state)
        // Room for the last words; a peer that does not read holds this until its linger time is over.
        let kept = BacklogMemory.rounded(state.pointee.backlogCount + 512)
        if kept < Int(state.pointee.backlogCapacity) { _ = resizeBacklog(slot, to: kept) }
        return true
    }

    mutating func freeBacklog(_ slot: UInt32) {
        let state = states + Int(slot)
        guard let backlog = state.pointee.backlog else { return }
        statistics.backlogBytes -= state.pointee.backlogCount
        let capacity = Int(state.pointee.backlogCapacity)
        _ = backlogs.resize(slot, states, from: capacity, to: 0)
        BacklogMemory.free(backlog, capacity: capacity)
        state.pointee.backlog = nil
        state.pointee.backlogHead = 0
        state.pointee.backlogEnd = 0
        state.pointee.backlogCapacity = 0
        state.pointee.backlogBoundary = 0
    }
}
