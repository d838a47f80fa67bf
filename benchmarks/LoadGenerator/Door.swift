internal import Reactor
internal import Synchronization

/// What the conductor tells a worker.
enum Command: Sendable {
    /// Connect all clients of this worker, at most so many handshakes under way; a rate of 0 is as fast as that allows.
    case dial(ratePerSecond: Double, window: Int)
    case dialPublishers(count: Int)
    /// Close every client connection at once.
    case hangUp
    case publish(Timetable)
    case sendClientEvents(Timetable)
    case query(Timetable, path: String, info: String)
    case changeMembership(MembershipJob)
    case probe(Probes)
    case ping(Pinging)
    /// When arrivals count for the result; whom to wake when deliveries came in.
    case measure(from: UInt64, to: UInt64, wake: [LoopHandle])
    /// Put the next sequence number of each (channel, publisher) into the door.
    case tellSequences
    /// Compare what came with what was sent: the next sequence number of each (channel, publisher).
    case verify(sent: [UInt32])
    case forget
    case stop
}

/// The histograms of one worker.
struct Latencies: Sendable {
    /// Scheduled instant → received.
    var delivery = Histogram()
    /// Actual sending → received.
    var deliveryService = Histogram()
    /// API: scheduled instant → response, and sending → response.
    var reply = Histogram()
    var replyService = Histogram()
    /// Dialing → `connection_established`, and → all subscriptions confirmed.
    var greeting = Histogram()
    var connect = Histogram()
    /// Subscribe → `subscription_succeeded` of membership jobs.
    var join = Histogram()

    mutating func merge(_ other: Latencies) {
        delivery.merge(other.delivery)
        deliveryService.merge(other.deliveryService)
        reply.merge(other.reply)
        replyService.merge(other.replyService)
        greeting.merge(other.greeting)
        connect.merge(other.connect)
        join.merge(other.join)
    }
}

/// What a worker hands back when asked to verify.
struct Verdict: Sendable {
    var lost = 0
    var latencies = Latencies()
}

/// The shared side of one worker: commands in, counts and results out. Safe on any thread.
final class Door: Sendable {
    private let commands = Mutex<[Command]>([])
    private let published = Mutex(Counters())
    private let interval = Mutex(Histogram())
    let handle = Mutex<LoopHandle?>(nil)
    let failure = Mutex<String?>(nil)
    /// The next sequence numbers of what this worker published, once it was asked.
    let sequences = Mutex<[UInt32]?>(nil)
    let verdict = Mutex<Verdict?>(nil)
    /// The first complaint of the server.
    let complaint = Mutex<String?>(nil)

    func send(_ command: Command) {
        commands.withLock { $0.append(command) }
        handle.withLock { $0 }?.wake()
    }

    func take() -> [Command] {
        commands.withLock { waiting in
            guard !waiting.isEmpty else { return [] }
            let taken = waiting
            waiting = []
            return taken
        }
    }

    var hasCommands: Bool { commands.withLock { !$0.isEmpty } }

    var counters: Counters {
        get { published.withLock { $0 } }
        set { published.withLock { $0 = newValue } }
    }

    /// Adds the latencies of the last moments, for the progress line and the plot over time.
    func addInterval(_ histogram: Histogram) { interval.withLock { $0.merge(histogram) } }

    func takeInterval() -> Histogram {
        interval.withLock { kept in
            let taken = kept
            kept = Histogram()
            return taken
        }
    }

    func complain(_ text: String) { complaint.withLock { if $0 == nil { $0 = text } } }
}
