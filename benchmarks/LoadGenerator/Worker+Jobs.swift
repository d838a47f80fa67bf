internal import Reactor
internal import TLS

/// Doing what the jobs say is due.
extension Worker {
    /// - Returns: whether there is more to do at once.
    func doWhatIsDue() -> Bool {
        // Only a closed loop asks what is outstanding, and that asks every worker.
        if let job = jobs.publishing, !job.timetable.isOpenLoop {
            jobs.publishing?.allow(outstanding: team.outstanding(tally.counters))
        }
        if let job = jobs.clientEvents, !job.timetable.isOpenLoop {
            jobs.clientEvents?.allow(outstanding: team.outstanding(tally.counters))
        }
        var isBusy = act(atMost: 64, { jobs.dialing.take(now: $0) }) { dialClient($0) }
        isBusy =
            act(atMost: 256, { jobs.publishing?.take(now: $0, hasFree: calls.hasFree) }) { call($0) } || isBusy
        isBusy = act(atMost: 256, { jobs.clientEvents?.take(now: $0) }) { sendClientEvent($0) } || isBusy
        isBusy = act(atMost: 256, { jobs.probes?.take(now: $0) }) { probe(due: $0) } || isBusy
        isBusy =
            act(atMost: 256, { jobs.pinging?.take(now: $0, clients: connections.clientCount) }) { ping($0) } || isBusy
        return changeMemberships() || isBusy
    }

    /// Does what is due of one job; one turn's worth at a time, so that receiving goes on between.
    /// - Returns: whether there was more than that.
    private func act<Action>(atMost count: Int, _ take: (UInt64) -> Due<Action>?, _ act: (Action) -> Void) -> Bool {
        for _ in 0..<count {
            let now = MonotonicTime.now().nanoseconds
            switch take(now) {
            case .now(let action): act(action)
            case .later(let time):
                timer.wake(at: time, now: now)
                return false
            case .waiting, .over, nil: return false
            }
        }
        return true
    }

    // MARK: Connecting

    func dial(_ kind: Connection.Kind, number: Int, since: UInt64? = nil) -> Bool {
        do throws(IOError) {
            let layer = plan.target.tls.flatMap { TLSLayer(connecting: $0.context, to: $0.name, in: connections.room) }
            let slot = try loop.connect(
                to: plan.target.address, from: source(number), tag: kind.rawValue, layer: layer)
            connections.add(slot, kind, number: number, since: since ?? MonotonicTime.now().nanoseconds)
            return true
        } catch {
            if kind != .probe { tally.counters.failedDials += 1 }
            complain("\(error)")
            return false
        }
    }

    private func dialClient(_ local: Int) {
        tally.counters.dialed += 1
        if !dial(.client, number: plan.client(local, of: team.number)) { jobs.dialing.settle() }
    }

    private func probe(due: UInt64) {
        if !dial(.probe, number: plan.clients, since: due) { tally.counters.failedProbes += 1 }
    }

    /// 127.0.0.1 and its neighbours, each for 20,000 clients when their number is not given.
    private func source(_ number: Int) -> PeerAddress? {
        let count = plan.target.sources > 0 ? plan.target.sources : 1 + plan.clients / 20_000
        guard count > 1, plan.target.address.isLoopback, plan.target.address.family == .ipv4 else { return nil }
        let index = number % count
        return PeerAddress.parse(host: "127.0.\(index / 250).\(index % 250 + 1)")
    }

    // MARK: Sending

    private func ping(_ local: Int) {
        guard let slot = connections.ready(local) else { return }
        send(slot) { $0.addPing() }
        tally.counters.pings += 1
    }

    private func sendClientEvent(_ send: Send) {
        guard let local = jobs.clientEvents?.takeClient(), let slot = connections.ready(local) else { return }
        tally.sent(send)
        let client = plan.client(local, of: team.number)
        let channel = client % plan.channels
        let stamp = stamp(send, MonotonicTime.now().nanoseconds, channel: channel, publisher: client / plan.channels)
        self.send(slot) { $0.addClientEvent(plan.channelName(channel), stamp, payloadBytes: plan.payloadBytes) }
        tally.counters.published += 1
        tally.counters.accepted += 1
        tally.counters.expected += plan.publishers - 1
    }

