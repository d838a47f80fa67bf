internal import Reactor
internal import Wire

extension Worker {
    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let bytes = UnsafeBufferPointer(bytes)
        let now = MonotonicTime.now().nanoseconds
        var at = 0
        if language == .redis { return redisReceived(slot, bytes, now) }
        switch connections[Int(slot)].phase {
        case .free: return bytes.count
        // Publishes of MQTT's QoS 0 are not answered.
        case .idleCall, .busyCall: return language == .mqtt ? bytes.count : receiveReplies(slot, bytes, now)
        case .upgrading:
            guard let end = upgraded(slot, bytes, now) else { return 0 }
            at = end
        case .greeting, .subscribing, .ready: break
        }
        let span = bytes.span
        while let length = WebSocketFrame.length(of: span, at: at), length <= bytes.count - at {
            frame(slot, bytes, at: at, length: length, now)
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
                return refused(slot, "upgrade refused: \(String(decoding: bytes.prefix(200), as: UTF8.self))", bytes)
            }
        } catch {
            return refused(slot, "upgrade refused: \(error.text)", bytes)
        }
        connections[Int(slot)].phase = .greeting
        if language == .mqtt {
            sendPacket(MQTT.connect, slot)
        } else if let raw = plan.target.raw {
            counters.established += 1
            messages.begin()
            messages.addRawSubscribe(plan.channelName(plan.channel(of: Int(connections[Int(slot)].number), 0)), raw)
            if !messages.bytes.isEmpty { loop.outbox.send(messages.bytes, to: slot) }
            becameReady(slot, now)
        }
        return end
    }

    private func refused(_ slot: UInt32, _ complaint: String, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        mailbox.complain(complaint)
        loop.abort(slot)
        return bytes.count
    }

    private func frame(
        _ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, at: Int, length: Int, _ now: UInt64
    ) {
        guard let base = bytes.baseAddress else { return }
        let place = stampOffset
        if length >= place + Stamp.byteCount, place > 0, Stamp.isMarked(base + at + place) {
            return delivered(slot, Stamp.read(base + at + place), now)
        }
        let header = bytes[at + 1] < 126 ? 2 : bytes[at + 1] == 126 ? 4 : 10
        let payload = at + header..<at + length
        switch bytes[at] & 0xF {
        case WebSocketOpcode.ping.rawValue:
            messages.begin()
            messages.addControlPong(UnsafeBufferPointer(rebasing: bytes[payload]))
            loop.outbox.send(messages.bytes, to: slot)
        case WebSocketOpcode.pong.rawValue: break
        case WebSocketOpcode.binary.rawValue: packet(slot, bytes, payload, now)
        case WebSocketOpcode.close.rawValue:
            mailbox.complain("closed by the server: \(String(decoding: bytes[payload].dropFirst(2), as: UTF8.self))")
        default: text(slot, bytes, payload, now)
        }
    }

    func text(_ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>, _ now: UInt64) {
        // Servers differ in the order of members, so only the usual place of the name is a short cut.
        let name: Int
        if Reading.matches("{\"event\":\"pusher", bytes, at: payload.lowerBound) {
            name = payload.lowerBound + 10
        } else if let found = Reading.find("~SL~", bytes, in: payload), found + Stamp.byteCount <= payload.upperBound,
            let base = bytes.baseAddress
        {
            // Payloads of at least 126 bytes have a longer header; the offset from the frame's start is what is kept.
            let header = payload.count < 126 ? 2 : payload.count < 65_536 ? 4 : 10
            stampOffset = found - payload.lowerBound + header
            return delivered(slot, Stamp.read(base + found), now)
        } else if let found = Reading.find("\"pusher", bytes, in: payload) {
            name = found + 1
        } else {
            counters.otherFrames += 1
            return
        }
        control(slot, bytes, payload, name: name, now)
    }

    private func control(
        _ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>, name: Int, _ now: UInt64
    ) {
        if Reading.matches("pusher_internal:member_", bytes, at: name) {
            counters.memberFrames += 1
        } else if Reading.matches("pusher_internal:subscription_succeeded", bytes, at: name) {
            subscribed(slot, now)
        } else if Reading.matches("pusher:connection_established", bytes, at: name) {
            greeted(slot, bytes, payload, now)
        } else if Reading.matches("pusher:ping", bytes, at: name) {
            messages.begin()
            messages.addPong()
            loop.outbox.send(messages.bytes, to: slot)
        } else if Reading.matches("pusher:pong", bytes, at: name) {
            counters.pongs += 1
        } else if Reading.matches("pusher:error", bytes, at: name)
            || Reading.matches("pusher:subscription_error", bytes, at: name)
        {
            counters.errorFrames += 1
            mailbox.complain(String(decoding: bytes[payload].prefix(300), as: UTF8.self))
        } else {
            counters.otherFrames += 1
        }
    }

    private func greeted(
        _ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>, _ now: UInt64
    ) {
        let index = Int(slot)
        guard connections[index].phase == .greeting else { return }
        if connections[index].isProbe { return probeGreeted(slot, now) }
        counters.established += 1
        latencies.greeting.record(now - connections[index].since)
        connections[index].phase = .subscribing
        if plan.needsSignature { connections[index].socketID = socketID(bytes, payload) }
        let client = Int(connections[index].number)
        guard client < plan.subscribers, plan.channelsPerClient > 0 else { return becameReady(slot, now) }
        messages.begin()
        for position in 0..<plan.channelsPerClient {
            let name = plan.channelName(plan.channel(of: client, position))
            messages.addSubscribe(
                name, socketID: connections[index].socketID, isSigned: !plan.prefix.isEmpty,
                channelData: plan.prefix == "presence-" ? Self.channelData(client) : nil)
        }
        loop.outbox.send(messages.bytes, to: slot)
    }

    /// The text behind `socket_id`, within the escaped data.
    private func socketID(_ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>) -> [UInt8] {
        guard var at = Reading.find("socket_id", bytes, in: payload).map({ $0 + 9 }) else { return [] }
        while at < payload.upperBound, !(0x30...0x39 ~= bytes[at]) { at += 1 }
        var id: [UInt8] = []
        while at < payload.upperBound, bytes[at] == 0x2E || 0x30...0x39 ~= bytes[at] {
            id.append(bytes[at])
            at += 1
        }
        return id
    }

    static func channelData(_ client: Int) -> String {
        let number = Plan.padded(client)
        return "{\"user_id\":\"u\(number)\",\"user_info\":{\"name\":\"User \(number)\"}}"
    }

    private func subscribed(_ slot: UInt32, _ now: UInt64) {
        let index = Int(slot)
        switch connections[index].phase {
        case .subscribing:
            connections[index].confirmed += 1
            if Int(connections[index].confirmed) == plan.channelsPerClient { becameReady(slot, now) }
        case .ready: if connections[index].isJoining { joined(slot, now) }
        default: break
        }
    }

    func becameReady(_ slot: UInt32, _ now: UInt64) {
        connections[Int(slot)].phase = .ready
        counters.ready += 1
        dialing.underWay -= 1
        latencies.connect.record(now - connections[Int(slot)].since)
    }

    /// One event of the run has come. Hot: a clock difference, two histograms, a tracker.
    func delivered(_ slot: UInt32, _ stamp: Stamp, _ now: UInt64) {
        counters.deliveries += 1
        let latency = now &- stamp.scheduled
        interval.record(latency)
        if stamp.scheduled >= measureFrom, stamp.scheduled < measureTo {
            latencies.delivery.record(latency)
            latencies.deliveryService.record(latency &- min(latency, UInt64(stamp.delay)))
        }
        let client = Int(connections[Int(slot)].number)
        guard client < plan.subscribers, stamp.channel < plan.channels, stamp.publisher < plan.publishers else {
            return
        }
        let position = plan.index(of: Int(stamp.channel), for: client)
        guard position < plan.channelsPerClient else {
            counters.otherFrames += 1  // a channel it never asked for
            return
        }
        let place = (localIndex(client) * plan.channelsPerClient + position) * plan.publishers + Int(stamp.publisher)
        switch trackers[place].arrived(stamp.sequence) {
        case .inOrder, .afterGap: break
        case .reordered: counters.reordered += 1
        case .duplicate: counters.duplicated += 1
        }
    }
}
