internal import Reactor

/// Servers that speak MQTT over WebSocket, or Redis's protocol.
extension Worker {
    /// One binary frame: a packet of MQTT.
    func packet(_ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ payload: Range<Int>, _ now: UInt64) {
        guard let first = payload.first else { return }
        let index = Int(slot)
        switch MQTT.Kind(rawValue: bytes[first] >> 4) {
        case .connack:
            guard connections[index].phase == .greeting else { return }
            if connections[index].isPublisher { return publisherReady(slot) }
            counters.established += 1
            connections[index].phase = .subscribing
            sendPacket(MQTT.subscribe(plan.channelName(plan.channel(of: Int(connections[index].number), 0))), slot)
        case .suback: if connections[index].phase == .subscribing { becameReady(slot, now) }
        case .publish: text(slot, bytes, payload, now)
        case nil: counters.otherFrames += 1
        }
    }

    func sendPacket(_ packet: [UInt8], _ slot: UInt32) {
        messages.begin()
        messages.addBinary(packet)
        loop.outbox.send(messages.bytes, to: slot)
    }

    /// A connection that calls is free.
    func publisherReady(_ slot: UInt32) {
        connections[Int(slot)].phase = .idleCall
        idleCalls.append(slot)
        counters.ready += 1
    }

    /// A client of Redis subscribes as soon as it is connected.
    func redisOpened(_ slot: UInt32) {
        let index = Int(slot)
        let channel = plan.channelName(plan.channel(of: Int(connections[index].number), 0))
        counters.established += 1
        connections[index].phase = .subscribing
        loop.outbox.send(RESP.command([Array("SUBSCRIBE".utf8), Array(channel.utf8)]), to: slot)
    }

    func redisReceived(_ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ now: UInt64) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        var at = 0
        while at < bytes.count, let end = RESP.end(bytes, from: at) {
            switch connections[Int(slot)].phase {
            case .subscribing: becameReady(slot, now)
            case .idleCall, .busyCall: redisReplied(slot, isRefusal: bytes[at] == UInt8(ascii: "-"), now)
            default:
                let place = stampOffset
                if place > 0, end - at >= place + Stamp.byteCount, Stamp.isMarked(base + at + place) {
                    delivered(slot, Stamp.read(base + at + place), now)
                } else if let found = Reading.find("~SL~", bytes, in: at..<end), found + Stamp.byteCount <= end {
                    stampOffset = found - at
                    delivered(slot, Stamp.read(base + found), now)
                } else {
                    counters.otherFrames += 1
                }
            }
            at = end
        }
        return at
    }

    private func redisReplied(_ slot: UInt32, isRefusal: Bool, _ now: UInt64) {
        let connection = connections[Int(slot)]
        guard connection.phase == .busyCall else { return }
        connections[Int(slot)].phase = .idleCall
        idleCalls.append(slot)
        if isRefusal { callFailed(connection) } else { replied(connection, now) }
    }
}
