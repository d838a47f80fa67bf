internal import CLinux
internal import Glibc

/// What the loop does for a connection whose bytes pass a layer: the handshake, reading records, the goodbye.
extension EventLoop {
    /// Such recvs in a turn.
    private static let receivesMax = 4

    /// Begins the handshake of an adopted connection, in which the peer has `LoopOptions.handshakeMilliseconds`; `opened` comes after it.
    func beginHandshake(_ slot: UInt32, _ handler: any LoopHandler) {
        arm(slot, after: UInt64(table.options.handshakeMilliseconds) * 1_000_000)
        // A client speaks first.
        readable(slot, EPOLLIN.rawValue, handler)
        if table[slot].isOpen() { updateInterest(slot) }
    }

    /// Tells the handler of a connection when its handshake is done.
    /// - Returns: whether what was read is the handler's.
    func establish(_ slot: UInt32, _ count: Int, _ handler: any LoopHandler) -> Bool {
        guard !table[slot].flags.contains(.announced) else { return true }
        guard let transport = table.transport(slot), transport.layer.isEstablished else {
            guard count != -Int(EAGAIN) else { return false }
            let isBroken = table.transport(slot)?.layer.hasFailed == true || count == -Int(EPROTO)
            giveUp(slot, isBroken ? .broken : .gone, handler, code: CInt(truncatingIfNeeded: -min(0, count)))
            return false
        }
        table[slot].flags.insert(.announced)
        table[slot].deadlineTick = 0
        table.statistics.handshakes &+= 1
        table.statistics.secured += 1
        handshakes.end(slot, .done, now: now)
        updateInterest(slot)
        guard let origin = transport.takeOrigin() else { preconditionFailure("a handshake is over once") }
        handler.opened(slot, peer: origin.peer, listener: origin.listener)
        let flags = table[slot].flags
        guard flags.contains(.open), flags.isDisjoint(with: [.readPaused, .finishing]) else {
            // What came behind the handshake waits in the input, as it would have in the kernel.
            if flags.contains(.open), flags.contains(.readPaused) { keepInput(slot, receiveBuffer, count, handler) }
            return false
        }
        return true
    }

    /// As recv(2), of plaintext. What the layer holds is opened first; then the socket is asked, a bounded number of times.
    func receiveSecured(_ slot: UInt32, _ target: UnsafeMutableRawBufferPointer) -> Int {
        guard let transport = table.transport(slot) else { return -Int(EPROTO) }
        var (count, receives) = (0, 0)
        // Of one that rests nothing can be opened before the socket is asked.
        if transport.layer.isEstablished, !transport.mayHoldMore, transport.layer.incomingCount == 0 {
            let answer = feed(slot, transport)
            receives = answer == Self.recordRoom ? 1 : Self.receivesMax
            guard answer > 0 else { return answer }
        }
        transport.mayHoldMore = false
        while count < target.count {
            switch transport.layer.open(into: UnsafeMutableRawBufferPointer(rebasing: target[count...])) {
            case .bytes(let opened):
                let isLegal = opened > 0 && opened <= target.count - count
                precondition(isLegal, "a layer opened nothing, or more than there was room for")
                count += opened
                continue
            case .needsInput:
                // What is left in the socket is told of again, and so is an end or an error.
                guard receives < Self.receivesMax else { return count > 0 ? count : -Int(EAGAIN) }
                let answer = feed(slot, transport)
                receives = answer == Self.recordRoom ? receives + 1 : Self.receivesMax
                if answer > 0 { continue }
                return count > 0 ? count : answer
            case .ended:
                if count > 0 { break }
                return 0
            case .failed:
                return -Int(EPROTO)
            }
            break
        }
        // The socket does not tell of what is left in the layer, nor of an end that was opened.
        transport.mayHoldMore = true
        if count > 0 { due.rereads.append(token(slot)) }
        return count > 0 ? count : -Int(EAGAIN)
    }

    /// One recv for the layer.
    private func feed(_ slot: UInt32, _ transport: SecureTransport) -> Int {
        // Nothing is gathered for sending while something is read.
        let count = clinux_receive(table[slot].descriptor, table.cork, Self.recordRoom)
        guard count > 0 else { return count }
        transport.layer.feed(UnsafeRawBufferPointer(start: table.cork, count: count))
        transport.awaitsInput = false
        return count
    }

    /// Reads on where the layer may hold more than one buffer's worth, or an end.
    @inline(never)
    func rereadSecured(_ handler: any LoopHandler) {
        let rereads = due.rereads
        due.rereads.removeAll(keepingCapacity: true)
        for one in rereads where isLive(one) {
            let flags = table[one.slot].flags
            if flags.contains(.finishing) || !flags.contains(.readPaused) {
                readable(one.slot, EPOLLIN.rawValue, handler)
            }
        }
    }

    /// A paused connection is read for its layer's sake only while that cannot write before it is fed. What it is fed stays in it.
    /// - Returns: whether the event is dealt with.
    func feedPaused(_ slot: UInt32, _ handler: any LoopHandler) -> Bool {
        guard let transport = table.transport(slot), transport.awaitsInput else { return false }
        let count = feed(slot, transport)
        transport.mayHoldMore = true
        if count > 0 {
            if transport.layer.incomingCount > Int(table[slot].inputBytesMax) { close(slot, .overflow) }
            settleSecured(slot, handler)
        } else if count == 0 {
            // It can never be written to again.
            close(slot, .peerClosed)
        } else if count != -Int(EAGAIN) {
            failed(slot, CInt(truncatingIfNeeded: -count))
        }
        return true
    }

    /// After reading: sends what reading made, and what could not be sealed before.
    func settleSecured(_ slot: UInt32, _ handler: any LoopHandler) {
        guard table[slot].isOpen() else { return }
        if table.isBehind(slot) { writable(slot, handler) }
    }

    /// Says that no more will come.
    /// - Returns: whether that is with the kernel; else it is tried again when the socket takes bytes.
    func sayGoodbye(_ slot: UInt32) -> Bool {
        guard let transport = table.transport(slot) else { return true }
        if !transport.hasSaidGoodbye {
            transport.hasSaidGoodbye = true
            if transport.layer.isEstablished { transport.layer.sayGoodbye() }
        }
        guard transport.hasOutgoing else { return true }
        var sink = PlainSink()
        switch table.drain(slot, &sink) {
        case .failed(let code):
            failed(slot, code)
            return false
        case .sent: return true
        default:
            updateInterest(slot)
            return false
        }
    }
}
