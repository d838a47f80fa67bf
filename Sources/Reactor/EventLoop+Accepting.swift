internal import CLinux
internal import Telemetry

/// What the loop listens on, and what it needs to refuse.
struct Acceptor {
    var listeners: [Listening] = []
    /// Given up to accept and refuse a client when the process is out of descriptors; -1 while it could not be reopened.
    var reserve: CInt = clinux_open_null()
    /// No more clients after those that the kernel has queued by the next tick.
    var isFinishing = false
    /// Some listener rests until the next tick.
    var isResting = false

    /// A listener the loop serves.
    struct Listening {
        /// Negative: closed, or another loop's that deals its connections out.
        var descriptor: CInt
        let tag: Int
        /// What a connection with a layer begins with; nil: anything.
        let layerByte: UInt8?
        /// Makes the layer of an accepted connection; nil: plain.
        let makeLayer: (() -> (any RecordLayer)?)?
        /// What connections of some peers begin with; nil: none do.
        let preamble: (any Preamble)?
        /// Its connections go to these loops by turns; nil: all stay here.
        var dealing: Dealing?
        /// Taken out of epoll until the next tick, because accepting failed.
        var isDisarmed = false
        var isOpen: Bool { descriptor >= 0 }
        func isLayered(firstByte: UInt8) -> Bool { layerByte == nil || layerByte == firstByte }
    }

    /// Rounds of accepting before a listener closes: more than its queue holds.
    static let lastAccepts = 64

    /// What a socket that several loops have in common needs: it is watched by one, which gives each its share. All of them watching would
    /// wake all for each client, and the kernel would give most clients to whoever came first.
    struct Dealing {
        let loops: [LoopHandle]
        private var next = 0

        init(_ loops: [LoopHandle]) { self.loops = loops }

        /// Whose turn it is.
        mutating func draw() -> LoopHandle {
            defer { next = next + 1 == loops.count ? 0 : next + 1 }
            return loops[next]
        }
    }

    mutating func stopListening(_ epoll: borrowing Epoll) {
        for index in listeners.indices where listeners[index].isOpen {
            // Another process may have the same socket, and epoll forgets it only with the last.
            epoll.remove(listeners[index].descriptor)
            clinux_close(listeners[index].descriptor)
            listeners[index].descriptor = -1
        }
    }

    mutating func close() {
        for listener in listeners where listener.isOpen { clinux_close(listener.descriptor) }
        listeners = []
        if reserve >= 0 { clinux_close(reserve) }
        reserve = -1
    }
}

extension EventLoop {
    /// Serves a listener: its connections come as `opened(_, _, listener: tag)`.
    /// - Parameters:
    ///   - layerByte: connections that begin with this byte have a layer and are opened when its handshake is done; the others are plain and
    ///     opened with their first byte. nil: all have one.
    ///   - dealingTo: its connections go to these loops by turns, each of which must know the tag (`expectDealt`, or a listener of its own);
    ///     nil: all are this loop's.
    ///   - makeLayer: makes the layer of a connection whose first byte is here, and for which there is a place among the handshakes that run;
    ///     nil: all are plain, and opened at once.
    ///   - preamble: reads what stands before a connection's first byte where it is due; `opened` gets the peer that it tells.
    public func listen(
        on listener: consuming Listener, tag: Int, layerByte: UInt8? = nil, dealingTo loops: [LoopHandle]? = nil,
        preamble: (any Preamble)? = nil,
        makeLayer: (() -> (any RecordLayer)?)? = nil
    ) {
        let descriptor = listener.release()
        // Accepted sockets inherit these, which saves three system calls per client in a reconnect storm. A Unix socket has none of them.
        _ = clinux_set_stream_options(descriptor, table.options.userTimeoutMilliseconds, table.options.unsentLowBytes)
        _ = clinux_set_buffers(descriptor, table.options.kernelSendBytes, table.options.kernelReceiveBytes)
        acceptor.listeners.append(
            Acceptor.Listening(
                descriptor: descriptor, tag: tag, layerByte: layerByte, makeLayer: makeLayer, preamble: preamble,
                dealing: loops.map(Acceptor.Dealing.init)))
        arm(acceptor.listeners.count - 1)
    }

    /// Serves connections that another loop deals out, as those of a listener with this tag here.
    public func expectDealt(
        tag: Int, layerByte: UInt8? = nil, preamble: (any Preamble)? = nil, makeLayer: (() -> (any RecordLayer)?)? = nil
    ) {
        acceptor.listeners.append(
            Acceptor.Listening(
                descriptor: -1, tag: tag, layerByte: layerByte, makeLayer: makeLayer, preamble: preamble))
    }

    /// Closes every listener in the next tick, after who has waited by then was accepted.
    public func finishListening() { acceptor.isFinishing = true }

    func finishListening(_ handler: any LoopHandler) {
        for index in acceptor.listeners.indices {
            for _ in 0..<Acceptor.lastAccepts where acceptor.listeners[index].isOpen { accept(index, handler) }
        }
        stopListening()
    }

