internal import BrokerCore
internal import Glibc
internal import Reactor
internal import Telemetry

extension SpoolWriter {
    /// So many files are always all right.
    static let segmentsMax = 64

    // MARK: Segments

    /// Begins a segment: who is how far comes first, so that those before it may go.
    func begin() throws(SpoolFault) {
        let number = nextSegment
        let name = SpoolFormat.name(of: number)
        ledger.forgetCursors(below: min(segments.map(\.firstNumber).min() ?? .max, ledger.lowestNumber ?? .max))
        let head = head(of: number)
        let file: CInt
        do throws(IOError) {
            file = try disk.create(name)
        } catch {
            guard error.code != EEXIST else {
                nextSegment += 1  // one that could be neither written nor removed
                return try begin()
            }
            throw SpoolFault(.write, error)
        }
        do throws(SpoolFault) {
            try write(head, to: file)
            try force { () throws(IOError) in
                try disk.sync(file)
                try disk.syncDirectory()
            }
        } catch {
            disk.close(file)
            try? disk.remove(name)
            throw error
        }
        nextSegment += 1
        let headBytes = UInt64(head.count)
        segments.append(SpoolSegment(number: number, name: name, bytes: headBytes, headBytes: headBytes))
        current = Current(file: file, number: number)
        mayBeTooMany = true
    }

    private func head(of number: UInt64) -> [UInt8] {
        var bytes = SpoolHeader.bytes(of: number)
        var rest = ledger.cursors.map { SpoolCursor(endpoint: $0.key, through: $0.value) }[...]
        repeat {
            let record = SpoolRecord.checkpoint(next: ledger.nextNumber, Array(rest.prefix(SpoolRecord.cursorsMax)))
            let isWritten = record.append(to: &bytes, segment: number)
            precondition(isWritten, "so many cursors are a record")
            rest = rest.dropFirst(SpoolRecord.cursorsMax)
        } while !rest.isEmpty
        return bytes
    }

    private func write(_ bytes: [UInt8], to file: CInt) throws(SpoolFault) {
        var done = 0
        while done < bytes.count {
            do throws(IOError) {
                let answer = bytes.withUnsafeBytes { bytes in
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                    return Result { () throws(IOError) in try disk.write(file, rest, at: UInt64(done)) }
                }
                let count = try answer.get()
                guard count > 0 else { throw IOError(call: "write", code: SpoolFault.noSpace) }
                done += count
            } catch {
                throw SpoolFault(.write, error)
            }
        }
    }

    /// What was written is on the disk when it returns.
    func sync() throws(SpoolFault) {
        guard let current, syncDue != nil else { return }
        let start = MonotonicTime.now()
        try force { () throws(IOError) in try disk.sync(current.file) }
        facts.syncs.add(nanoseconds: MonotonicTime.now().nanosecondsSince(start))
        (unsynced, syncDue) = ([], nil)
    }

    private func force(_ body: () throws(IOError) -> Void) throws(SpoolFault) {
        do throws(IOError) { try body() } catch { throw SpoolFault(.sync, error) }
    }

    func close() {
        if let current { disk.close(current.file) }
        current = nil
    }

    // MARK: What may go

    /// Segments go from the oldest on: when nothing in them lives, or when they are too many or too large.
    func clean() throws(SpoolFault) {
        guard !hasRequeued || unwritten.isEmpty else { return }
        hasRequeued = false
        var isRemoved = false
        while let oldest = segments.first, oldest.number != current?.number {
            guard ledger.use(of: oldest.number).count > 0 else {
                try sync()  // what ended it, and what of it was written again, is on the disk before it goes
                do throws(IOError) { try disk.remove(oldest.name) } catch  where error.code != ENOENT {
                    throw SpoolFault(.write, error)
                } catch {}
                segments.removeFirst()
                (isRemoved, mayBeTooMany) = (true, true)
                continue
            }
            guard mayBeTooMany, rewriting != oldest.number, rewritesLeft > 0 else { break }
            switch fate(of: oldest) {
            case .keep: mayBeTooMany = false
            case .rewrite: rewrite(oldest)
            case .drop: drop(oldest)
            }
            if rewriting == oldest.number || !mayBeTooMany { break }
        }
        if isRemoved { try force { () throws(IOError) in try disk.syncDirectory() } }
    }

    private enum Fate { case keep, rewrite, drop }

