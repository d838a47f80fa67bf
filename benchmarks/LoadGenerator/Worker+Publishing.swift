internal import Reactor

/// API calls by a timetable.
struct Publishing {
    let timetable: Timetable
    /// A state query instead of events.
    let query: (path: String, info: String)?
    var pacer: Pacer?
    var nextChannel = 0
    /// A due call found no free connection: what follows waits for the server, not for us.
    var isBlocked = false

    init(_ timetable: Timetable, query: (path: String, info: String)?) {
        (self.timetable, self.query) = (timetable, query)
        guard timetable.isOpenLoop else { return }
        pacer = Pacer(start: timetable.start, ratePerSecond: timetable.ratePerSecond / Double(timetable.batch))
    }
}

extension Worker {
    /// A send this much after its time is late.
    static let lateNanoseconds: UInt64 = 1_000_000

    func publishDue() {
        guard let timetable = publishing?.timetable else { return }
        var now = MonotonicTime.now().nanoseconds
        if now < timetable.start { return wake(at: timetable.start) }
        guard let due = publishing?.pacer?.next else { return publishClosed(timetable, now) }
        var next = due
        while next <= now, next < timetable.end {
            guard let slot = idleCalls.popLast() else {
                publishing?.isBlocked = true
                return
            }
            if now - next > Self.lateNanoseconds {
                if publishing?.isBlocked == true { counters.queued += 1 } else { counters.late += 1 }
            }
            call(slot, timetable, scheduled: next)
            publishing?.pacer?.step()
            next = publishing?.pacer?.next ?? .max
            now = MonotonicTime.now().nanoseconds
        }
        publishing?.isBlocked = false
        if next < timetable.end { wake(at: next) } else { publishing = nil }
    }

    /// Closed loop: a publish is under way until every subscriber has it.
    private func publishClosed(_ timetable: Timetable, _ now: UInt64) {
        guard now < timetable.end else {
            publishing = nil
            return
        }
        wake(at: timetable.end)
        let perEvent = plan.subscriptions(of: 0)
        var room = timetable.inFlight * perEvent - outstanding()
        while room >= perEvent, let slot = idleCalls.popLast() {
            call(slot, timetable, scheduled: MonotonicTime.now().nanoseconds)
            room -= perEvent
            // Without subscribers, the free connections are the only bound.
        }
    }

    private func call(_ slot: UInt32, _ timetable: Timetable, scheduled: UInt64) {
        let index = Int(slot)
        let isBatch = timetable.batch > 1
        let sent = MonotonicTime.now().nanoseconds
        var expected = 0
        if let query = publishing?.query {
            messages.query(query.path, info: query.info)
        } else {
            messages.beginPublish(isBatch: isBatch)
            let publisher = Int(connections[index].number)
            for _ in 0..<timetable.batch {
                let channel = publishing?.nextChannel ?? 0
                publishing?.nextChannel = channel + 1 == plan.channels ? 0 : channel + 1
                let stamp = Stamp(
                    scheduled: scheduled, delay: UInt32(clamping: sent &- scheduled), channel: UInt32(channel),
                    publisher: UInt32(publisher), sequence: takeSequence(channel, publisher))
                expected += plan.subscriptions(of: channel)
                if let raw = plan.target.raw {
                    messages.rawPublish(plan.channelName(channel), stamp, payloadBytes: plan.payloadBytes, raw)
                    continue
                }
                messages.addEvent(
                    plan.channelName(channel), stamp, payloadBytes: plan.payloadBytes, isBatch: isBatch)
            }
            if plan.target.raw == nil { messages.endPublish(isBatch: isBatch) }
        }
        counters.published += timetable.batch
        counters.calls += 1
        counters.expected += expected
        connections[index].phase = .busyCall
        connections[index].since = scheduled
        connections[index].sent = sent
        connections[index].events = Int32(timetable.batch)
        connections[index].expected = Int32(expected)
        loop.outbox.send(messages.bytes, to: slot)
        guard language == .mqtt else { return }
        // Nobody answers: it counts as taken, and the connection is free.
        let connection = connections[index]
        connections[index].phase = .idleCall
        idleCalls.append(slot)
        replied(connection, sent)
    }

    func takeSequence(_ channel: Int, _ publisher: Int) -> UInt32 {
        let place = channel * plan.publishers + publisher
        let sequence = sequences[place]
        sequences[place] = sequence &+ 1
        return sequence
    }

    func replied(_ connection: Connection, _ now: UInt64) {
        counters.calls -= 1
        counters.replies += 1
        counters.accepted += Int(connection.events)
        if plan.clients == 0 { interval.record(now - connection.since) }
        guard connection.since >= measureFrom, connection.since < measureTo else { return }
        latencies.reply.record(now - connection.since)
        latencies.replyService.record(now - connection.sent)
    }

    func callFailed(_ connection: Connection) {
        counters.calls -= 1
        counters.rejected += Int(connection.events)
        counters.excused += Int(connection.expected)
    }
}
