internal import CLinux
internal import Glibc

extension EventLoop {
    /// Sets how much unconsumed input the connection may have; above it, it is closed with `.overflow`.
    public func inputLimit(_ slot: UInt32, bytes: Int) {
        table[slot].inputBytesMax = UInt32(clamping: bytes)
    }

    /// Takes no more bytes from the socket, so that TCP slows the peer down. What is buffered stays.
    public func pauseReading(_ slot: UInt32) {
        table[slot].flags.insert(.readPaused)
        updateInterest(slot)
    }

    /// Ends a pause; buffered bytes are handed over again in the next turn.
    public func resumeReading(_ slot: UInt32) {
        guard table[slot].flags.contains(.readPaused) else { return }
        table[slot].flags.remove(.readPaused)
        updateInterest(slot)
        if table[slot].inputCount > 0 { due.replays.append(token(slot)) }
        if table[slot].flags.contains(.secured) { due.rereads.append(token(slot)) }
        if table[slot].flags.contains(.endSeen) { due.ended.append(token(slot)) }
    }

    /// One recv. New bytes land in the loop's shared buffer, or behind the connection's own when it holds unconsumed ones.
    func readable(_ slot: UInt32, _ mask: UInt32, _ handler: any LoopHandler) {
        let flags = table[slot].flags
        if flags.contains(.endSeen) || (flags.contains(.readPaused) && !flags.contains(.finishing)) {
            // Its first byte is here; or its layer cannot write before it is fed; or it was not asked for input, so this is EPOLLERR or
            // EPOLLHUP, which cannot be masked.
            if flags.contains(.undecided) { return decide(slot, handler) }
            if flags.contains(.secured), !flags.contains(.endSeen), feedPaused(slot, handler) { return }
            guard mask & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 else { return }
            // A local socket's peer that is gone hangs up too; the handler hears of the end in its turn.
            if mask & EPOLLERR.rawValue == 0, !flags.contains(.finishing), !due.ended.isEmpty { return }
            return failed(slot, clinux_socket_error(table[slot].descriptor))
        }
        if flags.contains(.finishing) { return discardInput(slot, handler) }
        let isBuffered = table[slot].inputCount > 0
        var target = receiveBuffer
        var room = table.options.receiveBufferBytes
        if isBuffered {
            // The more a message has grown, the more is read at once; small leftovers do not claim big buffers.
            room = min(table.options.receiveBufferBytes, max(16_384, Int(table[slot].inputCount)))
            guard let (own, reserved) = roomBehindInput(slot, room, handler) else { return }
            (target, room) = (own, reserved)
        }
        let count = receive(slot, target, room)
        if flags.contains(.secured) {
            // Of a socket that is gone the reason is told, and not that nothing can be sent any more.
            if count >= 0 || count == -Int(EAGAIN) || count == -Int(EPROTO) { settleSecured(slot, handler) }
            guard table[slot].isOpen(), establish(slot, count, handler) else { return }
        }
        guard count > 0 else { return receivedNothing(slot, CInt(truncatingIfNeeded: -count)) }
        table.statistics.bytesIn &+= UInt64(count)
        if isBuffered {
            table[slot].inputCount += UInt32(count)
            table.statistics.inputBytes += count
            handOverBuffered(slot, handler)
        } else {
            let consumed = handler.received(slot, UnsafeMutableBufferPointer(start: target, count: count))
            precondition(consumed >= 0 && consumed <= count, "a handler consumed bytes that are not there")
            keepInput(slot, target + consumed, count - consumed, handler)
        }
    }

    /// Where the next bytes of a connection with buffered input go; nil when there is no room and the connection has ended. When the
    /// process's budget is used up, a connection with little input is still read, in small pieces.
    private func roomBehindInput(
        _ slot: UInt32, _ wanted: Int, _ handler: any LoopHandler
    ) -> (target: UnsafeMutablePointer<UInt8>, room: Int)? {
        let count = Int(table[slot].inputCount)
        var room = wanted
        var outcome = table.reserveInput(slot, more: room)
        let spare = max(Int(table[slot].inputCapacity), table.options.inputGraceBytes) - count
        if outcome == .overBudget, spare > 0 {
            room = min(room, spare)
            outcome = table.reserveInput(slot, more: room)
        }
        guard outcome == .made, let own = table[slot].input else {
            refuseInput(slot, outcome, handler)
            return nil
        }
        return (own + count, room)
    }

    /// There is no room for a connection's input.
    private func refuseInput(_ slot: UInt32, _ outcome: ConnectionTable.Reservation, _ handler: any LoopHandler) {
        guard outcome == .overBudget else { return close(slot, .error(ENOMEM)) }
        table.options.inputBudget.countRefusal()
        handler.inputRefused(slot)
        guard table[slot].isOpen() else { return }
        guard table[slot].flags.contains(.finishing) else { return close(slot, .overflow) }
        table.freeInput(slot)
    }

