internal import CLinux

/// The sink of production: send(2) with MSG_NOSIGNAL.
struct SocketSink: ByteSink {
    // SAFETY: whoever runs the loop holds it, and no sink outlives the turn that made it.
    unowned(unsafe) let handler: any LoopHandler

    func send(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        clinux_send(descriptor, bytes, count)
    }

    func backlogAllowance(_ slot: UInt32) -> Int { handler.backlogAllowance(slot) }
}

/// The same where nobody is asked what a connection may owe.
struct PlainSink: ByteSink {
    func send(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        clinux_send(descriptor, bytes, count)
    }

    func backlogAllowance(_ slot: UInt32) -> Int { 0 }
}

extension EventLoop {
    /// Entries flushed before it is looked how many bytes that were.
    private static let entriesPerLook = 32
    /// Entries, or bytes, after which it is looked at the clock.
    private static let (entriesPerClock, bytesPerClock) = (128, 512 << 10)
    /// Bytes after which a slice ends; to copy them takes about a millisecond.
    private static let sliceBytesMax = 4 << 20

    /// Whether `flushOutbox` has something to do.
    var mustFlush: Bool { outbox.frameCount > 0 || table.backlogs.ledger.isPressed || !table.overflowing.isEmpty }

    /// Sends the turn's frames, or a slice of them: what was queued since the last slice, then `sends` of those that wait, and when none
    /// are left forgets the arena. Then tells the handler who overflowed.
    func flushOutbox(_ handler: any LoopHandler, sends: Int) {
        if outbox.frameCount > 0 {
            var sink = SocketSink(handler: handler)
            if !outbox.isFlushing, outbox.entryCount <= min(sends, Self.entriesPerLook) {
                flush(0..<outbox.entryCount, &sink)
                outbox.reset()
            } else {
                flushSlice(sends: sends, &sink)
            }
        }
        if table.backlogs.ledger.isPressed { table.relievePressure(outbox) }
        if !table.overflowing.isEmpty { deliverOverflows(handler) }
    }

    @inline(never)
    private func flushSlice(sends: Int, _ sink: inout SocketSink) {
        let fresh = outbox.takeFresh()
        flush(fresh, &sink)
        let isWhole = sends == .max
        let slice = outbox.progress.beginSlice(
            entriesMax: isWhole ? .max : max(sends - fresh.count, table.options.sendsPerTurn / 4))
        flush(slice, bytesMax: isWhole ? .max : Self.sliceBytesMax, &sink)
        if !outbox.isFlushing { outbox.reset() }
    }

    /// Flushes entries of the bulk, until so many bytes have been copied or the turn is long.
    private func flush(_ slice: Range<Int>, bytesMax: Int, _ sink: inout SocketSink) {
        let start = copiedBytes
        var next = slice.lowerBound
        var (copied, clockEntry, clockBytes) = (start, next + Self.entriesPerClock, start + Self.bytesPerClock)
        while next < slice.upperBound, copied - start <= bytesMax {
            let until = min(slice.upperBound, next + Self.entriesPerLook)
            flush(next..<until, &sink)
            (next, copied) = (until, copiedBytes)
            guard next >= clockEntry || copied >= clockBytes else { continue }
            if bytesMax < .max, isLong { break }
            (clockEntry, clockBytes) = (next + Self.entriesPerClock, copied + Self.bytesPerClock)
        }
        outbox.progress.advance(to: next)
    }

    private var copiedBytes: Int { Int(truncatingIfNeeded: table.statistics.bytesOut) + table.statistics.backlogBytes }

    @inline(never)
    private func flush(_ entries: Range<Int>, _ sink: inout SocketSink) {
        for index in entries {
            switch table.flush(entry: index, outbox, &sink) {
            case .skipped, .done: continue
            case let outcome: settle(outbox.entries[index].slot, outcome)
            }
        }
    }

    @inline(__always)
    private func settle(_ slot: UInt32, _ outcome: FlushOutcome) {
        switch outcome {
        case .skipped, .done: return
        case .sent: if table[slot].flags.contains(.finishing) { allSent(slot) }
        case .backlogged, .overflowed, .refused, .cut: updateInterest(slot)
        case .failed(let code): failed(slot, code)
        }
    }

