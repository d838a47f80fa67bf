internal import CLinux
internal import Glibc

extension EventLoop {
    /// Sets how much unconsumed input the connection may have; above it, it is closed with `.overflow`.
    public func inputLimit(_ slot: UInt32, bytes: Int) {
        state(slot).pointee.inputBytesMax = UInt32(clamping: bytes)
    }

    /// Takes no more bytes from the socket, so that TCP slows the peer down. What is buffered stays.
    public func pauseReading(_ slot: UInt32) {
        state(slot).pointee.flags.insert(.readPaused)
        updateInterest(slot)
    }

    /// Ends a pause; buffered bytes are handed over again in the next turn.
    public func resumeReading(_ slot: UInt32) {
        guard state(slot).pointee.flags.contains(.readPaused) else { return }
        state(slot).pointee.flags.remove(.readPaused)
        updateInterest(slot)
        if state(slot).pointee.inputCount > 0 { replays.append((slot, state(slot).pointee.generation)) }
        if state(slot).pointee.flags.contains(.endSeen) { ended.append((slot, state(slot).pointee.generation)) }
    }

    /// One recv. New bytes land in the loop's shared buffer, or behind the connection's own when it holds unconsumed ones.
    func readable(_ slot: UInt32, _ mask: UInt32, _ handler: any LoopHandler) {
        let flags = state(slot).pointee.flags
        if flags.contains(.endSeen) || (flags.contains(.readPaused) && !flags.contains(.finishing)) {
            // Not asked for input, so this is EPOLLERR or EPOLLHUP, which cannot be masked.
            guard mask & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 else { return }
            // A local socket's peer that is gone hangs up too; the handler hears of the end in its turn.
            if mask & EPOLLERR.rawValue == 0, !flags.contains(.finishing), !ended.isEmpty { return }
            return failed(slot, clinux_socket_error(state(slot).pointee.descriptor))
        }
        if flags.contains(.finishing) { return discardInput(slot) }
        let isBuffered = state(slot).pointee.inputCount > 0
        var target = receiveBuffer
        var room = options.receiveBufferBytes
        if isBuffered {
            // The more a message has grown, the more is read at once; small leftovers do not claim big buffers.
            room = min(options.receiveBufferBytes, max(16_384, Int(state(slot).pointee.inputCount)))
            guard let (own, reserved) = roomBehindInput(slot, room, handler) else { return }
            (target, room) = (own, reserved)
        }
        let count = clinux_receive(state(slot).pointee.descriptor, target, room)
        table.pointee.statistics.receives &+= 1
        guard count > 0 else { return receivedNothing(slot, CInt(truncatingIfNeeded: -count)) }
        table.pointee.statistics.bytesIn &+= UInt64(count)
        if isBuffered {
            state(slot).pointee.inputCount += UInt32(count)
            table.pointee.statistics.inputBytes += count
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
        let count = Int(state(slot).pointee.inputCount)
        var room = wanted
        var outcome = table.pointee.reserveInput(slot, more: room)
        let spare = max(Int(state(slot).pointee.inputCapacity), options.inputGraceBytes) - count
        if outcome == .overBudget, spare > 0 {
            room = min(room, spare)
            outcome = table.pointee.reserveInput(slot, more: room)
        }
        guard outcome == .made, let own = state(slot).pointee.input else {
            refuseInput(slot, outcome, handler)
            return nil
        }
        return (own + count, room)
    }

    /// There is no room for a connection's input.
    private func refuseInput(_ slot: UInt32, _ outcome: ConnectionTable.Reservation, _ handler: any LoopHandler) {
        guard outcome == .overBudget else { return close(slot, .error(ENOMEM)) }
        options.inputBudget.countRefusal()
        handler.inputRefused(slot)
        guard state(slot).pointee.isOpen() else { return }
        guard state(slot).pointee.flags.contains(.finishing) else { return close(slot, .overflow) }
        table.pointee.freeInput(slot)
    }

    /// Tells the handler whose stream has ended, a bounded number in a turn: to end a session costs many times more than to notice
    /// that its peer left, and when thousands leave at once, those who come meanwhile would wait for all of them.
    func deliverEnds(_ handler: any LoopHandler) {
        guard !ended.isEmpty else { return }
        let until = min(ended.count, endedDone + options.endsPerTurn)
        while endedDone < until {
            let one = ended[endedDone]
            endedDone += 1
            guard isLive(one.slot, one.generation) else { continue }
            // Input of a paused connection may be left over: its end comes after that, when it is resumed.
            guard state(one.slot).pointee.flags.isDisjoint(with: [.finishing, .readPaused]) else { continue }
            handler.endOfStream(one.slot)
        }
        guard endedDone == ended.count else { return }
        ended.removeAll(keepingCapacity: ended.count < 4_096)
        endedDone = 0
    }

    private func receivedNothing(_ slot: UInt32, _ code: CInt) {
        switch code {
        case 0:
            state(slot).pointee.flags.insert(.endSeen)
            updateInterest(slot)
            ended.append((slot, state(slot).pointee.generation))
        case EAGAIN: return
        default: failed(slot, code)
        }
    }

    /// Hands a connection's own buffer over and slides the rest to its front.
    private func handOverBuffered(_ slot: UInt32, _ handler: any LoopHandler) {
        guard let input = state(slot).pointee.input else { return }
        let count = Int(state(slot).pointee.inputCount)
        let consumed = handler.received(slot, UnsafeMutableBufferPointer(start: input, count: count))
        precondition(consumed >= 0 && consumed <= count, "a handler consumed bytes that are not there")
        guard state(slot).pointee.isOpen() else { return }  // its memory is freed when `closed` is delivered
        if consumed == count || state(slot).pointee.flags.contains(.finishing) { return table.pointee.freeInput(slot) }
        if consumed > 0 {
            memmove(input, input + consumed, count - consumed)
            state(slot).pointee.inputCount -= UInt32(consumed)
            table.pointee.statistics.inputBytes -= consumed
        }
        table.pointee.shrinkInput(slot)
        if state(slot).pointee.inputCount > state(slot).pointee.inputBytesMax { close(slot, .overflow) }
    }

    /// Copies what the handler left of the shared buffer.
    private func keepInput(
        _ slot: UInt32, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ handler: any LoopHandler
    ) {
        guard count > 0, state(slot).pointee.isOpen(), !state(slot).pointee.flags.contains(.finishing) else { return }
        guard count <= state(slot).pointee.inputBytesMax else { return close(slot, .overflow) }
        let outcome = table.pointee.reserveInput(slot, more: count)
        guard outcome == .made, let own = state(slot).pointee.input else { return refuseInput(slot, outcome, handler) }
        own.update(from: bytes, count: count)
        state(slot).pointee.inputCount = UInt32(count)
        table.pointee.statistics.inputBytes += count
    }

    func replayInput(_ handler: any LoopHandler) {
        guard !replays.isEmpty else { return }
        let due = replays
        replays.removeAll(keepingCapacity: true)
        for one in due where isLive(one.slot, one.generation) {
            let flags = state(one.slot).pointee.flags
            if flags.isDisjoint(with: [.readPaused, .finishing]) { handOverBuffered(one.slot, handler) }
        }
    }

    /// A finishing connection is read so that its kernel buffer does not turn our close into a reset; the bytes mean nothing.
    /// A peer that goes on sending is cut off: after `finish`, `inputBytesMax` is what may still be read.
    private func discardInput(_ slot: UInt32) {
        table.pointee.freeInput(slot)
        let count = clinux_receive(state(slot).pointee.descriptor, receiveBuffer, options.receiveBufferBytes)
        if count > 0 {
            let left = Int(state(slot).pointee.inputBytesMax) - count
            state(slot).pointee.inputBytesMax = UInt32(max(0, left))
            if left <= 0 { close(slot, .local) }
            return
        }
        if count == -Int(EAGAIN) { return }
        if count < 0 { return failed(slot, CInt(truncatingIfNeeded: -count)) }
        state(slot).pointee.flags.insert(.endSeen)
        if state(slot).pointee.flags.contains(.shutDown) { close(slot, .local) } else { updateInterest(slot) }
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
