internal import Glibc

/// What a connection's layer adds to flushing and draining.
extension ConnectionTable {
    /// Gives a connection a layer, before anything was said.
    mutating func secure(_ slot: UInt32, _ transport: SecureTransport) {
        self[slot].transport = Unmanaged.passRetained(transport)
        self[slot].flags.insert(.secured)
    }

    func transport(_ slot: UInt32) -> SecureTransport? { self[slot].transport?.takeUnretainedValue() }

    mutating func releaseTransport(_ slot: UInt32) {
        guard let transport = self[slot].transport else { return }
        backlogs.release(recordBytes: transport.takeUnretainedValue().countedBytes)
        transport.release()
        self[slot].transport = nil
    }

    /// Whether something waits for the kernel to take it.
    func isBehind(_ slot: UInt32) -> Bool { self[slot].backlog != nil || transport(slot)?.hasOutgoing == true }

    /// Flushes an entry of a connection with a backlog or a layer.
    @inline(never)
    mutating func flushSlowly<Sink: ByteSink>(
        _ entry: DirtyEntry, _ outbox: Outbox, _ sink: inout Sink
    ) -> FlushOutcome {
        guard let transport = transport(entry.slot) else { return queueBehindBacklog(entry, outbox, &sink) }
        var secure = SecureSink(transport: transport, base: sink)
        let outcome =
            self[entry.slot].backlog != nil
            ? queueBehindBacklog(entry, outbox, &secure) : sendEntry(entry, outbox, &secure)
        sink = secure.base
        return settleRecords(entry.slot, transport, outcome)
    }

    /// Sends what waits for a connection, once. `.sent`: nothing is left.
    mutating func drain<Sink: ByteSink>(_ slot: UInt32, _ sink: inout Sink) -> FlushOutcome {
        guard let transport = transport(slot) else { return drainBacklog(slot, &sink) }
        var secure = SecureSink(transport: transport, base: sink)
        let code = secure.push(self[slot].descriptor)
        let outcome: FlushOutcome =
            switch code {
            case 0: drainBacklog(slot, &secure)
            case -Int(EAGAIN): .backlogged
            default: .failed(CInt(truncatingIfNeeded: -code))
            }
        sink = secure.base
        return settleRecords(slot, transport, outcome)
    }

    /// Counts the rest of the last record, whose plaintext has left the backlog; while there is one, not all is sent.
    private mutating func settleRecords(
        _ slot: UInt32, _ transport: SecureTransport, _ outcome: FlushOutcome
    ) -> FlushOutcome {
        let held = transport.layer.outgoingCount
        backlogs.count(recordBytes: held, instead: transport.countedBytes)
        transport.countedBytes = held
        return outcome == .sent && held > 0 ? .backlogged : outcome
    }
}