    /// EPOLLOUT: the kernel takes bytes again.
    func writable(_ slot: UInt32, _ handler: any LoopHandler) {
        var sink = SocketSink(handler: handler)
        switch table.drain(slot, &sink) {
        case .sent:
            updateInterest(slot)
            let isFinishing = table[slot].flags.contains(.finishing)
            if isFinishing && !table[slot].flags.contains(.sealed) { allSent(slot) }
        case .failed(let code): failed(slot, code)
        case .backlogged: if table[slot].flags.contains(.secured) { updateInterest(slot) }
        case .skipped, .done, .overflowed, .refused, .cut: return
        }
    }

    /// Input that is read and dropped while a connection finishes; a peer that sends more is cut off.
    private static let discardedBytesMax: UInt32 = 4 << 20

    /// Ends the connection in good order: what is queued goes out, then our FIN; input is read and dropped until the peer's FIN, or until
    /// the linger time (which counts from now and covers the flush) is over. Frames queued from now on are dropped, `timerFired` and
    /// `received` come no more, `closed` does.
    public func finish(_ slot: UInt32, lingerNanoseconds: UInt64) {
        guard table[slot].isOpen(), !table[slot].flags.contains(.finishing) else { return }
        let hasFrames = outbox.hasEntry(slot)
        let hasMore = hasFrames || table.isBehind(slot)
        let isOver = !hasMore && table[slot].flags.contains(.endSeen)
        if isOver && !table[slot].flags.contains(.secured) { return close(slot, .local) }
        outbox.mark(slot, Outbox.refusing)
        table[slot].flags.insert(hasFrames ? [.finishing, .sealed] : .finishing)
        table[slot].inputBytesMax = Self.discardedBytesMax
        arm(slot, after: lingerNanoseconds)
        updateInterest(slot)
        if !hasMore { allSent(slot) }
    }

    /// Ends an overflowed (or any) connection with a last message: the backlog is dropped but for the rest of the WebSocket frame the peer
    /// has begun to receive, this turn's frames are dropped, `bytes` are added, then as `finish`.
    public func finishWithFrame(
        _ slot: UInt32, _ bytes: UnsafeRawBufferPointer, lingerNanoseconds: UInt64 = 5_000_000_000
    ) {
        guard table[slot].isOpen() else { return }
        outbox.mark(slot, Outbox.refusing)
        table[slot].flags.remove(.sealed)
        table.keepStartedMessage(slot)
        if let base = bytes.baseAddress, !table[slot].flags.contains(.shutDown) {
            let room = table.appendBacklog(slot, base, bytes.count, boundary: 0, outbox)
            guard room == .made else { return close(slot, .error(ENOMEM)) }
        }
        if !table[slot].flags.contains(.finishing) {
            table[slot].flags.insert(.finishing)
            table[slot].inputBytesMax = Self.discardedBytesMax
            arm(slot, after: lingerNanoseconds)
        }
        updateInterest(slot)
        if !table.isBehind(slot) { allSent(slot) }
    }

    /// Everything of a finishing connection is with the kernel, but for its layer's goodbye.
    func allSent(_ slot: UInt32) {
        guard !table[slot].flags.contains(.shutDown) else { return }
        if table[slot].flags.contains(.secured), !sayGoodbye(slot) { return }
        // Nothing is unread after the peer's FIN, so that closing sends ours and no reset.
        if table[slot].flags.contains(.endSeen) { return close(slot, .local) }
        table[slot].flags.insert(.shutDown)
        _ = clinux_shutdown_write(table[slot].descriptor)
    }

    /// Asks epoll for what the connection's state needs, when that changed.
    func updateInterest(_ slot: UInt32) {
        let flags = table[slot].flags
        guard flags.contains(.open) else { return }
        var isReading = flags.contains(.announced) && (flags.contains(.finishing) || !flags.contains(.readPaused))
        var isWriting = table[slot].backlog != nil
        if let transport = table.transport(slot) {
            isReading = isReading || !flags.contains(.announced) || transport.awaitsInput
            isWriting = transport.hasOutgoing || isWriting && !transport.awaitsInput
        } else if flags.contains(.undecided) {
            isReading = !flags.contains(.waiting)
        }
        var wanted: UInt32 = 0
        if isReading && !flags.contains(.endSeen) { wanted |= EPOLLIN.rawValue }
        if isWriting { wanted |= EPOLLOUT.rawValue }
        guard wanted != table[slot].interest else { return }
        table[slot].interest = wanted
        let answer = epoll.modify(table[slot].descriptor, wanted, token(slot))
        if answer < 0 { close(slot, .error(-answer)) }
    }
}
