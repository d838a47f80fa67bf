internal import Glibc

/// The runs of one dirty entry, oldest first.
private struct RunWalk {
    private let entry: DirtyEntry
    private var older: UInt32
    private var isDone = false

    init(_ entry: DirtyEntry, _ outbox: Outbox) {
        self.entry = entry
        older = entry.tail == Outbox.none ? Outbox.none : outbox.runs[Int(entry.tail)].next
    }

    mutating func next(_ outbox: Outbox) -> (first: Int, end: Int)? {
        if older != Outbox.none {
            let run = outbox.runs[Int(older)]
            older = older == entry.tail ? Outbox.none : run.next
            return (Int(run.first), Int(run.end))
        }
        if isDone { return nil }
        isDone = true
        return (Int(entry.first), Int(entry.end))
    }
}

extension ConnectionTable {
    /// Flushes one entry of the turn: one send straight from the arena when its frames are one run, else gathered through the cork.
    @inline(__always)
    mutating func flush<Sink: ByteSink>(
        entry index: Int, _ outbox: Outbox, _ sink: inout Sink
    ) -> FlushOutcome {
        let entry = outbox.entries[index]
        let flags = self[entry.slot].flags
        let isCurrent = outbox.dirtyIndex[Int(entry.slot)] == UInt32(truncatingIfNeeded: index)
        guard isCurrent || flags.contains(.sealed) else { return .skipped }
        if isCurrent { outbox.mark(entry.slot, Outbox.clean) }
        statistics.flushedConnections &+= 1
        let outcome =
            flags.isDisjoint(with: [.backlogged, .secured])
            ? sendEntry(entry, outbox, &sink) : flushSlowly(entry, outbox, &sink)
        if outcome == .sent, flags.isDisjoint(with: [.sealed, .answered]) { return .done }
        return settle(entry.slot, outcome, outbox)
    }

    /// What follows when not all went out, or when the connection is ending or was answered.
    @inline(never)
    private mutating func settle(
        _ slot: UInt32, _ outcome: FlushOutcome, _ outbox: Outbox
    ) -> FlushOutcome {
        switch outcome {
        case .overflowed: overflow(slot, .connection, outbox)
        case .refused: overflow(slot, .backlogs, outbox)
        case .cut: overflow(slot, .backlogs, isCut: true, outbox)
        case .skipped, .done, .sent, .backlogged, .failed: break
        }
        if !self[slot].flags.isDisjoint(with: [.sealed, .answered]) { endOfTurn(slot, isLate: outbox.progress.isLate) }
        return outcome
    }

    /// The turn's frames are with the kernel or in the backlog, the answers among them too.
    /// - Parameter isLate: they waited for their slice, so whoever looked for the answers has not found them taken.
    private mutating func endOfTurn(_ slot: UInt32, isLate: Bool) {
        let wasAnswered = self[slot].flags.contains(.answered)
        self[slot].flags.remove([.sealed, .answered])
        self[slot].answerMark = self[slot].drained &+ UInt32(truncatingIfNeeded: self[slot].backlogCount)
        if wasAnswered, isLate, !self[slot].owesAnswers { caughtUp.append(slot) }
    }

    /// Sends the frames of a connection without a backlog. In line, with `sendRun`, because it is most of what a delivery costs.
    @inline(__always)
    mutating func sendEntry<Sink: ByteSink>(
        _ entry: DirtyEntry, _ outbox: Outbox, _ sink: inout Sink
    ) -> FlushOutcome {
        guard entry.tail == Outbox.none else { return sendRuns(entry, outbox, &sink) }
        return sendRun(entry, outbox.offsets[Int(entry.first)], outbox.offsets[Int(entry.end)], outbox, &sink)
    }

    @inline(__always)
    private mutating func sendRun<Sink: ByteSink>(
        _ entry: DirtyEntry, _ start: Int, _ end: Int, _ outbox: Outbox, _ sink: inout Sink
    ) -> FlushOutcome {
        let taken = sendOnce(entry.slot, outbox.arena + start, end - start, &sink)
        if taken == end - start { return .sent }
        guard taken >= 0 else { return .failed(CInt(truncatingIfNeeded: -taken)) }
        return keep(entry.slot, from: start + taken, to: end, run: (Int(entry.first), Int(entry.end)), outbox)
    }

    /// Bytes taken (EAGAIN: 0), or a negative errno.
    private mutating func sendOnce<Sink: ByteSink>(
        _ slot: UInt32, _ bytes: UnsafeRawPointer, _ count: Int, _ sink: inout Sink
    ) -> Int {
        let taken = sink.send(self[slot].descriptor, bytes, count)
        statistics.sends &+= 1
        if taken == count {
            statistics.bytesOut &+= UInt64(count)
            return count
        }
        if taken < 0 && taken != -Int(EAGAIN) { return taken }
        statistics.shortWrites &+= 1
        statistics.bytesOut &+= UInt64(max(0, taken))
        return max(0, taken)
    }

