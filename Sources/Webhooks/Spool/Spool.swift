public import BrokerCore
internal import Reactor
internal import Synchronization

/// What was accepted, on the disk, so that it survives the process and, as `SpoolOptions.sync` says, the power. Its format: `SpoolFormat`.
///
/// Calls are safe on any thread and never wait for the disk: a thread of its own writes. What finds no room goes on without a durable copy,
/// and is counted (`facts`).
public final class Spool: Sendable {
    private let inbox: SpoolInbox
    private let durable: Atomic<UInt64>
    private let told = Mutex(SpoolFacts())
    private let thread = Mutex<LoopThread?>(nil)

    /// Opens the spool in `directory`, which is its own and is made when it is missing, reads what it has, and begins to write.
    ///
    /// Blocks while it reads: some milliseconds, and a few seconds for a million events.
    ///
    /// - Parameter wake: called on the writing thread whenever `durableNumber` has moved or the disk has begun or ceased to fail.
    public static func open(
        _ directory: String, _ options: SpoolOptions, wake: @escaping @Sendable () -> Void
    ) throws(SpoolProblem) -> (Spool, SpoolContents) {
        let disk = try SpoolDirectory(directory)
        do throws(IOError) {
            let (writer, contents) = try SpoolWriter.open(disk, options)
            return (try Spool(writer, next: contents.nextNumber, wake), contents)
        } catch {
            throw .unusable("Cannot use the webhook spool \(directory): \(error).")
        }
    }

    private init(_ writer: SpoolWriter, next: UInt64, _ wake: @escaping @Sendable () -> Void) throws(IOError) {
        inbox = SpoolInbox(bytesMax: writer.options.inboxBytesMax)
        durable = Atomic(next - 1)
        let handover = Handover(writer: writer)
        let started = try LoopThread.start(name: "webhook-spool") { [self] in run(handover.writer, wake) }
        thread.withLock { $0 = started }
    }

    /// These events are to be kept for those endpoints. Their numbers are higher than those of all events before.
    public func append(_ entries: [SpoolEntry]) { inbox.put(entries.map { .append($0) }) }

    /// The endpoint is done with all events up to that number.
    public func finish(_ endpoint: WebhookEndpointID, through number: UInt64) {
        inbox.finish(endpoint, through: number)
    }

    /// These are dead; their endpoints no longer wait for them. A letter of the same event and endpoint is replaced.
    public func bury(_ letters: [DeadLetter]) { inbox.put(letters.map { .bury($0) }) }

    /// These are no dead letters any more: they were sent after all, or nobody wants them.
    public func forget(_ endpoint: WebhookEndpointID, _ events: [WebhookEvent.ID]) {
        inbox.put(events.map { .forget(SpoolLetterKey(endpoint: endpoint, event: $0)) })
    }

    /// Events up to this number may be sent: they are as durable as `SpoolOptions.sync` says, or will not be for now, because the disk fails
    /// or there is no room for them.
    public var durableNumber: UInt64 { durable.load(ordering: .acquiring) }

    public var facts: SpoolFacts { told.withLock { $0 } }

    /// Events that wait and are on no disk because it takes nothing: they would be lost with the process.
    public var losable: Int { told.withLock { $0.isFailing ? $0.notDurable : 0 } }

    /// Writes what was given, as far as the disk takes it, and gives the directory up. Waits for it. Nothing may be called afterwards.
    public func close() {
        inbox.close()
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }

    private func run(_ writer: SpoolWriter, _ wake: @Sendable () -> Void) {
        SpoolDirectory.ignoreFileSizeSignal()
        var orders = SpoolOrders()
        while true {
            writer.step(orders, now: MonotonicTime.now().nanoseconds)
            tell(writer.facts, orders.highest, wake)
            if orders.isLast { break }
            orders = inbox.take(until: writer.nextDue)
        }
        writer.close(now: MonotonicTime.now().nanoseconds)
        tell(writer.facts, 0, wake)
    }

    private func tell(_ facts: SpoolFacts, _ highest: UInt64, _ wake: @Sendable () -> Void) {
        let wasFailing = told.withLock { told in
            defer { told = facts }
            return told.isFailing
        }
        let hasMoved = highest > durable.load(ordering: .relaxed)
        if hasMoved { durable.store(highest, ordering: .releasing) }
        if hasMoved || wasFailing != facts.isFailing { wake() }
    }

    /// The writer on its way to its thread.
    private struct Handover: @unchecked Sendable {
        // SAFETY: whoever makes one keeps no reference to the writer.
        let writer: SpoolWriter
    }
}
