internal import CLinux
internal import Glibc

/// Connections that begin with a preamble: until it is whole they are `undecided`, as those are whose first byte is awaited.
extension EventLoop {
    /// The deadline counts from now, also for the first byte and the handshake that may follow.
    func awaitPreamble(_ slot: UInt32, listener index: Int) {
        awaitFirstByte(slot, listener: index)
        table[slot].flags.insert(.prefaced)
    }

    /// Part of the preamble is here, or the end.
    ///
    /// The bytes are looked at before they are taken, so that what follows stays in the socket, for whoever reads it then. Those of a preamble
    /// that is not whole are taken and kept: left in the socket, they would be told of again and again.
    @inline(never)
    func readPreamble(_ slot: UInt32, _ handler: any LoopHandler) {
        let listener = acceptor.listeners[Int(table[slot].listener)]
        guard let preamble = listener.preamble else { preconditionFailure("a preamble that nobody reads") }
        let held = Int(table[slot].inputCount)
        if let input = table[slot].input { receiveBuffer.update(from: input, count: held) }
        let count = clinux_peek(table[slot].descriptor, receiveBuffer + held, preamble.bytesMax - held)
        table.statistics.receives &+= 1
        guard count > 0 else {
            switch count {
            case -Int(EAGAIN): return
            // Somebody looked whether we are there, as balancers do.
            case 0 where held == 0: return close(slot, .peerClosed)
            default: return failPreamble(slot, .gone, handler)
            }
        }
        switch preamble.read(UnsafeRawBufferPointer(start: receiveBuffer, count: held + count)) {
        case .needsMore:
            precondition(held + count < preamble.bytesMax, "a preamble that never ends")
            keepPreamble(slot, held, count)
        case .whole(let bytes, let peer, let isSecured):
            precondition(bytes > held && bytes <= held + count, "a preamble of bytes that are not there")
            guard takePeeked(slot, held, bytes - held) else { return }
            table.freeInput(slot)
            table[slot].flags.remove(.prefaced)
            if isSecured { table[slot].flags.insert(.vouched) }
            table.statistics.preambles &+= 1
            told.note(peer, slot)
            begin(slot, listener, handler)
        case .refused(let text): failPreamble(slot, .refused(text), handler)
        }
    }

    /// What comes now is the connection's own.
    private func begin(_ slot: UInt32, _ listener: Acceptor.Listening, _ handler: any LoopHandler) {
        guard listener.makeLayer == nil else { return decide(slot, handler) }
        guard announcePlain(slot, listener, handler) else { return }
        readable(slot, EPOLLIN.rawValue, handler)
    }

    private func keepPreamble(_ slot: UInt32, _ held: Int, _ count: Int) {
        guard takePeeked(slot, held, count) else { return }
        // It fits into what a connection may have although the budget is used up; without memory it ends.
        guard table.reserveInput(slot, more: count) == .made, let own = table[slot].input else {
            return close(slot, .error(ENOMEM))
        }
        (own + held).update(from: receiveBuffer + held, count: count)
        table[slot].inputCount += UInt32(count)
        table.statistics.inputBytes += count
    }

    /// Takes bytes that were looked at.
    private func takePeeked(_ slot: UInt32, _ held: Int, _ count: Int) -> Bool {
        guard clinux_receive(table[slot].descriptor, receiveBuffer + held, count) == count else {
            close(slot, .reset)
            return false
        }
        table.statistics.bytesIn &+= UInt64(count)
        return true
    }

    func failPreamble(_ slot: UInt32, _ why: PreambleFailure, _ handler: any LoopHandler) {
        let peer = peerAddress(slot)
        let tag = acceptor.listeners[Int(table[slot].listener)].tag
        close(slot, .local)
        handler.preambleFailed(why, peer: peer, listener: tag)
    }
}
