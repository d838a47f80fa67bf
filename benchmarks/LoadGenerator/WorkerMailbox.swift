internal import Reactor
internal import Synchronization

/// What a worker hands back when asked to verify.
struct Verdict: Sendable {
    var lost = 0
    var latencies = Latencies()
}

/// The shared side of one worker: commands in, counts and results out. Safe on any thread.
final class WorkerMailbox: Sendable {
    private let commands = Mutex<[WorkerCommand]>([])
    private let published = Mutex(Counters())
    private let interval = Mutex(Histogram())
    let handle = Mutex<LoopHandle?>(nil)
    let failure = Mutex<String?>(nil)
    /// The next sequence numbers of what this worker published, once it was asked.
    let sequences = Mutex<[UInt32]?>(nil)
    let verdict = Mutex<Verdict?>(nil)
    /// The first complaint of the server.
    let complaint = Mutex<String?>(nil)

    func send(_ command: WorkerCommand) {
        commands.withLock { $0.append(command) }
        handle.withLock { $0 }?.wake()
    }

    func take() -> [WorkerCommand] {
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
