internal import Glibc

/// Where bytes go: a socket, or in tests memory.
protocol ByteSink {
    /// As send(2) without blocking: bytes taken, or a negative errno.
    mutating func send(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int
}

/// What became of one connection's bytes.
enum FlushOutcome: Equatable {
    /// The slot's entry was void (closed meanwhile).
    case skipped
    /// Everything is with the kernel.
    case sent
    /// A backlog remains: ask for EPOLLOUT.
    case backlogged
    case overflowed
    /// The socket answered this errno.
    case failed(CInt)
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
    /// - Returns: false when memory (or the 4 GiB a backlog can address) is out; nothing is kept then.
    mutating func appendBacklog(_ slot: UInt32, _ bytes: UnsafeRawPointer, _ count: Int, boundary: Int) -> Bool {
        guard count > 0 else { return true }
        let state = states + Int(slot)
        if state.pointee.backlog == nil { state.pointee.backlogBoundary = UInt32(clamping: boundary) }
        guard reserveBacklog(state, more: count), let backlog = state.pointee.backlog else { return false }
        (backlog + Int(state.pointee.backlogEnd)).update(
            from: bytes.assumingMemoryBound(to: UInt8.self), count: count)
        state.pointee.backlogEnd += UInt32(count)
        statistics.backlogBytes += count
        return true
    }

    private func reserveBacklog(_ state: UnsafeMutablePointer<ConnectionState>, more: Int) -> Bool {
        let end = Int(state.pointee.backlogEnd)
        if end + more <= Int(state.pointee.backlogCapacity) { return true }
        let head = Int(state.pointee.backlogHead)
        if head >= end - head, let backlog = state.pointee.backlog {  // half or more was sent: slide instead of growing
            _ = advanceBoundary(state)
            memmove(backlog, backlog + head, end - head)
            state.pointee.backlogHead = 0
            state.pointee.backlogEnd = UInt32(end - head)
            if state.pointee.backlogBoundary != ConnectionState.noBoundary {
                state.pointee.backlogBoundary -= UInt32(head)
            }
            if end - head + more <= Int(state.pointee.backlogCapacity) { return true }
        }
        let needed = Int(state.pointee.backlogEnd) + more
        let wanted = max(4_096, needed, min(Int(state.pointee.backlogCapacity) * 2, needed + 1_048_576))
        guard wanted < UInt32.max, let grown = realloc(state.pointee.backlog, wanted) else { return false }
        state.pointee.backlog = grown.assumingMemoryBound(to: UInt8.self)
        state.pointee.backlogCapacity = UInt32(wanted)
        return true
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

    /// Drops every whole message of the backlog but the rest of the one the peer has begun to receive. A backlog that is not made of
    /// messages we can measure is kept whole: late is better than garbled.
    mutating func keepStartedMessage(_ slot: UInt32) {
        let state = states + Int(slot)
        guard state.pointee.backlog != nil, let boundary = advanceBoundary(state) else { return }
        statistics.backlogBytes -= Int(state.pointee.backlogEnd) - boundary
        state.pointee.backlogEnd = UInt32(boundary)
        if state.pointee.backlogCount == 0 { freeBacklog(slot) }
    }

    mutating func freeBacklog(_ slot: UInt32) {
        let state = states + Int(slot)
        guard let backlog = state.pointee.backlog else { return }
        statistics.backlogBytes -= state.pointee.backlogCount
        Glibc.free(backlog)
        state.pointee.backlog = nil
        state.pointee.backlogHead = 0
        state.pointee.backlogEnd = 0
        state.pointee.backlogCapacity = 0
        state.pointee.backlogBoundary = 0
    }
}
