internal import CLinux
internal import Glibc

/// A connection that was accepted on a listener with a layer, from its first byte to `opened`: its first byte tells whether it has one.
extension EventLoop {
    /// What one recv asks for: a record of TLS and a little, so that a layer never holds much that is not opened.
    static let recordRoom = 17 * 1_024

    /// Waits for the first byte; the handshake's deadline counts from now.
    func awaitFirstByte(_ slot: UInt32, listener index: Int) {
        table[slot].listener = UInt16(truncatingIfNeeded: index)
        table[slot].acceptNumber = handshakes.nextNumber()
        // Paused, so that the first event takes the way aside, and nobody else pays for it.
        table[slot].flags.formUnion([.undecided, .readPaused])
        arm(slot, after: UInt64(table.options.handshakeMilliseconds) * 1_000_000)
    }

    /// The first byte is here, or the end.
    @inline(never)
    func decide(_ slot: UInt32, _ handler: any LoopHandler) {
        // Whoever waits for a place is not asked for input: this is its end.
        guard !table[slot].flags.contains(.waiting) else { return giveUp(slot, .gone, handler) }
        let listener = acceptor.listeners[Int(table[slot].listener)]
        let isLate = handshakes.isExhausted(turn: table.statistics.turns)
        if isLate || !makePlace(handler) {
            let first = clinux_peek_byte(table[slot].descriptor)
            if first >= 0, listener.isLayered(firstByte: UInt8(truncatingIfNeeded: first)) {
                return isLate ? () : wait(slot)
            }
        }
        let count = clinux_receive(table[slot].descriptor, receiveBuffer, Self.recordRoom)
        table.statistics.receives &+= 1
        guard count > 0 else {
            // Somebody looked whether we are there, as balancers do.
            if count != -Int(EAGAIN) { close(slot, .peerClosed) }
            return
        }
        if listener.isLayered(firstByte: receiveBuffer[0]) {
            beginHandshake(slot, listener, count, handler)
        } else {
            openPlain(slot, listener, count, handler)
        }
    }

    /// From now on it is as any plain connection.
    private func openPlain(
        _ slot: UInt32, _ listener: Acceptor.Listening, _ count: Int, _ handler: any LoopHandler
    ) {
        table[slot].flags.subtract([.undecided, .readPaused])
        table[slot].flags.insert(.announced)
        table[slot].acceptNumber = 0
        table[slot].deadlineTick = 0
        table.statistics.bytesIn &+= UInt64(count)
        handler.opened(slot, peer: peerAddress(slot), listener: listener.tag)
        let flags = table[slot].flags
        guard flags.contains(.open), !flags.contains(.finishing) else { return }
        guard !flags.contains(.readPaused) else { return keepInput(slot, receiveBuffer, count, handler) }
        let consumed = handler.received(slot, UnsafeMutableBufferPointer(start: receiveBuffer, count: count))
        precondition(consumed >= 0 && consumed <= count, "a handler consumed bytes that are not there")
        keepInput(slot, receiveBuffer + consumed, count - consumed, handler)
    }

    private func beginHandshake(
        _ slot: UInt32, _ listener: Acceptor.Listening, _ count: Int, _ handler: any LoopHandler
    ) {
        guard let layer = listener.makeLayer?() else { return close(slot, .error(ENOMEM)) }
        table[slot].acceptNumber = 0
        table[slot].flags.subtract([.undecided, .readPaused])
        table.secure(slot, SecureTransport(layer, peer: peerAddress(slot), listener: listener.tag))
        handshakes.begin(token(slot), now: now)
        layer.feed(UnsafeRawBufferPointer(start: receiveBuffer, count: count))
        readable(slot, EPOLLIN.rawValue, handler)
        if table[slot].isOpen() { updateInterest(slot) }
    }

    private func peerAddress(_ slot: UInt32) -> PeerAddress {
        var address = clinux_address()
        _ = clinux_peer_address(table[slot].descriptor, &address)
        return PeerAddress(address)
    }

    // MARK: Places

    /// Whether there is a place, if need be that of one who has stalled.
    private func makePlace(_ handler: any LoopHandler) -> Bool {
        if handshakes.hasPlace { return true }
        guard let stalled = handshakes.stalled(now: now) else { return false }
        giveUp(stalled.slot, .stalled, handler)
        return handshakes.hasPlace
    }

    private func wait(_ slot: UInt32) {
        table[slot].flags.insert(.waiting)
        handshakes.wait(token(slot), number: table[slot].acceptNumber)
        updateInterest(slot)
    }

    /// A place is free: the next of those who wait is read.
    private func resumeWaiting() {
        while let next = handshakes.popWaiting() {
            guard isLive(next), table[next.slot].flags.contains(.waiting) else { continue }
            table[next.slot].flags.remove(.waiting)
            updateInterest(next.slot)
            return
        }
    }

    /// Once a tick, while some wait: places of those who have stalled go on.
    func renewPlaces(_ handler: any LoopHandler) {
        handshakes.prune { isLive($0) && table[$0.slot].flags.contains(.waiting) }
        for _ in handshakes.running.count..<max(handshakes.running.count, Handshakes.placesOfWaiting) {
            resumeWaiting()
        }
        for _ in 0..<Handshakes.placesOfWaiting {
            guard handshakes.areWaiting, let stalled = handshakes.stalled(now: now) else { return }
            giveUp(stalled.slot, .stalled, handler)
        }
    }

    /// The deadline has passed. Who said nothing wanted nothing.
    func handshakeTimedOut(_ slot: UInt32, _ handler: any LoopHandler) {
        let flags = table[slot].flags
        guard !flags.contains(.undecided) || flags.contains(.waiting) else { return close(slot, .timeout) }
        giveUp(slot, .timeout, handler)
    }

    /// Ends a connection before it was opened.
    func giveUp(_ slot: UInt32, _ why: HandshakeFailure, _ handler: any LoopHandler, code: CInt = 0) {
        let transport = table.transport(slot)
        let peer = transport?.peer ?? peerAddress(slot)
        let tag = transport?.listener ?? acceptor.listeners[Int(table[slot].listener)].tag
        table.statistics.handshakesFailed &+= 1
        // Said before the peer can see the end.
        handler.handshakeFailed(why, peer: peer, listener: tag, layer: transport?.layer)
        switch why {
        case .timeout, .stalled: close(slot, .timeout)
        case .gone, .broken: failed(slot, code)
        }
    }

    /// A handshake that had a place is over, well or not.
    func freePlace(_ slot: UInt32, isDone: Bool) {
        handshakes.end(slot, isDone: isDone, now: now)
        if handshakes.areWaiting { resumeWaiting() }
    }
}
