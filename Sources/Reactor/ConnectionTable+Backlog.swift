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
    /// Everything is with the kernel, and nothing follows: no answer was among it, and it is not the connection's last.
    case done
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
        guard let backlog = self[slot].backlog else { return .sent }
        let count = self[slot].backlogCount
        let taken = sink.send(self[slot].descriptor, backlog + Int(self[slot].backlogHead), count)
        statistics.sends &+= 1
        guard taken >= 0 else { return taken == -Int(EAGAIN) ? .backlogged : .failed(CInt(truncatingIfNeeded: -taken)) }
        statistics.bytesOut &+= UInt64(taken)
        let owedAnswers = self[slot].owesAnswers
        self[slot].drained &+= UInt32(truncatingIfNeeded: taken)
        if taken > 0 { self[slot].movedTick = tick }
        if owedAnswers, !self[slot].owesAnswers { caughtUp.append(slot) }
        if taken == count {
            freeBacklog(slot)
            return .sent
        }
        statistics.shortWrites &+= 1
        statistics.backlogBytes -= taken
        self[slot].backlogHead += UInt32(taken)
        return .backlogged
    }

    /// Copies unsent bytes. `boundary`: offset of the first message start within them, used when the backlog was empty.
    /// Nothing is kept unless room was made, for which those who owe most have to go (they are in `overflowing` then).
    mutating func appendBacklog(
        _ slot: UInt32, _ bytes: UnsafeRawPointer, _ count: Int, boundary: Int, _ outbox: Outbox
    ) -> BacklogRoom {
        guard count > 0 else { return .made }
        if self[slot].backlog == nil {
            self[slot].backlogBoundary = UInt32(clamping: boundary)
            self[slot].movedTick = tick
        }
        let room = reserveBacklog(slot, more: count, outbox)
        guard room == .made, let backlog = self[slot].backlog else { return room }
        (backlog + Int(self[slot].backlogEnd)).update(
            from: bytes.assumingMemoryBound(to: UInt8.self), count: count)
        self[slot].backlogEnd += UInt32(count)
        statistics.backlogBytes += count
        return .made
    }

    private mutating func reserveBacklog(
        _ slot: UInt32, more: Int, _ outbox: Outbox
    ) -> BacklogRoom {
        let end = Int(self[slot].backlogEnd)
        if end + more <= Int(self[slot].backlogCapacity) { return .made }
        // When half or more was sent, slide instead of growing.
        if self[slot].backlogCount <= Int(self[slot].backlogHead) {
            slideBacklog(slot)
            if Int(self[slot].backlogEnd) + more <= Int(self[slot].backlogCapacity) { return .made }
        }
        let needed = Int(self[slot].backlogEnd) + more
        let wanted = BacklogMemory.rounded(
            max(4_096, needed, min(Int(self[slot].backlogCapacity) * 2, needed + 1_048_576)))
        guard wanted < UInt32.max else { return .noMemory }
        while true {
            let room = resizeBacklog(slot, to: wanted)
            guard room == .refused else { return room }
            let grown = Offender(
                slot: slot, sizeClass: BacklogLedger.sizeClass(wanted), isStalled: isStalled(slot))
            guard let worst = worstOffender(except: slot), !grown.isWorse(than: worst) else { return .refused }
            overflow(worst.slot, .backlogs, outbox)
        }
    }

    /// Moves what is unsent to the front.
    private func slideBacklog(_ slot: UInt32) {
        guard let backlog = self[slot].backlog, self[slot].backlogHead > 0 else { return }
        _ = advanceBoundary(slot)
        let head = self[slot].backlogHead
        memmove(backlog, backlog + Int(head), self[slot].backlogCount)
        self[slot].backlogEnd -= head
        self[slot].backlogHead = 0
        if self[slot].backlogBoundary != ConnectionState.noBoundary { self[slot].backlogBoundary -= head }
    }

    private mutating func resizeBacklog(_ slot: UInt32, to wanted: Int) -> BacklogRoom {
        let old = Int(self[slot].backlogCapacity)
        guard backlogs.resize(slot, states, from: old, to: wanted) else { return .refused }
        let resized = BacklogMemory.resized(
            self[slot].backlog, from: old, to: wanted, used: Int(self[slot].backlogEnd))
        guard let resized else {
            _ = backlogs.resize(slot, states, from: wanted, to: old)
            return .noMemory
        }
        self[slot].backlog = resized
        self[slot].flags.insert(.backlogged)
        self[slot].backlogCapacity = UInt32(wanted)
        return .made
    }

    /// Walks the known message start forward until it is at or behind the head (bytes before the head are still there).
    /// - Returns: that offset; nil when the output is not a chain of messages whose ends can be told.
    private func advanceBoundary(_ slot: UInt32) -> Int? {
        guard let backlog = self[slot].backlog, self[slot].backlogBoundary != ConnectionState.noBoundary else {
            return nil
        }
        let end = Int(self[slot].backlogEnd)
        var at = Int(self[slot].backlogBoundary)
        while at < Int(self[slot].backlogHead) {
            let rest = UnsafeBufferPointer(start: UnsafePointer(backlog + at), count: end - at)
            guard let length = options.messageLength(rest), length > 0, length <= end - at else {
                self[slot].backlogBoundary = ConnectionState.noBoundary
                return nil
            }
            at += length
        }
        self[slot].backlogBoundary = UInt32(at)
        return at
    }

    /// Drops every whole message of the backlog but the rest of the one the peer has begun to receive, and gives their memory back. A
    /// backlog that is not made of messages we can measure is kept whole: late is better than garbled.
    /// - Returns: whether it could be measured.
    @discardableResult
    mutating func keepStartedMessage(_ slot: UInt32) -> Bool {
        guard self[slot].backlog != nil else { return true }
        guard let boundary = advanceBoundary(slot) else { return false }
        statistics.backlogBytes -= Int(self[slot].backlogEnd) - boundary
        self[slot].backlogEnd = UInt32(boundary)
        guard self[slot].backlogCount > 0 else {
            freeBacklog(slot)
            return true
        }
        slideBacklog(slot)
        // Room for the last words; a peer that does not read holds this until its linger time is over.
        let kept = BacklogMemory.rounded(self[slot].backlogCount + 512)
        if kept < Int(self[slot].backlogCapacity) { _ = resizeBacklog(slot, to: kept) }
        return true
    }

    mutating func freeBacklog(_ slot: UInt32) {
        guard let backlog = self[slot].backlog else { return }
        statistics.backlogBytes -= self[slot].backlogCount
        let capacity = Int(self[slot].backlogCapacity)
        _ = backlogs.resize(slot, states, from: capacity, to: 0)
        BacklogMemory.free(backlog, capacity: capacity)
        self[slot].backlog = nil
        self[slot].flags.remove(.backlogged)
        self[slot].backlogHead = 0
        self[slot].backlogEnd = 0
        self[slot].backlogCapacity = 0
        self[slot].backlogBoundary = 0
    }
}
