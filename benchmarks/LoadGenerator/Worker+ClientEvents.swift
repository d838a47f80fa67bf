internal import Reactor

/// Client events of this worker's clients, in turn, by a timetable.
struct ClientEvents {
    let timetable: Timetable
    var pacer: Pacer?
    var nextClient = 0

    init(_ timetable: Timetable) {
        self.timetable = timetable
        if timetable.isOpenLoop { pacer = Pacer(start: timetable.start, ratePerSecond: timetable.ratePerSecond) }
    }
}

extension Worker {
    func clientEventsDue() {
        guard let timetable = clientEvents?.timetable, !clientSlots.isEmpty else { return }
        if sequences.isEmpty { sequences = Array(repeating: 0, count: plan.channels * plan.publishers) }
        var now = MonotonicTime.now().nanoseconds
        if now < timetable.start { return wake(at: timetable.start) }
        guard now < timetable.end else { return }
        if clientEvents?.pacer == nil {
            wake(at: timetable.end)
            var room = timetable.inFlight * max(1, plan.publishers - 1) - outstanding()
            // One turn's worth at a time, so that receiving goes on between.
            var left = 256
            while room > 0, left > 0 {
                room -= sendClientEvent(scheduled: MonotonicTime.now().nanoseconds)
                left -= 1
            }
            return
        }
        while let next = clientEvents?.pacer?.next, next <= now, next < timetable.end {
            if now - next > Self.lateNanoseconds { counters.late += 1 }
            _ = sendClientEvent(scheduled: next)
            clientEvents?.pacer?.step()
            now = MonotonicTime.now().nanoseconds
        }
        if let next = clientEvents?.pacer?.next, next < timetable.end { wake(at: next) }
    }

    /// - Returns: the deliveries it will cause, at least 1 so that a closed loop ends.
    private func sendClientEvent(scheduled: UInt64) -> Int {
        let local = clientEvents?.nextClient ?? 0
        clientEvents?.nextClient = local + 1 == clientSlots.count ? 0 : local + 1
        let slot = clientSlots[local]
        guard slot != .max, connections[Int(slot)].phase == .ready else { return 1 }
        let client = clientNumber(local)
        let channel = client % plan.channels, peer = client / plan.channels
        let now = MonotonicTime.now().nanoseconds
        let stamp = Stamp(
            scheduled: scheduled, delay: UInt32(clamping: now &- scheduled), channel: UInt32(channel),
            publisher: UInt32(peer), sequence: takeSequence(channel, peer))
        messages.begin()
        messages.addClientEvent(plan.channelName(channel), stamp, payloadBytes: plan.payloadBytes)
        loop.outbox.send(messages.bytes, to: slot)
        counters.published += 1
        counters.accepted += 1
        counters.expected += plan.publishers - 1
        return max(1, plan.publishers - 1)
    }
}
