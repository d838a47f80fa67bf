internal import Reactor

/// Clients that join and leave channels.
struct MembershipJob: Sendable {
    enum Mode: Sendable { case join, leave, churn }
    var mode: Mode
    /// Joins under way at a time on this worker.
    var window: Int
    /// Joins a second on this worker; 0: as the window allows.
    var ratePerSecond = 0.0
    var start: UInt64 = 0
    /// Churn goes on until then.
    var end: UInt64 = .max
    var next = 0
    var underWay = 0
    var pacer: Pacer?
}

extension Worker {
    /// - Returns: whether there is more to do at once.
    func changeMemberships() -> Bool {
        guard var job = membership else { return false }
        defer { membership?.next = job.next; membership?.underWay = job.underWay; membership?.pacer = job.pacer }
        let now = loop.now.nanoseconds
        if now < job.start {
            wake(at: job.start)
            return false
        }
        if job.ratePerSecond > 0, job.pacer == nil {
            job.pacer = Pacer(start: job.start, ratePerSecond: job.ratePerSecond)
        }
        let first = localSubscribers
        let count = clientSlots.count - first
        guard count > 0, now < job.end else { return false }
        if job.end != .max { wake(at: job.end) }
        var inThisTurn = 0
        while job.underWay < job.window, job.mode == .churn || job.next < count {
            if let due = job.pacer?.next, due > now {
                wake(at: due)
                return false
            }
            if inThisTurn == 256 { return true }
            inThisTurn += 1
            let slot = clientSlots[first + job.next % count]
            job.next += 1
            guard slot != .max, connections[Int(slot)].phase == .ready else { continue }
            if connections[Int(slot)].isJoining { break }  // every member of a small crowd is under way
            let due = job.pacer?.next
            job.pacer?.step()
            if job.mode == .leave {
                leave(slot)
            } else {
                join(slot, round: job.next, due: due)
                job.underWay += 1
            }
        }
        return false
    }

    /// Members stand behind the subscribers in the order of clients.
    private var localSubscribers: Int { max(0, (plan.subscribers + plan.workers - 1 - number) / plan.workers) }

    private func join(_ slot: UInt32, round: Int, due: UInt64?) {
        let client = Int(connections[Int(slot)].number)
        let now = MonotonicTime.now().nanoseconds
        let channel = plan.memberChannels == 1 ? 0 : (client + round) % plan.memberChannels
        connections[Int(slot)].joined = Int32(channel)
        connections[Int(slot)].isJoining = true
        connections[Int(slot)].since = due ?? now
        messages.begin()
        messages.addSubscribe(
            plan.memberChannelName(channel), socketID: connections[Int(slot)].socketID,
            isSigned: !plan.memberPrefix.isEmpty,
            channelData: plan.memberPrefix == "presence-" ? Self.channelData(client) : nil)
        loop.outbox.send(messages.bytes, to: slot)
    }

    private func leave(_ slot: UInt32) {
        let channel = Int(connections[Int(slot)].joined)
        guard channel >= 0 else { return }
        connections[Int(slot)].joined = -1
        messages.begin()
        messages.addUnsubscribe(plan.memberChannelName(channel))
        loop.outbox.send(messages.bytes, to: slot)
        counters.leaves += 1
    }

    /// A membership job's subscription was confirmed.
    func joined(_ slot: UInt32, _ now: UInt64) {
        connections[Int(slot)].isJoining = false
        membership?.underWay -= 1
        counters.joins += 1
        let since = connections[Int(slot)].since
        if measureTo == 0 || since >= measureFrom && since < measureTo { latencies.join.record(now - since) }
        if plan.subscribers == 0 { interval.record(now - since) }
        if membership?.mode == .churn { leave(slot) }
    }
}
