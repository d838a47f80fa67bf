internal import CLinux
internal import Synchronization

/// The only door into a loop from another thread. Safe anywhere, also after the loop has ended.
public final class LoopHandle: Sendable {
    typealias Job = @Sendable (EventLoop) -> Void

    private let wakeDescriptor: Descriptor
    private let asleep = Atomic<Bool>(false)
    /// What other threads ask of the loop, in one word, so that a turn to which nobody posts takes no lock.
    private let asked = Atomic<UInt8>(0)
    private let jobs = Mutex(Jobs())

    private static let jobsWait: UInt8 = 1
    private static let stopIsDue: UInt8 = 2

    private struct Jobs {
        var waiting: [Job] = []
        /// The loop runs no more of them.
        var hasEnded = false
    }

    init() throws(IOError) { wakeDescriptor = Descriptor(owning: try IOError.check(clinux_eventfd(), "eventfd")) }

    var eventDescriptor: CInt { wakeDescriptor.raw }

    /// Makes the loop look at its work. Publish the work first, then call this; a system call is made only when the loop sleeps.
    ///
    /// Dekker's pattern: we store work then load `asleep`, the loop stores `asleep` then loads work, and a full fence stands
    /// between on both sides, so at least one of us sees the other.
    public func wake() {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard asleep.load(ordering: .relaxed) else { return }
        if asleep.exchange(false, ordering: .sequentiallyConsistent) { _ = clinux_eventfd_signal(wakeDescriptor.raw) }
    }

    /// Runs `job` on the loop's thread in its next turn, or after its last. Jobs run in the order of posting; not for the data path (a closure
    /// each).
    /// - Returns: false when the loop has ended: then the job does not run.
    @discardableResult
    public func post(_ job: @escaping @Sendable () -> Void) -> Bool { submit { _ in job() } }

    /// The same for a job that needs the loop.
    @discardableResult
    public func submit(_ job: @escaping @Sendable (EventLoop) -> Void) -> Bool {
        let isTaken = jobs.withLock {
            if !$0.hasEnded {
                $0.waiting.append(job)
                asked.bitwiseOr(Self.jobsWait, ordering: .sequentiallyConsistent)
            }
            return !$0.hasEnded
        }
        if isTaken { wake() }
        return isTaken
    }

    /// Lets `EventLoop.run` return after the turn it is in.
    public func stop() {
        asked.bitwiseOr(Self.stopIsDue, ordering: .sequentiallyConsistent)
        wake()
    }

    var isStopRequested: Bool { asked.load(ordering: .acquiring) & Self.stopIsDue != 0 }

    /// Whether `takeJobs` has something to take.
    var hasJobs: Bool { asked.load(ordering: .acquiring) & Self.jobsWait != 0 }

    func takeJobs() -> [Job] {
        jobs.withLock { jobs in
            asked.bitwiseAnd(~Self.jobsWait, ordering: .sequentiallyConsistent)
            let taken = jobs.waiting
            jobs.waiting = []
            return taken
        }
    }

    /// Loop side: takes no job any more.
    /// - Returns: those that have not run.
    func end() -> [Job] {
        jobs.withLock { jobs in
            defer { jobs = Jobs(hasEnded: true) }
            asked.bitwiseAnd(~Self.jobsWait, ordering: .sequentiallyConsistent)
            return jobs.waiting
        }
    }

    /// Loop side: announces sleep. After it, all work must be looked at once more.
    func fallAsleep() {
        asleep.store(true, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Whether the loop must not sleep: for jobs, or because it is to end.
    var isAsked: Bool { asked.load(ordering: .acquiring) != 0 }

    func wakeUp() { asleep.store(false, ordering: .sequentiallyConsistent) }

    func drainEvent() { _ = clinux_eventfd_drain(wakeDescriptor.raw) }
}
