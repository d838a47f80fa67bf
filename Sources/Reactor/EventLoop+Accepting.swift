internal import CLinux
internal import Telemetry

/// A listener the loop serves.
struct ListenerState {
    var descriptor: CInt
    let tag: Int
    /// Taken out of epoll until the next tick, because accepting failed.
    var isDisarmed = false
}

extension EventLoop {
    /// Serves a listener: its connections come as `opened(_, _, listener: tag)`.
    public func listen(on listener: consuming Listener, tag: Int) {
        let descriptor = listener.release()
        // Accepted sockets inherit these, which saves three system calls per client in a reconnect storm.
        _ = clinux_set_stream_options(descriptor, options.userTimeoutMilliseconds, options.unsentLowBytes)
        listeners.append(ListenerState(descriptor: descriptor, tag: tag))
        arm(listeners.count - 1)
    }

    /// Closes every listener; what the kernel had queued is reset.
    public func stopListening() {
        for index in listeners.indices where listeners[index].descriptor >= 0 {
            clinux_close(listeners[index].descriptor)
            listeners[index].descriptor = -1
        }
    }

    /// Serves an already connected stream socket (a socketpair in tests, a client connection). `opened` comes from the loop's next turn.
    /// - Parameter tag: what `opened` gets as `listener`.
    /// - Returns: the slot.
    @discardableResult
    public func adopt(_ descriptor: consuming Descriptor, tag: Int = -1) throws(IOError) -> UInt32 {
        let raw = descriptor.raw
        _ = try IOError.check(clinux_set_nonblocking(raw), "fcntl")
        var address = clinux_address()
        _ = clinux_peer_address(raw, &address)
        _ = clinux_set_stream_options(raw, options.userTimeoutMilliseconds, options.unsentLowBytes)
        let slot = try admit(raw)
        _ = descriptor.release()
        adopted.append((slot, state(slot).pointee.generation, PeerAddress(address), tag))
        return slot
    }

    /// Calls `onReadable` in each turn in which a foreign descriptor (a signalfd, a pipe) is readable. It stays the caller's, who must keep
    /// it open as long as the loop lives. Not for connections.
    public func watch(_ descriptor: CInt, _ onReadable: @escaping () -> Void) throws(IOError) {
        let token = EventToken(slot: EventToken.firstWatcher + UInt32(watchers.count), generation: 0)
        let answer = clinux_epoll_add(epoll.raw, descriptor, EPOLLIN.rawValue, token.packed)
        _ = try IOError.check(answer, "epoll_ctl")
        watchers.append(Watcher(descriptor: descriptor, onReadable: onReadable))
    }

    func notifyWatcher(_ index: Int) { watchers[index].onReadable() }

    func announceAdopted(_ handler: any LoopHandler) {
        guard !adopted.isEmpty else { return }
        let due = adopted
        adopted.removeAll(keepingCapacity: true)
        for one in due where isLive(one.slot, one.generation) {
            state(one.slot).pointee.flags.insert(.announced)
            updateInterest(one.slot)
            handler.opened(one.slot, peer: one.peer, listener: one.listener)
        }
    }

    /// Takes a slot and registers it with epoll, asking for nothing yet when it is to be announced later.
    private func admit(_ descriptor: CInt) throws(IOError) -> UInt32 {
        let slot = table.pointee.open(descriptor, &outbox.state.pointee)
        let token = EventToken(slot: slot, generation: state(slot).pointee.generation)
        let answer = clinux_epoll_add(epoll.raw, descriptor, 0, token.packed)
        guard answer < 0 else { return slot }
        table.pointee.kill(slot, &outbox.state.pointee)
        table.pointee.retire(slot)
        throw IOError(call: "epoll_ctl", code: -answer)
    }

    func accept(_ index: Int, _ handler: any LoopHandler) {
        let tag = listeners[index].tag
        for _ in 0..<options.acceptsPerTurn {
            guard listeners[index].descriptor >= 0, !listeners[index].isDisarmed else { return }
            var address = clinux_address()
            let answer = clinux_accept(listeners[index].descriptor, &address)
            guard answer < 0 else {
                accepted(answer, PeerAddress(address), tag, handler)
                continue
            }
            switch -answer {
            case EAGAIN: return
            case EINTR, ECONNABORTED: table.pointee.statistics.acceptErrors &+= 1
            default:
                table.pointee.statistics.acceptErrors &+= 1
                acceptFailed(index, -answer)
                return
            }
        }
    }

    private func accepted(_ descriptor: CInt, _ peer: PeerAddress, _ tag: Int, _ handler: any LoopHandler) {
        table.pointee.statistics.accepted &+= 1
        let slot = table.pointee.open(descriptor, &outbox.state.pointee)
        let token = EventToken(slot: slot, generation: state(slot).pointee.generation)
        state(slot).pointee.flags.insert(.announced)
        state(slot).pointee.interest = EPOLLIN.rawValue
        if clinux_epoll_add(epoll.raw, descriptor, EPOLLIN.rawValue, token.packed) < 0 {
            table.pointee.kill(slot, &outbox.state.pointee)
            table.pointee.retire(slot)
            clinux_close(descriptor)
            table.pointee.statistics.acceptErrors &+= 1
            return
        }
        handler.opened(slot, peer: peer, listener: tag)
    }

    /// The machine is short. Out of descriptors, the reserve lets us tell the clients that wait instead of leaving them hanging; then the
    /// listener rests for a tick, because level-triggered epoll would report it again at once and eat the processor.
    private func acceptFailed(_ index: Int, _ code: CInt) {
        Log.logOncePer(seconds: 10, .error, "cannot accept connections", ("reason", IOError.text(code)))
        if code == EMFILE || code == ENFILE { refuseWaiting(listeners[index].descriptor) }
        listeners[index].isDisarmed = true
        _ = clinux_epoll_remove(epoll.raw, listeners[index].descriptor)
    }

    private func refuseWaiting(_ listener: CInt) {
        guard reserve >= 0 else { return }
        clinux_close(reserve)
        let answer: StaticString = """
            HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n
            """
        for _ in 0..<options.acceptsPerTurn {
            var address = clinux_address()
            let descriptor = clinux_accept(listener, &address)
            guard descriptor >= 0 else { break }
            _ = clinux_send(descriptor, answer.utf8Start, answer.utf8CodeUnitCount)
            _ = clinux_shutdown_write(descriptor)
            // Unread input would turn our close into a reset, and the client would never see the answer.
            _ = clinux_receive(descriptor, receiveBuffer, options.receiveBufferBytes)
            clinux_close(descriptor)
            table.pointee.statistics.acceptsRefused &+= 1
        }
        reserve = clinux_open_null()
    }

    func rearmListeners() {
        if reserve < 0 { reserve = clinux_open_null() }
        for index in listeners.indices where listeners[index].isDisarmed && listeners[index].descriptor >= 0 {
            listeners[index].isDisarmed = false
            arm(index)
        }
    }

    private func arm(_ index: Int) {
        let token = EventToken(slot: EventToken.firstListener + UInt32(index), generation: 0)
        let answer = clinux_epoll_add(epoll.raw, listeners[index].descriptor, EPOLLIN.rawValue, token.packed)
        if answer < 0 {
            listeners[index].isDisarmed = true  // tried again at the next tick
            Log.logOncePer(seconds: 10, .error, "cannot watch a listener", ("reason", IOError.text(-answer)))
        }
    }
}