    /// Closes every listener. What the kernel has queued is reset, unless another process has the same socket: then it is that one's.
    public func stopListening() {
        acceptor.isFinishing = false
        acceptor.stopListening(epoll)
    }

    /// Serves an already connected stream socket (a socketpair in tests, a client connection). `opened` comes from the loop's next turn, or
    /// when the handshake of its layer is done; of one that fails `closed` tells.
    /// - Parameter tag: what `opened` gets as `listener`.
    /// - Returns: the slot.
    @discardableResult
    public func adopt(
        _ descriptor: consuming Descriptor, tag: Int = -1, layer: (any RecordLayer)? = nil
    ) throws(IOError) -> UInt32 {
        let raw = descriptor.raw
        _ = try IOError.check(clinux_set_nonblocking(raw), "fcntl")
        var address = clinux_address()
        _ = clinux_peer_address(raw, &address)
        _ = clinux_set_stream_options(raw, table.options.userTimeoutMilliseconds, table.options.unsentLowBytes)
        let slot = try admit(raw, asking: 0)
        _ = descriptor.release()
        table[slot].flags.insert(.adopted)
        let peer = PeerAddress(address)
        if let layer { table.secure(slot, SecureTransport(layer, .init(peer, listener: tag))) }
        due.adopted.append(DueCalls.Adopted(token: token(slot), peer: peer, listener: tag))
        return slot
    }

    /// Calls `onReadable` in each turn in which a foreign descriptor (a signalfd, a pipe) is readable. It stays the caller's, who must keep
    /// it open as long as the loop lives. Not for connections.
    public func watch(_ descriptor: CInt, _ onReadable: @escaping () -> Void) throws(IOError) {
        let token = EventToken(slot: EventToken.firstWatcher + UInt32(watchers.count), generation: 0)
        _ = try IOError.check(epoll.add(descriptor, EPOLLIN.rawValue, token), "epoll_ctl")
        watchers.append(Watcher(descriptor: descriptor, onReadable: onReadable))
    }

    func notifyWatcher(_ index: Int) {
        barren.reset()
        watchers[index].onReadable()
    }

    func announceAdopted(_ handler: any LoopHandler) {
        let adopted = due.adopted
        due.adopted.removeAll(keepingCapacity: true)
        for one in adopted where isLive(one.token) {
            let slot = one.token.slot
            if table[slot].flags.contains(.secured) {
                beginHandshake(slot, handler)
            } else {
                table[slot].flags.insert(.announced)
                updateInterest(slot)
                handler.opened(slot, peer: one.peer, listener: one.listener)
            }
        }
    }

    /// Takes a slot and registers it with epoll. The descriptor stays the caller's when that fails.
    private func admit(_ descriptor: CInt, asking interest: UInt32) throws(IOError) -> UInt32 {
        let slot = table.open(descriptor, outbox)
        table[slot].interest = interest
        let answer = epoll.add(descriptor, interest, token(slot))
        guard answer < 0 else { return slot }
        table.kill(slot, outbox)
        table.retire(slot)
        throw IOError(call: "epoll_ctl", code: -answer)
    }

    func accept(_ index: Int, _ handler: any LoopHandler) {
        var isShort = false
        defer { if isShort { rest(index) } }
        for _ in 0..<table.options.acceptsPerTurn {
            guard acceptor.listeners[index].isOpen, !acceptor.listeners[index].isDisarmed else { return }
            var address = clinux_address()
            let answer = clinux_accept(acceptor.listeners[index].descriptor, &address)
            guard answer < 0 else {
                if answer < table.options.clientDescriptorsEnd {
                    accepted(answer, PeerAddress(address), index, handler)
                } else {
                    isShort = true
                    refuse(answer, from: PeerAddress(address), acceptor.listeners[index])
                    sayThatAcceptingFailed(EMFILE)
                }
                continue
            }
            switch -answer {
            case EAGAIN: return
            // Of the one connection only (accept(2)); there may be others behind it.
            case EINTR, ECONNABORTED, EPERM, EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH,
                ENONET,
                EOPNOTSUPP:
                table.statistics.acceptErrors &+= 1
            default:
                table.statistics.acceptErrors &+= 1
                acceptFailed(index, -answer)
                return
            }
        }
    }

    private func accepted(
        _ descriptor: CInt, _ peer: PeerAddress, _ index: Int, _ handler: any LoopHandler
    ) {
        // In the end nobody may wait for another loop's turn.
        if !acceptor.isFinishing, let loop = acceptor.listeners[index].dealing?.draw(), loop !== handle {
            let tag = acceptor.listeners[index].tag
            // One that has ended takes nothing any more.
            if loop.submit({ $0.take(dealt: descriptor, peer, tag: tag) }) { return }
        }
        begin(descriptor, peer, index, handler)
    }

