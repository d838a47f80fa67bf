internal import Configuration
internal import Reactor
internal import Synchronization
internal import Telemetry

/// The thread and loop that serve the metrics page.
final class MetricsListening: Sendable {
    private let handle: LoopHandle
    private let thread: LoopThread
    let host: String
    /// The kernel's choice when the settings said 0.
    let port: UInt16

    /// Opens the listener; returns when its loop serves.
    /// - Throws: when the address cannot be bound, or there is no thread.
    init(_ settings: MetricsSettings, _ state: ServerState, _ makeFacts: () -> MetricsFacts) throws(IOError) {
        let listener = try Listener(
            host: settings.host, port: UInt16(clamping: settings.port), reusePort: false, backlog: 64)
        (host, port) = (settings.host, listener.port)
        let box = Mutex<Listener?>(consume listener)
        let start = Start(box, facts: makeFacts())
        thread = try LoopThread.start(name: "metrics") { start.run(state) }
        handle = try start.wait()
    }

    /// Ends the loop; whoever is being answered is cut off.
    func stop() {
        handle.stop()
        thread.join()
    }

    /// `127.0.0.1:9601`.
    var address: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// What the starting thread is given, and where it leaves its handle.
    private final class Start: Sendable {
        private let listener: Mutex<Listener?>
        private let facts: MetricsFacts
        private let result = Mutex<Result<LoopHandle, IOError>?>(nil)
        private let made = CountDownLatch(1)

        init(_ listener: consuming Mutex<Listener?>, facts: MetricsFacts) {
            self.listener = listener
            self.facts = facts
        }

        func run(_ state: ServerState) {
            let loop: EventLoop
            do throws(IOError) { loop = try EventLoop(MetricsServer.loopOptions) } catch {
                result.withLock { $0 = .failure(error) }
                return made.open()
            }
            if let own = listener.withLock({ $0.take() }) { loop.listen(on: own, tag: 0) }
            let server = MetricsServer(loop: loop, state: state, facts: facts)
            result.withLock { $0 = .success(loop.handle) }
            made.open()
            loop.run(server)
        }

        func wait() throws(IOError) -> LoopHandle {
            made.wait()
            guard let result = result.withLock({ $0 }) else { preconditionFailure("the thread has said how it went") }
            return try result.get()
        }
    }
}
