internal import CLinux

/// The sink of production: send(2) with MSG_NOSIGNAL.
struct SocketSink: ByteSink {
    let handler: any LoopHandler

    func send(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        clinux_send(descriptor, bytes, count)
    }

    func backlogAllowance(_ slot: UInt32) -> Int { handler.backlogAllowance(slot) }
}

extension EventLoop {
    /// Sends the turn's frames, forgets the arena, then tells the handler who overflowed.
    func flushOutbox(_ handler: any LoopHandler) {
        let turnBox = outbox.state
        if turnBox.pointee.entryCount > 0 || turnBox.pointee.frameCount > 0 {
            var sink = SocketSink(handler: handler)
            for index in 0..<turnBox.pointee.entryCount {
                let outcome = table.pointee.flush(entry: index, &turnBox.pointee, &sink)
                if outcome != .skipped { settle(turnBox.pointee.entries[index].slot, outcome) }
            }
            turnBox.pointee.reset()
        }
        if table.pointee.backlogs.ledger.isPressed { table.pointee.relievePressure(turnBox.pointee) }
        if !table.pointee.overflowing.isEmpty { deliverOverflows(handler) }
    }

    private func settle(_ slot: UInt32, _ outcome: FlushOutcome) {
        switch outcome {
        case .skipped: return
        case .sent: if state(slot).pointee.flags.contains(.finishing) { allSent(slot) }
        case .backlogged, .overflowed, .refused, .cut: updateInterest(slot)
        case .failed(let code): failed(slot, code)
        }
    }

    /// EPOLLOUT: the kernel takes bytes again.
    func writable(_ slot: UInt32, _ handler: any LoopHandler) {
        var sink = SocketSink(handler: handler)
        switch table.pointee.drainBacklog(slot, &sink) {
        case .sent:
            updateInterest(slot)
            let isFinishing = state(slot).pointee.flags.contains(.finishing)
            if isFinishing && !state(slot).pointee.flags.contains(.sealed) { allSent(slot) }
        case .failed(let code): failed(slot, code)
        case .skipped, .backlogged, .overflowed, .refused, .cut: return
        }
    }

    /// Input that is read and dropped while a connection finishes; a peer that sends more is cut off.
    private static let discardedBytesMax: UInt32 = 4 << 20

    /// Ends the connection in good order: what is queued goes out, then our FIN; input is read and dropped until the peer's FIN, or until
    /// the linger time (which counts from now and covers the flush) is over. Frames queued from now on are dropped, `timerFired` and
    /// `received` come no more, `closed` does.
    public func finish(_ slot: UInt32, lingerNanoseconds: UInt64) {
        guard state(slot).pointee.isOpen(), !state(slot).pointee.flags.contains(.finishing) else { return }
        let hasFrames = outbox.state.pointee.dirtyIndex[Int(slot)] < OutboxState.refusing
        let hasMore = hasFrames || state(slot).pointee.backlog != nil
        if !hasMore && state(slot).pointee.flags.contains(.endSeen) { return close(slot, .local) }
        outbox.state.pointee.mark(slot, OutboxState.refusing)
        state(slot).pointee.flags.insert(hasFrames ? [.finishing, .sealed] : .finishing)
        state(slot).pointee.inputBytesMax = Self.discardedBytesMax
        arm(slot, after: lingerNanoseconds)
        updateInterest(slot)
        if !hasMore { allSent(slot) }
    }

    /// Ends an overflowed (or any) connection with a last message: the backlog is dropped but for the rest of the WebSocket frame the peer
    /// has begun to receive, this turn's frames are dropped, `bytes` are added, then as `finish`.
    public func finishWithFrame(
        _ slot: UInt32, _ bytes: UnsafeRawBufferPointer, lingerNanoseconds: UInt64 = 5_000_000_000
    ) {
        guard state(slot).pointee.isOpen() else { return }
        outbox.state.pointee.mark(slot, OutboxState.refusing)
        state(slot).pointee.flags.remove(.sealed)
        table.pointee.keepStartedMessage(slot)
        if let base = bytes.baseAddress, !state(slot).pointee.flags.contains(.shutDown) {
            let room = table.pointee.appendBacklog(slot, base, bytes.count, boundary: 0, outbox.state.pointee)
            guard room == .made else { return close(slot, .error(ENOMEM)) }
        }
        if !state(slot).pointee.flags.contains(.finishing) {
            state(slot).pointee.flags.insert(.finishing)
            state(slot).pointee.inputBytesMax = Self.discardedBytesMax
            arm(slot, after: lingerNanoseconds)
        }
        updateInterest(slot)
        if state(slot).pointee.backlog == nil { allSent(slot) }
    }

    /// Everything of a finishing connection is with the kernel.
    func allSent(_ slot: UInt32) {
        guard !state(slot).pointee.flags.contains(.shutDown) else { return }
        // Nothing is unread after the peer's FIN, so that closing sends ours and no reset.
        if state(slot).pointee.flags.contains(.endSeen) { return close(slot, .local) }
        state(slot).pointee.flags.insert(.shutDown)
        _ = clinux_shutdown_write(state(slot).pointee.descriptor)
    }

    /// Asks epoll for what the connection's state needs, when that changed.
    func updateInterest(_ slot: UInt32) {
        let one = state(slot)
        let flags = one.pointee.flags
        guard flags.contains(.open) else { return }
        var wanted: UInt32 = 0
        let isReading = flags.contains(.finishing) || !flags.contains(.readPaused)
        if isReading && !flags.contains(.endSeen) && flags.contains(.announced) { wanted |= EPOLLIN.rawValue }
        if one.pointee.backlog != nil { wanted |= EPOLLOUT.rawValue }
        guard wanted != one.pointee.interest else { return }
        one.pointee.interest = wanted
        let token = EventToken(slot: slot, generation: one.pointee.generation)
        let answer = clinux_epoll_modify(epoll.raw, one.pointee.descriptor, wanted, token.packed)
        if answer < 0 { close(slot, .error(-answer)) }
    }
}