    /// Keeps what another loop accepted until this turn has a handler for it.
    private func take(dealt descriptor: CInt, _ peer: PeerAddress, tag: Int) {
        due.dealt.append(DueCalls.Dealt(descriptor: descriptor, peer: peer, tag: tag))
    }

    func beginDealt(_ handler: any LoopHandler) {
        for one in due.dealt {
            guard let index = acceptor.listeners.firstIndex(where: { $0.tag == one.tag }) else {
                preconditionFailure("connections of this listener were not expected here")
            }
            begin(one.descriptor, one.peer, index, handler)
        }
        due.dealt.removeAll(keepingCapacity: true)
    }

    private func begin(_ descriptor: CInt, _ peer: PeerAddress, _ index: Int, _ handler: any LoopHandler) {
        table.statistics.accepted &+= 1
        let slot: UInt32
        do throws(IOError) { slot = try admit(descriptor, asking: EPOLLIN.rawValue) } catch {
            table.statistics.acceptErrors &+= 1
            Log.logOncePer(seconds: 10, .error, "cannot serve connections", ("reason", error.description))
            return refuse(descriptor, from: peer, acceptor.listeners[index])
        }
        if let preamble = acceptor.listeners[index].preamble, preamble.isDue(from: peer) {
            return awaitPreamble(slot, listener: index)
        }
        guard acceptor.listeners[index].makeLayer == nil else { return awaitFirstByte(slot, listener: index) }
        table[slot].flags.insert(.announced)
        handler.opened(slot, peer: peer, listener: acceptor.listeners[index].tag)
    }

    /// The machine is short. Out of descriptors, the reserve lets us tell the clients that wait instead of leaving them hanging; then the
    /// listener rests for a tick, because level-triggered epoll would report it again at once and eat the processor.
    private func acceptFailed(_ index: Int, _ code: CInt) {
        sayThatAcceptingFailed(code)
        if code == EMFILE || code == ENFILE { refuseWaiting(acceptor.listeners[index]) }
        rest(index)
    }

    private func sayThatAcceptingFailed(_ code: CInt) {
        Log.logOncePer(seconds: 10, .error, "cannot accept connections", ("reason", IOError.text(code)))
    }

    private func rest(_ index: Int) {
        guard acceptor.listeners[index].isOpen, !acceptor.listeners[index].isDisarmed else { return }
        (acceptor.listeners[index].isDisarmed, acceptor.isResting) = (true, true)
        epoll.remove(acceptor.listeners[index].descriptor)
    }

    private func refuseWaiting(_ listener: Acceptor.Listening) {
        guard acceptor.reserve >= 0 else { return }
        clinux_close(acceptor.reserve)
        for _ in 0..<table.options.acceptsPerTurn {
            var address = clinux_address()
            let descriptor = clinux_accept(listener.descriptor, &address)
            guard descriptor >= 0 else { break }
            refuse(descriptor, from: PeerAddress(address), listener)
        }
        acceptor.reserve = clinux_open_null()
    }

    /// Tells a client that there is nothing left to serve it with, and closes.
    private func refuse(_ descriptor: CInt, from peer: PeerAddress, _ listener: Acceptor.Listening) {
        // Behind a layer plain words would be garbage; what stands behind a preamble is not known.
        let first = listener.makeLayer == nil ? nil : clinux_peek_byte(descriptor)
        let isPlain = first.map { $0 >= 0 && !listener.isLayered(firstByte: UInt8($0)) } ?? true
        let isPrefaced = listener.preamble?.isDue(from: peer) ?? false
        let words = isPlain && !isPrefaced ? table.options.refusal : []
        _ = words.withUnsafeBytes { clinux_send(descriptor, $0.baseAddress, $0.count) }
        _ = clinux_shutdown_write(descriptor)
        // Unread input would turn our close into a reset, and the client would never see the answer.
        _ = clinux_receive(descriptor, receiveBuffer, table.options.receiveBufferBytes)
        clinux_close(descriptor)
        table.statistics.acceptsRefused &+= 1
    }

    func rearmListeners() {
        if acceptor.reserve < 0 { acceptor.reserve = clinux_open_null() }
        guard acceptor.isResting else { return }
        acceptor.isResting = false
        for index in acceptor.listeners.indices {
            guard acceptor.listeners[index].isDisarmed, acceptor.listeners[index].isOpen else { continue }
            acceptor.listeners[index].isDisarmed = false
            arm(index)
        }
    }

    private func arm(_ index: Int) {
        let token = EventToken(slot: EventToken.firstListener + UInt32(index), generation: 0)
        let answer = epoll.add(acceptor.listeners[index].descriptor, EPOLLIN.rawValue, token)
        if answer < 0 {
            // Tried again at the next tick.
            (acceptor.listeners[index].isDisarmed, acceptor.isResting) = (true, true)
            Log.logOncePer(seconds: 10, .error, "cannot watch a listener", ("reason", IOError.text(-answer)))
        }
    }
}
