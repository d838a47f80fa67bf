internal import Reactor

/// Connections still to be made.
struct Dialing {
    var next = 0
    var end = 0
    var underWay = 0
    var window = 0
    var pacer: Pacer?
    /// Stop trying after so many failures, which are then reported instead.
    static let failuresMax = 1_000
}

extension Worker {
    func beginDialing(rate: Double, window: Int) {
        dialing = Dialing(next: 0, end: clientSlots.count, underWay: 0, window: max(1, window))
        isHangingUp = false
        if rate > 0 { dialing.pacer = Pacer(start: loop.now.nanoseconds, ratePerSecond: rate) }
    }

    /// Dials what may be dialed now.
    /// - Returns: whether there is more to do at once.
    func dial() -> Bool {
        var inThisTurn = 0
        while dialing.next < dialing.end, dialing.underWay < dialing.window {
            if let due = dialing.pacer?.next, due > loop.now.nanoseconds {
                wake(at: due)
                return false
            }
            if inThisTurn == 64 { return true }
            inThisTurn += 1
            dialing.pacer?.step()
            let local = dialing.next
            dialing.next += 1
            guard dialOne(clientNumber(local), tag: Self.clientTag) != nil else { continue }
            dialing.underWay += 1
        }
        return false
    }

    func dialOne(_ number: Int, tag: Int) -> UInt32? {
        counters.dialed += tag == Self.clientTag ? 1 : 0
        do throws(IOError) {
            let slot = try loop.connect(to: plan.target.address, from: source(number), tag: tag)
            while connections.count <= Int(slot) { connections.append(Connection()) }
            connections[Int(slot)] = Connection()
            connections[Int(slot)].number = Int32(number)
            connections[Int(slot)].since = MonotonicTime.now().nanoseconds
            return slot
        } catch {
            counters.failedDials += 1
            mailbox.complain("\(error)")
            return nil
        }
    }

    /// 127.0.0.1 and its neighbours, each for 20,000 clients when their number is not given.
    private func source(_ number: Int) -> PeerAddress? {
        let count = plan.target.sources > 0 ? plan.target.sources : 1 + plan.clients / 20_000
        guard count > 1, plan.target.address.isLoopback, plan.target.address.family == .ipv4 else { return nil }
        let index = number % count
        return PeerAddress.parse(host: "127.0.\(index / 250).\(index % 250 + 1)")
    }

    func dialPublishers(_ count: Int) {
        sequences = Array(repeating: 0, count: plan.channels * plan.publishers)
        for number in 0..<count { _ = dialOne(number, tag: Self.publisherTag) }
    }

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        let index = Int(slot)
        if listener == Self.publisherTag {
            connections[index].isPublisher = true
            guard language == .mqtt else { return publisherReady(slot) }
        } else if listener == Self.clientTag {
            clientSlots[localIndex(Int(connections[index].number))] = slot
            if language == .redis { return redisOpened(slot) }
        }
        connections[index].phase = .upgrading
        let first = plan.channelsPerClient > 0 ? plan.channel(of: Int(connections[index].number), 0) : 0
        messages.upgrade(channel: plan.channelName(first))
        loop.outbox.send(messages.bytes, to: slot)
    }

    func hangUp() {
        isHangingUp = true
        for slot in clientSlots where slot != .max { loop.abort(slot) }
        // What they were to get is of no interest any more.
        for index in trackers.indices { trackers[index] = DeliveryTracker() }
    }

    func closed(_ slot: UInt32, _ why: TransportClose) {
        let connection = connections[Int(slot)]
        connections[Int(slot)] = Connection()
        if connection.isProbe {
            if connection.phase != .ready { counters.failedProbes += 1 }
            return
        }
        if connection.isPublisher, connection.phase == .upgrading || connection.phase == .greeting {
            counters.failedDials += 1
            mailbox.complain("an API connection failed: \(Self.text(why))")
            return
        }
        switch connection.phase {
        case .free: return
        case .idleCall, .busyCall:
            counters.ready -= 1
            idleCalls.removeAll { $0 == slot }
            if connection.phase == .busyCall { callFailed(connection) }
            // The server may close an idle keep-alive connection; that is no fault, and the next call needs one.
            _ = dialOne(Int(connection.number), tag: Self.publisherTag)
        case .ready:
            clientSlots[localIndex(Int(connection.number))] = .max
            counters.ready -= 1
            counters.established -= 1
            if connection.isJoining { membership?.underWay -= 1 }
            guard !isHangingUp else { return }
            counters.lostConnections += 1
            mailbox.complain("connection lost: \(Self.text(why))")
        case .upgrading, .greeting, .subscribing:
            clientSlots[localIndex(Int(connection.number))] = .max
            if connection.phase == .subscribing { counters.established -= 1 }
            dialing.underWay -= 1
            guard !isHangingUp else { return }
            counters.failedDials += 1
            mailbox.complain("connection failed: \(Self.text(why))")
        }
    }

    private static func text(_ why: TransportClose) -> String {
        switch why {
        case .peerClosed: "closed by the server"
        case .reset: "reset by the server"
        case .timeout: "timed out"
        case .overflow: "a message is too large"
        case .tooSlow: "the server takes requests too slowly"
        case .local: "ended by the server"  // we only abort what has ended
        case .error(let code): IOError.text(code)
        }
    }
}