    /// Tells the handler whose stream has ended, a bounded number in a turn: to end a session costs many times more than to notice
    /// that its peer left, and when thousands leave at once, those who come meanwhile would wait for all of them.
    func deliverEnds(_ handler: any LoopHandler) {
        for _ in 0..<min(due.ended.count, table.options.endsPerTurn) {
            guard let one = due.ended.popFirst(), isLive(one) else { continue }
            // Finished by its handler or cut off meanwhile, or paused: then it hears when it resumes.
            if table[one.slot].flags.isDisjoint(with: [.finishing, .readPaused]) { handler.endOfStream(one.slot) }
            if isLive(one) { updateInterest(one.slot) }
        }
    }

    /// As recv(2), through the connection's layer if it has one.
    @inline(__always)
    private func receive(_ slot: UInt32, _ target: UnsafeMutablePointer<UInt8>, _ room: Int) -> Int {
        table.statistics.receives &+= 1
        guard table[slot].flags.contains(.secured) else { return clinux_receive(table[slot].descriptor, target, room) }
        return receiveSecured(slot, UnsafeMutableRawBufferPointer(start: target, count: room))
    }

    private func receivedNothing(_ slot: UInt32, _ code: CInt) {
        switch code {
        case 0:
            table[slot].flags.insert(.endSeen)
            // Whoever is told in this turn is most often closed by it: epoll need not be asked for less before.
            if due.ended.count >= table.options.endsPerTurn { updateInterest(slot) }
            due.ended.append(token(slot))
        case EAGAIN: return
        default: failed(slot, code)
        }
    }

    /// Hands a connection's own buffer over and slides the rest to its front.
    private func handOverBuffered(_ slot: UInt32, _ handler: any LoopHandler) {
        guard let input = table[slot].input else { return }
        let count = Int(table[slot].inputCount)
        let consumed = handler.received(slot, UnsafeMutableBufferPointer(start: input, count: count))
        precondition(consumed >= 0 && consumed <= count, "a handler consumed bytes that are not there")
        guard table[slot].isOpen() else { return }  // its memory is freed when `closed` is delivered
        if consumed == count || table[slot].flags.contains(.finishing) { return table.freeInput(slot) }
        if consumed > 0 {
            memmove(input, input + consumed, count - consumed)
            table[slot].inputCount -= UInt32(consumed)
            table.statistics.inputBytes -= consumed
        }
        table.shrinkInput(slot)
        if table[slot].inputCount > table[slot].inputBytesMax { close(slot, .overflow) }
    }

    /// Copies what the handler left of the shared buffer.
    func keepInput(
        _ slot: UInt32, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ handler: any LoopHandler
    ) {
        guard count > 0, table[slot].isOpen(), !table[slot].flags.contains(.finishing) else { return }
        guard count <= table[slot].inputBytesMax else { return close(slot, .overflow) }
        let outcome = table.reserveInput(slot, more: count)
        guard outcome == .made, let own = table[slot].input else { return refuseInput(slot, outcome, handler) }
        own.update(from: bytes, count: count)
        table[slot].inputCount = UInt32(count)
        table.statistics.inputBytes += count
    }

    func replayInput(_ handler: any LoopHandler) {
        let replays = due.replays
        due.replays.removeAll(keepingCapacity: true)
        for (place, one) in replays.enumerated() where isLive(one) {
            if place % 8 == 7, isServedEnough {
                due.replays = replays[place...] + due.replays
                return
            }
            let isDue = table[one.slot].flags.isDisjoint(with: [.readPaused, .finishing])
            if isDue { handOverBuffered(one.slot, handler) }
        }
    }

    /// A finishing connection is read so that its kernel buffer does not turn our close into a reset; the bytes mean nothing.
    /// A peer that goes on sending is cut off: after `finish`, `inputBytesMax` is what may still be read.
    private func discardInput(_ slot: UInt32, _ handler: any LoopHandler) {
        table.freeInput(slot)
        let count = receive(slot, receiveBuffer, table.options.receiveBufferBytes)
        if table[slot].flags.contains(.secured) {
            settleSecured(slot, handler)
            guard table[slot].isOpen() else { return }
        }
        if count > 0 {
            let left = Int(table[slot].inputBytesMax) - count
            table[slot].inputBytesMax = UInt32(max(0, left))
            if left <= 0 { close(slot, .local) }
            return
        }
        if count == -Int(EAGAIN) { return }
        if count < 0 { return failed(slot, CInt(truncatingIfNeeded: -count)) }
        table[slot].flags.insert(.endSeen)
        if table[slot].flags.contains(.shutDown) { close(slot, .local) } else { updateInterest(slot) }
    }

    /// Closes for an errno of the socket.
    func failed(_ slot: UInt32, _ code: CInt) {
        switch code {
        case 0, EPIPE: close(slot, .peerClosed)
        case ECONNRESET: close(slot, .reset)
        case ETIMEDOUT: close(slot, .timeout)
        default: close(slot, .error(code))
        }
    }
}
