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
        if table[slot].flags.contains(.prefaced) { return readPreamble(slot, handler) }
        // Whoever waits for a place is not asked for input: this is its end.
        guard !table[slot].flags.contains(.waiting) else { return giveUp(slot, .gone, handler) }
        let listener = acceptor.listeners[Int(table[slot].listener)]
        let course = handshakes.course(turn: table.statistics.turns, now: now) {
            let first = clinux_peek_byte(table[slot].descriptor)
            return first >= 0 && listener.isLayered(firstByte: UInt8(truncatingIfNeeded: first))
        }
        switch course {
        case .begins: break
        case .replaces(let stalled): giveUp(stalled.slot, .stalled, handler)
        case .waits: return wait(slot)
        case .comesLater: return
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
        table.statistics.bytesIn &+= UInt64(count)
        guard announcePlain(slot, listener, handler) else { return }
        let flags = table[slot].flags
        guard !flags.contains(.readPaused) else { return keepInput(slot, receiveBuffer, count, handler) }
        let consumed = handler.received(slot, UnsafeMutableBufferPointer(start: receiveBuffer, count: count))
        precondition(consumed >= 0 && consumed <= count, "a handler consumed bytes that are not there")
        keepInput(slot, receiveBuffer + consumed, count - consumed, handler)
    }

    /// - Returns: whether what it has sent is of interest.
    func announcePlain(_ slot: UInt32, _ listener: Acceptor.Listening, _ handler: any LoopHandler) -> Bool {
        table[slot].flags.subtract([.undecided, .readPaused])
        table[slot].flags.insert(.announced)
        table[slot].acceptNumber = 0
        table[slot].deadlineTick = 0
        let peer = peerAddress(slot)
        told.forget(slot)
        handler.opened(slot, peer: peer, listener: listener.tag)
        return table[slot].flags.contains(.open) && !table[slot].flags.contains(.finishing)
    }

    private func beginHandshake(
        _ slot: UInt32, _ listener: Acceptor.Listening, _ count: Int, _ handler: any LoopHandler
    ) {
        guard let layer = listener.makeLayer?() else { return close(slot, .error(ENOMEM)) }
        table[slot].acceptNumber = 0
        table[slot].flags.subtract([.undecided, .readPaused])
        table.secure(slot, SecureTransport(layer, origin(slot)))
        told.forget(slot)
        handshakes.begin(token(slot), now: now)
        layer.feed(UnsafeRawBufferPointer(start: receiveBuffer, count: count))
        readable(slot, EPOLLIN.rawValue, handler)
        if table[slot].isOpen() { updateInterest(slot) }
    }

    /// Whom it comes from: by its preamble, or by the kernel.
    func peerAddress(_ slot: UInt32) -> PeerAddress {
        if let peer = told[slot] { return peer }
        var address = clinux_address()
        _ = clinux_peer_address(table[slot].descriptor, &address)
        return PeerAddress(address)
    }

    /// Of one that is undecided.
    private func origin(_ slot: UInt32) -> SecureTransport.Origin {
        SecureTransport.Origin(peerAddress(slot), listener: acceptor.listeners[Int(table[slot].listener)].tag)
    }

    // MARK: Places

    private func wait(_ slot: UInt32) {
        table[slot].flags.insert(.waiting)
        handshakes.wait(token(slot), number: table[slot].acceptNumber)
        updateInterest(slot)
    }

    /// Once a turn while some wait: who may begin now is read.
    func renewPlaces(_ handler: any LoopHandler, isTick: Bool) {
        func isWaiting(_ token: EventToken) -> Bool { isLive(token) && table[token.slot].flags.contains(.waiting) }
        handshakes.renew(isTick: isTick, isWaiting: isWaiting)
        while let (guest, stalled) = handshakes.nextInvitation(now: now) {
            guard isWaiting(guest) else {
                handshakes.withdraw()
                continue
            }
            table[guest.slot].flags.remove(.waiting)
            updateInterest(guest.slot)
            if let stalled { giveUp(stalled.slot, .stalled, handler) }
        }
    }

    /// The deadline has passed.
    func handshakeTimedOut(_ slot: UInt32, _ handler: any LoopHandler) {
        let flags = table[slot].flags
        if flags.contains(.prefaced) { return failPreamble(slot, .timeout, handler) }
        let lateness = Handshakes.lateness(
            isUndecided: flags.contains(.undecided), isWaiting: flags.contains(.waiting))
        if let lateness { giveUp(slot, lateness, handler) } else { close(slot, .timeout) }
    }

    /// Ends a connection before it was opened.
    func giveUp(_ slot: UInt32, _ why: HandshakeFailure, _ handler: any LoopHandler, code: CInt = 0) {
        let transport = table.transport(slot)
        let origin = transport?.origin ?? origin(slot)
        table.statistics.handshakesFailed &+= 1
        if why == .stalled { handshakes.end(slot, .stalled, now: now) }
        // Said before the peer can see the end.
        handler.handshakeFailed(why, peer: origin.peer, listener: origin.listener, layer: transport?.layer)
        if why.isOfTime { close(slot, .timeout) } else { failed(slot, code) }
    }
}
