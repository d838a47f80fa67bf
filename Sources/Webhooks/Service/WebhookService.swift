public import BrokerCore
internal import Crypto
internal import PusherProtocol
internal import Reactor
internal import Synchronization
internal import Telemetry

/// The webhooks of one process: a thread of its own, "webhooks", from the first configured endpoint, or the state directory, to the process's end.
/// Safe from any thread.
public final class WebhookService: Sendable {
    /// Why it did not start, for people.
    public struct Problem: Error {
        public var text: String
    }

    /// What may wait of edges; what comes then is dropped and counted.
    private static let edgeBytesMax = 64 << 20

    private let door: WebhookDoor
    private let thread: LoopThread

    /// Opens the spool, if there is to be one, and starts. Returns when what happens from now on is taken.
    public init(_ broker: SharedBroker, _ options: WebhookOptions) throws(Problem) {
        let start = Start(broker, options)
        do throws(IOError) { thread = try LoopThread.start(name: "webhooks") { start.run() } } catch {
            throw Problem(text: "no thread for webhooks: \(error)")
        }
        door = try start.wait()
        Self.tell(broker, options)
    }

    private static func tell(_ broker: SharedBroker, _ options: WebhookOptions) {
        guard options.stateDirectory.isEmpty, hasEndpoints(broker.directory) else { return }
        Log.warning(
            "webhooks wait in memory only",
            ("reason", "no state directory is set: what waits is lost with the process; see --state-directory"))
    }

    /// Whether an app that is served has an endpoint.
    public static func hasEndpoints(_ directory: AppDirectory) -> Bool {
        directory.apps.contains { !$0.isClosed && !$0.settings.webhooks.isEmpty }
    }

    /// Takes over other settings and apps; what waits stays.
    public func reload(_ directory: AppDirectory, _ options: WebhookOptions) {
        door.post(.configure(directory, options))
    }

    /// The process is to end: what waits for a return is told now.
    public func drain() { door.post(.drain) }

    /// Events that would be lost, or not told, if the process ended now.
    public var unsent: Int { door.unsent }

    /// What waits is in the spool; false: there is none, or another process has it.
    public var hasSpool: Bool { door.hasSpool }

    /// Takes what has happened, leaves what waits in the spool, and ends the thread. Once, after the loops have ended.
    public func stop() {
        door.post(.stop)
        thread.join()
    }

    /// Asks for its numbers, which come on its thread; not at all after its end.
    public func ask(_ reply: @escaping @Sendable (WebhookFacts) -> Void) { door.post(.facts(reply)) }

    /// What the starting thread is given, and where it leaves its door.
    private final class Start: Sendable {
        private let broker: SharedBroker
        private let options: WebhookOptions
        private let result = Mutex<Result<WebhookDoor, Problem>?>(nil)
        private let isDone = CountDownLatch(1)

        init(_ broker: SharedBroker, _ options: WebhookOptions) { (self.broker, self.options) = (broker, options) }

        func run() {
            do throws(Problem) { try serve() } catch { tell(.failure(error)) }
        }

        private func tell(_ how: Result<WebhookDoor, Problem>) {
            result.withLock { $0 = how }
            isDone.open()
        }

        func wait() throws(Problem) -> WebhookDoor {
            isDone.wait()
            guard let result = result.withLock({ $0 }) else { preconditionFailure("the thread has said how it went") }
            return try result.get()
        }

        private func serve() throws(Problem) {
            let loop: EventLoop
            do throws(IOError) { loop = try EventLoop(WebhookClient.loopOptions) } catch {
                throw Problem(text: "no loop for webhooks: \(error)")
            }
            let wake: @Sendable () -> Void = { [handle = loop.handle] in handle.wake() }
            var spool = SpoolKeeper(options, wake: wake)
            let found: SpoolContents?
            do throws(SpoolProblem) { found = try spool.open(now: loop.now.nanoseconds / 1_000_000) } catch {
                throw Problem(text: error.text)
            }
            guard let consumer = broker.registerConsumer(queueBytesMax: WebhookService.edgeBytesMax, wake: wake) else {
                throw Problem(text: "no place for webhooks among those who are told what happens")
            }
            let door = WebhookDoor(loop.handle, consumer)
            let worker = WebhookWorker(
                loop: loop, door: door,
                source: EventSource(broker, consumer, next: Self.firstNumber(found, isWanted: spool.isWanted)),
                spool: spool, directory: broker.directory)
            let client = WebhookClient(loop: loop, duties: worker)
            worker.begin(client, options, found: found)
            tell(.success(door))
            withExtendedLifetime(worker) { loop.run(client) }
        }

        /// Numbers grow over all processes that use a spool. Whoever does not know the last one, because another process still has it, begins with the
        /// microseconds since 1970: no process makes a million events a second for long.
        private static func firstNumber(_ found: SpoolContents?, isWanted: Bool) -> UInt64 {
            if let found { return found.nextNumber }
            return isWanted ? WallClock.nanoseconds() / 1_000 : 1
        }
    }
}

extension WebhookService: ControlDuties {
    public func answer(_ request: ControlRequest, _ reply: @escaping @Sendable (ControlReply) -> Void) {
        door.post(.control(request, reply))
    }
}
