internal import Reactor

/// Connections that only ask how long a greeting takes, by a timetable, while something else happens.
struct Probes {
    var pacer: Pacer
    let end: UInt64
}

/// What idle clients do: each sends `pusher:ping` once in an interval, spread evenly.
struct Pinging {
    var pacer: Pacer
    let end: UInt64
    var nextClient = 0
}

/// What goes on beside the load.
extension Worker {
    func probesDue() {
        guard var job = probes else { return }
        defer { probes = job.pacer.next < job.end ? job : nil }
        let now = MonotonicTime.now().nanoseconds
        while job.pacer.next <= now, job.pacer.next < job.end {
            let due = job.pacer.next
            job.pacer.step()
            if let slot = dialOne(plan.clients, tag: Self.probeTag) {
                connections[Int(slot)].since = due
                connections[Int(slot)].isProbe = true
            } else {
                counters.failedProbes += 1
            }
        }
        if job.pacer.next < job.end { wake(at: max(now + 1, job.pacer.next)) }
    }

    func probeGreeted(_ slot: UInt32, _ now: UInt64) {
        latencies.connect.record(now - connections[Int(slot)].since)
        connections[Int(slot)].phase = .ready
        counters.probes += 1
        loop.abort(slot)
    }

    func pingsDue() {
        guard var job = pinging, !clientSlots.isEmpty else { return }
        defer { pinging = job.pacer.next < job.end ? job : nil }
        let now = MonotonicTime.now().nanoseconds
        while job.pacer.next <= now, job.pacer.next < job.end {
            job.pacer.step()
            let slot = clientSlots[job.nextClient]
            job.nextClient = job.nextClient + 1 == clientSlots.count ? 0 : job.nextClient + 1
            guard slot != .max, connections[Int(slot)].phase == .ready else { continue }
            messages.begin()
            messages.addPing()
            loop.outbox.send(messages.bytes, to: slot)
            counters.pings += 1
        }
        if job.pacer.next < job.end { wake(at: max(now + 1, job.pacer.next)) }
    }
}