    private func stamp(_ send: Send, _ sent: UInt64, channel: Int, publisher: Int) -> Stamp {
        Stamp(
            scheduled: send.scheduled, delay: UInt32(clamping: sent &- send.scheduled), channel: UInt32(channel),
            publisher: UInt32(publisher), sequence: deliveries.takeSequence(channel, publisher))
    }

    private func call(_ send: Send) {
        guard let slot = calls.takeFree(), let timetable = jobs.publishing?.timetable else { return }
        tally.sent(send)
        var call = APICall(
            scheduled: send.scheduled, sent: MonotonicTime.now().nanoseconds, events: timetable.batch, expected: 0)
        if let query = jobs.publishing?.query {
            messages.query(query.path, info: query.info)
        } else {
            call.expected = writePublish(send, call, publisher: connections[slot].number)
        }
        tally.called(call)
        calls.begin(call, on: slot)
        loop.outbox.send(messages.bytes, to: slot)
        // Nobody answers a publish of MQTT's QoS 0: it counts as taken, and the connection is free.
        if language == .mqtt { callEnded(calls.finish(slot), isSuccess: true, call.sent) }
    }

    /// - Returns: the deliveries it will cause.
    private func writePublish(_ send: Send, _ call: APICall, publisher: Int) -> Int {
        let isBatch = call.events > 1
        var expected = 0
        messages.beginPublish(isBatch: isBatch)
        for _ in 0..<call.events {
            let channel = jobs.publishing?.takeChannel(of: plan.channels) ?? 0
            let stamp = stamp(send, call.sent, channel: channel, publisher: publisher)
            expected += plan.subscriptions(of: channel)
            if let raw = plan.target.raw {
                messages.rawPublish(plan.channelName(channel), stamp, payloadBytes: plan.payloadBytes, raw)
            } else {
                messages.addEvent(
                    plan.channelName(channel), stamp, payloadBytes: plan.payloadBytes, isBatch: isBatch)
            }
        }
        if plan.target.raw == nil { messages.endPublish(isBatch: isBatch) }
        return expected
    }

    // MARK: Memberships

    private func changeMemberships() -> Bool {
        let first = plan.subscribers(of: team.number)
        let members = connections.clientCount - first
        for _ in 0..<256 {
            let now = loop.now.nanoseconds
            switch jobs.membership?.take(now: now, members: members) {
            case .now(let change):
                guard let slot = connections.ready(first + change.member) else { continue }
                // Every member of a small crowd is under way.
                if connections[slot].isJoining { return false }
                jobs.membership?.begin()
                if jobs.membership?.mode == .leave { leave(slot) } else { join(slot, change) }
            case .later(let time):
                timer.wake(at: time, now: now)
                return false
            case .waiting, .over, nil: return false
            }
        }
        return true
    }

    private func join(_ slot: UInt32, _ change: MembershipJob.Change) {
        let client = connections[slot].number
        let channel = plan.memberChannels == 1 ? 0 : (client + change.round) % plan.memberChannels
        connections[slot].joined = channel
        connections[slot].isJoining = true
        connections[slot].since = change.scheduled ?? MonotonicTime.now().nanoseconds
        send(slot) {
            $0.addSubscribe(
                plan.memberChannelName(channel), socketID: connections[slot].socketID,
                isSigned: !plan.memberPrefix.isEmpty,
                channelData: plan.memberPrefix == "presence-" ? Plan.channelData(client) : nil)
        }
    }

    func leave(_ slot: UInt32) {
        guard let channel = connections[slot].joined else { return }
        connections[slot].joined = nil
        send(slot) { $0.addUnsubscribe(plan.memberChannelName(channel)) }
        tally.counters.leaves += 1
    }
}
