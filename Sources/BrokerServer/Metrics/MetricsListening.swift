internal import Configuration
internal import Reactor
internal import Synchronization
internal import Telemetry

/// The thread and loop that serve the metrics page.
final class MetricsListening: Sendable {
    private let handle: LoopHandle
    private let thread: LoopThread
    private let listener: InheritedListeners.One
    /// The kernel's choice when the settings said 0.
    var port: UInt16 { listener.box.port }

    /// Opens the listener, or takes the one that is open: before anybody is served, because it may fail.
    static func open(
        _ settings: MetricsSettings, _ inherited: inout InheritedListeners
    ) throws(IOError) -> InheritedListeners.One {
        if let given = inherited.takeGiven(.metrics).first { return given }
        let port = UInt16(clamping: settings.port)
        func one(_ box: ListenerBox) -> InheritedListeners.One {
            InheritedListeners.One(role: .metrics, host: settings.host, isGiven: false, box: box)
        }
        if let open = inherited.take(.metrics, settings.host, port: port).first { return one(open) }
        return one(ListenerBox(try Listener(host: settings.host, port: port, reusePort: false, backlog: 64)))
    }

    /// Serves on an open listener; returns when its loop does.
    /// - Throws: when there is no thread.
    init(_ open: InheritedListeners.One, _ state: ServerState, _ facts: MetricsFacts) throws(IOError) {
        listener = open
        let start = Start(open.box, facts: facts)
        thread = try LoopThread.start(name: "metrics") { start.run(state) }
        handle = try start.wait()
    }

    /// To be handed to another process.
    var handed: (TakeoverTalk.Handed, CInt) { listener.handed }

    /// Leaves the listener to another process.
    func leaveListener() { handle.submit { $0.stopListening() } }

    /// Ends the loop; whoever is being answered is cut off.
    func stop() {
        handle.stop()
        thread.join()
    }

    /// `127.0.0.1:9601`.
    var address: String {
        let host = listener.host
        if host.hasPrefix(ListenAddress.unixMark) { return host }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// What the starting thread is given, and where it leaves its handle.
    private final class Start: Sendable {
        private let box: ListenerBox
        private let facts: MetricsFacts
        private let result = Mutex<Result<LoopHandle, IOError>?>(nil)
        private let made = CountDownLatch(1)

        init(_ box: ListenerBox, facts: MetricsFacts) { (self.box, self.facts) = (box, facts) }

        func run(_ state: ServerState) {
            let loop: EventLoop
            do throws(IOError) { loop = try EventLoop(MetricsServer.loopOptions) } catch {
                result.withLock { $0 = .failure(error) }
                return made.open()
            }
            if let own = box.take() { loop.listen(on: own, tag: 0) }
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