    /// Several runs. Small ones are copied into the cork and sent together; a run that would fill half of it goes out by itself.
    private mutating func sendRuns<Sink: ByteSink>(
        _ entry: DirtyEntry, _ outbox: Outbox, _ sink: inout Sink
    ) -> FlushOutcome {
        var sent = RunWalk(entry, outbox)  // the run that holds the first unsent byte
        var sentRun = sent.next(outbox)
        var sentOffset = 0  // within that run
        var gather = RunWalk(entry, outbox)
        var corked = 0
        var run = gather.next(outbox)
        while run != nil || corked > 0 {
            var pieceStart = UnsafeRawPointer(cork)
            var pieceCount = corked
            if let (first, end) = run {
                let start = outbox.offsets[first]
                let count = outbox.offsets[end] - start
                if count <= Self.corkBytes - corked && count < Self.corkBytes / 2 {
                    (cork + corked).copyMemory(from: outbox.arena + start, byteCount: count)
                    corked += count
                    run = gather.next(outbox)
                    continue
                }
                if corked == 0 {
                    (pieceStart, pieceCount) = (UnsafeRawPointer(outbox.arena + start), count)
                    run = gather.next(outbox)
                }
            }
            corked = 0
            let taken = sendOnce(entry.slot, pieceStart, pieceCount, &sink)
            guard taken >= 0 else { return .failed(CInt(truncatingIfNeeded: -taken)) }
            sentOffset += taken
            while let (first, end) = sentRun, sentOffset >= outbox.offsets[end] - outbox.offsets[first] {
                sentOffset -= outbox.offsets[end] - outbox.offsets[first]
                sentRun = sent.next(outbox)
            }
            if taken < pieceCount {
                return keepRuns(entry.slot, sentRun, sentOffset, &sent, outbox)
            }
        }
        return .sent
    }

    private mutating func keepRuns(
        _ slot: UInt32, _ firstRun: (first: Int, end: Int)?, _ offset: Int, _ walk: inout RunWalk,
        _ outbox: Outbox
    ) -> FlushOutcome {
        var skip = offset
        var run = firstRun
        while let (first, end) = run {
            let outcome = keep(
                slot, from: outbox.offsets[first] + skip, to: outbox.offsets[end], run: (first, end), outbox)
            guard outcome == .backlogged else { return outcome }
            skip = 0
            run = walk.next(outbox)
        }
        return .backlogged
    }

    /// Copies arena[from..<to], the end of a run, to the backlog; without memory for it only the rest of a message that has begun.
    @inline(never)
    private mutating func keep(
        _ slot: UInt32, from start: Int, to end: Int, run: (first: Int, end: Int), _ outbox: Outbox
    ) -> FlushOutcome {
        var frame = run.first  // the first frame that starts at or after `start`, by bisection
        var behind = run.end
        while frame < behind {
            let middle = (frame + behind) / 2
            if outbox.offsets[middle] < start { frame = middle + 1 } else { behind = middle }
        }
        let begun = outbox.offsets[frame] - start
        if appendBacklog(slot, outbox.arena + start, end - start, boundary: begun, outbox) == .made {
            return .backlogged
        }
        return appendBacklog(slot, outbox.arena + start, begun, boundary: begun, outbox) == .made ? .refused : .cut
    }

    /// The kernel was full: the frames join the backlog, or the connection overflows.
    ///
    /// The kernel is asked once more before memory is taken or the connection is given up, so that only what truly waits counts.
    @inline(never)
    mutating func queueBehindBacklog<Sink: ByteSink>(
        _ entry: DirtyEntry, _ outbox: Outbox, _ sink: inout Sink
    ) -> FlushOutcome {
        var total = 0
        var walk = RunWalk(entry, outbox)
        while let (first, end) = walk.next(outbox) { total += outbox.offsets[end] - outbox.offsets[first] }
        let needsRoom = Int(self[entry.slot].backlogEnd) + total > Int(self[entry.slot].backlogCapacity)
        if needsRoom || self[entry.slot].backlogCount > options.backlogBytesMax {
            switch drainBacklog(entry.slot, &sink) {
            case .sent: return sendEntry(entry, outbox, &sink)
            case .failed(let code): return .failed(code)
            case .backlogged, .skipped, .done, .overflowed, .refused, .cut: break
            }
        }
        // A finishing connection's last words (bounded by one turn) are taken: it ends by its linger time anyhow.
        if !self[entry.slot].flags.contains(.sealed), self[entry.slot].backlogCount > options.backlogBytesMax,
            self[entry.slot].backlogCount > sink.backlogAllowance(entry.slot)
        {
            return .overflowed
        }
        walk = RunWalk(entry, outbox)
        while let (first, end) = walk.next(outbox) {
            let start = outbox.offsets[first]
            let count = outbox.offsets[end] - start
            guard appendBacklog(entry.slot, outbox.arena + start, count, boundary: 0, outbox) == .made else {
                return .refused
            }
        }
        return .backlogged
    }
}
