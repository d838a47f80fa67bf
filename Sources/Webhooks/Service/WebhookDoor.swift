internal import BrokerCore
internal import Reactor
internal import Synchronization

/// What other threads ask of the webhooks' thread.
enum WebhookCommand: Sendable {
    case configure(AppDirectory, WebhookOptions)
    /// The process is to end: nothing waits for a return any more.
    case drain
    /// The last: what has happened is taken, and the loop ends.
    case stop
    case facts(@Sendable (WebhookFacts) -> Void)
    case control(ControlRequest, @Sendable (ControlReply) -> Void)
}

/// The way in for other threads, and what they may know at once. Safe from any thread.
final class WebhookDoor: Sendable {
    private let commands = Mutex<[WebhookCommand]>([])
    private let areWaiting = Atomic<Bool>(false)
    private let unsentCount = Atomic<Int>(0)
    private let isSpooled = Atomic<Bool>(false)
    private let handle: LoopHandle
    private let consumer: EdgeConsumer

    init(_ handle: LoopHandle, _ consumer: EdgeConsumer) { (self.handle, self.consumer) = (handle, consumer) }

    func post(_ command: WebhookCommand) {
        commands.withLock {
            $0.append(command)
            areWaiting.store(true, ordering: .sequentiallyConsistent)
        }
        handle.wake()
    }

    var hasCommands: Bool { areWaiting.load(ordering: .sequentiallyConsistent) }

    func take() -> [WebhookCommand] {
        guard hasCommands else { return [] }
        return commands.withLock { commands in
            areWaiting.store(false, ordering: .sequentiallyConsistent)
            defer { commands = [] }
            return commands
        }
    }

    /// Told in each turn.
    func tell(unsent: Int, hasSpool: Bool) {
        unsentCount.store(unsent, ordering: .relaxed)
        isSpooled.store(hasSpool, ordering: .relaxed)
    }

    /// The spool is ours.
    var hasSpool: Bool { isSpooled.load(ordering: .relaxed) }

    /// Events that would be lost if the process ended now, and something that happened and was not looked at.
    var unsent: Int { unsentCount.load(ordering: .relaxed) + (consumer.queuedBytes > 0 ? 1 : 0) }
}
