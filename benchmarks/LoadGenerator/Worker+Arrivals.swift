internal import Reactor
internal import TLS
internal import Wire

/// What comes from the server.
extension Worker {
    // MARK: Connections

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        connections.open(slot)
        let kind = connections[slot].kind
        if kind == .publisher, language != .mqtt { return callerReady(slot) }
        let first = plan.channelsPerClient > 0 ? plan.channel(of: connections[slot].number, 0) : 0
        if kind == .client, language == .redis {
            tally.counters.established += 1
            connections[slot].phase = .subscribing
            let words = [Array("SUBSCRIBE".utf8), Array(plan.channelName(first).utf8)]
            return loop.outbox.send(RESP.command(words), to: slot)
        }
        messages.upgrade(channel: plan.channelName(first))
        loop.outbox.send(messages.bytes, to: slot)
    }

    /// `closed` tells of it too, but not why it was no TLS.
    func handshakeFailed(_ why: HandshakeFailure, peer: PeerAddress, listener: Int, layer: (any RecordLayer)?) {
        switch why {
        case .timeout, .stalled: complain("the TLS handshake took too long")
        case .gone: break
        case .broken: complain("no TLS: \((layer as? TLSLayer)?.whyNot ?? "the handshake failed")")
        }
    }

    /// A connection that calls is free.
    private func callerReady(_ slot: UInt32) {
        connections[slot].phase = .ready
        calls.open(slot)
        tally.counters.ready += 1
    }

    private func becameReady(_ slot: UInt32, _ now: UInt64) {
        connections[slot].phase = .ready
        jobs.dialing.settle()
        tally.ready(since: connections[slot].since, now)
    }

    func endOfStream(_ slot: UInt32) {
        if let answer = calls.endOfStream(slot) {
            callEnded(answer.call, isSuccess: answer.outcome.isSuccess, MonotonicTime.now().nanoseconds)
        }
        loop.abort(slot)
    }

    func closed(_ slot: UInt32, _ why: TransportClose) {
        let connection = connections.remove(slot)
        guard connection.phase != .free else { return }
        switch connection.kind {
        case .probe: if connection.phase != .ready { tally.counters.failedProbes += 1 }
        case .publisher: callerClosed(slot, connection, why)
        case .client: clientClosed(connection, why)
        }
    }

    private func callerClosed(_ slot: UInt32, _ connection: Connection, _ why: TransportClose) {
        guard connection.phase == .ready else {
            tally.counters.failedDials += 1
            return complain("an API connection failed: \(why.sentence)")
        }
        tally.counters.ready -= 1
        if let call = calls.close(slot) { tally.failed(call) }
        // The server may close an idle keep-alive connection; that is no fault, and the next call needs one.
        _ = dial(.publisher, number: connection.number)
    }

    private func clientClosed(_ connection: Connection, _ why: TransportClose) {
        switch connection.phase {
        case .ready:
            tally.counters.ready -= 1
            tally.counters.established -= 1
            if connection.isJoining { jobs.membership?.settle() }
            guard !connections.isHangingUp else { return }
            tally.counters.lostConnections += 1
            complain("connection lost: \(why.sentence)")
        default:
            if connection.phase == .subscribing { tally.counters.established -= 1 }
            jobs.dialing.settle()
            guard !connections.isHangingUp else { return }
            tally.counters.failedDials += 1
            complain("connection failed: \(why.sentence)")
        }
    }

    // MARK: Bytes

    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let (bytes, now) = (UnsafeBufferPointer(bytes), MonotonicTime.now().nanoseconds)
        var at = 0
        if connections[slot].phase == .free { return bytes.count }
        if calls.contains(slot) { return receiveReplies(slot, bytes, now) }
        if language == .redis {
            while at < bytes.count, let end = RESP.end(bytes, from: at) {
                hear(slot, reader.value(bytes, at..<end), bytes, now)
                at = end
            }
            return at
        }
        if connections[slot].phase == .upgrading {
            guard let end = upgraded(slot, bytes, now) else { return 0 }
            at = end
        }
        let span = bytes.span
        while let length = WebSocketFrame.length(of: span, at: at), length <= bytes.count - at {
            hear(slot, reader.frame(bytes, at: at, length: length), bytes, now)
            at += length
        }
        return at
    }

    /// - Returns: where the frames begin; nil when the answer to the upgrade is not whole.
    private func upgraded(_ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ now: UInt64) -> Int? {
        var end = 0
        do throws(HTTPResponseFailure) {
            var parser = HTTPResponseParser()
            let event = try parser.next(bytes.span, from: &end, limits: APIReply.limits)
            guard let event else { return nil }
            guard case .head(let head) = event, head.status == 101 else {
                return giveUp(slot, "upgrade refused: \(String(decoding: bytes.prefix(200), as: UTF8.self))", bytes)
            }
        } catch {
            return giveUp(slot, "upgrade refused: \(error.text)", bytes)
        }
        connections[slot].phase = .greeting
        if language == .mqtt {
            send(slot) { $0.addBinary(MQTT.connect) }
        } else if let raw = plan.target.raw {
            tally.counters.established += 1
            let channel = plan.channelName(plan.channel(of: connections[slot].number, 0))
            send(slot) { $0.addRawSubscribe(channel, raw) }
            becameReady(slot, now)
        }
        return end
    }

    private func giveUp(_ slot: UInt32, _ complaint: String, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        complain(complaint)
        loop.abort(slot)
        return bytes.count
    }

    private func receiveReplies(_ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ now: UInt64) -> Int {
        var at = 0
        switch language {
        case .mqtt: return bytes.count
        case .redis:
            while at < bytes.count, let end = RESP.end(bytes, from: at) {
                callEnded(calls.finish(slot), isSuccess: bytes[at] != UInt8(ascii: "-"), now)
                at = end
            }
            return at
        case .frames, nil: break
        }
        do throws(HTTPResponseFailure) {
            while let answer = try calls.next(slot, bytes, from: &at, complaint: complain) {
                callEnded(answer.call, isSuccess: answer.outcome.isSuccess, now)
                // What follows is no answer; `closed` dials anew.
                guard answer.outcome.keepAlive else {
                    loop.abort(slot)
                    return bytes.count
                }
            }
            return at
        } catch { return giveUp(slot, error.text, bytes) }
    }

    func callEnded(_ call: APICall?, isSuccess: Bool, _ now: UInt64) {
        guard let call else { return }
        if isSuccess { tally.replied(call, isOnly: plan.clients == 0, now) } else { tally.failed(call) }
    }

    // MARK: Messages

    private func hear(_ slot: UInt32, _ heard: Heard, _ bytes: UnsafeBufferPointer<UInt8>, _ now: UInt64) {
        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range].prefix(300), as: UTF8.self) }
        switch heard {
        case .delivery(let stamp): delivered(slot, stamp, now)
        case .greeting(let payload): greeted(slot, bytes, payload, now)
        case .subscribed, .reply(isRefusal: false): subscribed(slot, now)
        case .memberChange: tally.counters.memberFrames += 1
        case .ping: send(slot) { $0.addPong() }
        case .pong: tally.counters.pongs += 1
        case .controlPing(let payload): send(slot) { $0.addControlPong(UnsafeBufferPointer(rebasing: bytes[payload])) }
        case .closing(let reason): complain("closed by the server: \(text(reason))")
        case .complaint(let payload):
            tally.counters.errorFrames += 1
            complain(text(payload))
        case .nothing: break
        case .other, .reply(isRefusal: true): tally.counters.otherFrames += 1
        }
    }

    private func delivered(_ slot: UInt32, _ stamp: Stamp, _ now: UInt64) {
        tally.delivered(stamp, now)
        guard let arrival = deliveries.arrived(stamp, client: connections[slot].number) else {
            tally.counters.otherFrames += 1
            return
        }
        tally.arrived(arrival)
    }

    private func greeted(_ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>, _ now: UInt64) {
        guard connections[slot].phase == .greeting else { return }
        switch connections[slot].kind {
        case .publisher: return callerReady(slot)
        case .probe:
            tally.latencies.connect.record(now - connections[slot].since)
            tally.counters.probes += 1
            connections[slot].phase = .ready
            return loop.abort(slot)
        case .client: break
        }
        tally.counters.established += 1
        tally.latencies.greeting.record(now - connections[slot].since)
        connections[slot].phase = .subscribing
        if plan.needsSignature { connections[slot].socketID = FrameReader.socketID(bytes, payload) }
        let client = connections[slot].number
        guard client < plan.subscribers, plan.channelsPerClient > 0 else { return becameReady(slot, now) }
        subscribe(slot, client)
    }

    private func subscribe(_ slot: UInt32, _ client: Int) {
        send(slot) { messages in
            for position in 0..<plan.channelsPerClient {
                let name = plan.channelName(plan.channel(of: client, position))
                guard language != .mqtt else { return messages.addBinary(MQTT.subscribe(name)) }
                messages.addSubscribe(
                    name, socketID: connections[slot].socketID, isSigned: !plan.prefix.isEmpty,
                    channelData: plan.prefix == "presence-" ? Plan.channelData(client) : nil)
            }
        }
    }

    private func subscribed(_ slot: UInt32, _ now: UInt64) {
        switch connections[slot].phase {
        case .subscribing:
            connections[slot].confirmed += 1
            if connections[slot].confirmed == plan.channelsPerClient { becameReady(slot, now) }
        case .ready where connections[slot].isJoining:
            connections[slot].isJoining = false
            jobs.membership?.settle()
            tally.joined(since: connections[slot].since, isOnly: plan.subscribers == 0, now)
            if jobs.membership?.mode == .churn { leave(slot) }
        default: break
        }
    }
}

extension TransportClose {
    /// For the report.
    var sentence: String {
        switch self {
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