    /// Writing again what lives costs no more than half of what it frees, or it makes one of many small files. Where cursors alone fill much
    /// of a segment it would free nothing, for each new one begins with them.
    private func fate(of oldest: SpoolSegment) -> Fate {
        let isWorthIt = (segments.last?.headBytes ?? 0) * 8 < UInt64(options.segmentBytes)
        let use = ledger.use(of: oldest.number)
        if segments.reduce(0, { $0 + Int($1.bytes) }) > options.bytesMax - options.segmentBytes {
            return isWorthIt && use.bytes * 2 <= Int(oldest.bytes) ? .rewrite : .drop
        }
        var (living, dead) = (0, 0)
        for segment in segments where segment.number != current?.number {
            let bytes = ledger.use(of: segment.number).bytes
            living += bytes
            dead += max(0, Int(segment.bytes) - Int(segment.headBytes) - bytes)
        }
        return isWorthIt && (dead > 2 * living || segments.count > Self.segmentsMax) ? .rewrite : .keep
    }

    private func rewrite(_ segment: SpoolSegment) {
        for ticket in ledger.tickets(in: segment.number) { unwritten.append(.event(ticket)) }
        rewriteLetters(of: segment)
    }

    private func rewriteLetters(of segment: SpoolSegment) {
        for key in ledger.letters.keys(in: segment.number) { unwritten.append(.letter(key)) }
        rewriting = segment.number
        rewritesLeft -= 1
    }

    /// Its events are in memory only from now on; dead letters have a bound of their own and stay.
    private func drop(_ segment: SpoolSegment) {
        let tickets = ledger.tickets(in: segment.number)
        for ticket in tickets { ledger.place(ticket, .nowhere) }
        facts.eventsDropped += UInt64(tickets.count)
        rewriteLetters(of: segment)
        guard !tickets.isEmpty else { return }
        Log.logOncePer(
            seconds: 60, .warning, "the webhook spool is full: its oldest events are in memory only",
            ("events", tickets.count))
    }

    // MARK: What fails

    /// - Returns: whether it is worth another try at once.
    func fail(_ fault: SpoolFault, _ now: UInt64) -> Bool {
        note(fault)
        if fault.isRemoval {
            beginAnew()
        } else if fault.isShortage {
            do throws(SpoolFault) {
                try sync()
                // One that has nothing yet stays, or there would be one more each second.
                if fault.isFileLimit, segments.last?.firstNumber != .max { close() }
            } catch {
                note(error)
                giveUp()
            }
        } else {
            giveUp()
        }
        // A disk that lost something may have the next segment whole, and a file that may not grow is not the last one; full is full.
        if fault.stage == .sync || fault.isFileLimit, !facts.isFailing {
            facts.isFailing = true
            return true
        }
        facts.isFailing = true
        retryDue = now + SpoolOptions.retryNanoseconds
        Log.logOncePer(
            seconds: 60, .warning, "webhook events are in memory only: the disk does not take them",
            ("reason", fault.error.description))
        return false
    }

    private func note(_ fault: SpoolFault) {
        if fault.stage == .sync { facts.syncErrors += 1 } else { facts.writeErrors += 1 }
        facts.lastError = fault.error.description
    }

    /// What the disk says of this segment is not believed any more, not even that it now has it all.
    private func giveUp() {
        close()
        requeueUnsynced()
    }

    /// The files are gone: all that lives is to be written again.
    private func beginAnew() {
        giveUp()
        var again: [Item] = []
        for segment in segments {
            for ticket in ledger.tickets(in: segment.number) {
                ledger.place(ticket, .nowhere)
                again.append(.event(ticket))
            }
            for key in ledger.letters.keys(in: segment.number) {
                ledger.place(key, .nowhere)
                again.append(.letter(key))
            }
        }
        unwritten.putBack(again)
        (segments, rewriting) = ([], 0)
        Log.warning("the files of the webhook spool were removed, and are written anew", ("events", ledger.count))
    }

    /// All is on the disk, or on its way.
    func recovered() {
        guard facts.isFailing else { return }
        facts.isFailing = false
        guard retryDue != nil else { return }
        retryDue = nil
        Log.info("webhook events are kept on the disk again", ("events", ledger.count))
    }

    func tellFacts() {
        facts.bytes = segments.reduce(0) { $0 + Int($1.bytes) }
        facts.segments = segments.count
        facts.notDurable = ledger.nowhereCount
        facts.deadLetters = ledger.letters.count
    }
}
