public import Configuration
internal import BrokerCore
internal import CLinux
internal import Crypto
internal import Glibc
internal import Reactor
internal import Synchronization
internal import Telemetry

/// The running daemon: one loop a core, and the thread that hears signals.
public final class Server {
    /// Why the server did not start, for people, with the exit code that says the same to a supervisor.
    public struct StartFailure: Error {
        public var exitCode: Int32
        public var text: String
    }

    /// Descriptors that are neither clients' nor the reserve: listeners, epoll sets, wake-ups, standard streams.
    private static let ownDescriptors = 32

    private let state: ServerState
    private let threads: [LoopThread]
    private let signals: SignalSource
    /// The port that is listened on; the kernel's choice when the settings said 0.
    public let port: UInt16
    /// Loops that serve.
    let loopCount: Int
    /// What a person should see first: addresses, how many connections fit, what to paste.
    public var banner: String {
        Banner.text(state.settings, port: Int(port), loops: loopCount, webSocketsMax: state.webSocketsMax)
    }

    /// Opens the listeners and starts the loops; returns when all of them serve.
    public init(_ whole: consuming ServerSettings) throws(StartFailure) {
        var settings = whole
        Log.level = LogLevel(name: settings.logLevel.rawValue) ?? .info
        let limit = DescriptorLimit.raise()
        clinux_fix_heap_thresholds()
        loopCount = max(1, min(64, settings.loops > 0 ? settings.loops : Processors.count))
        let fits = Self.webSocketsThatFit(settings, descriptors: Int(clamping: limit.soft), loops: loopCount)
        let broker = SharedBroker(settings: settings.apps, loopCount: loopCount, secrets: Self.secrets())
        // The broker has them all; the banner shows the first.
        settings.apps = Array(settings.apps.prefix(1))
        state = ServerState(settings: settings, broker: broker, webSocketsMax: fits)
        do throws(IOError) {
            // Before any thread: each inherits the blocked signals.
            signals = try SignalSource()
            let listeners = try Self.listen(settings, count: loopCount)
            port = listeners.port
            threads = try Self.startLoops(state, listeners, options: Self.loopOptions(settings))
        } catch {
            throw Self.failure(error, settings)
        }
        state.isServing = true
    }

    private static func secrets() -> BrokerSecrets {
        BrokerSecrets(
            names: SecretKey(Randomness.uint64(), Randomness.uint64()),
            socketIDs: SecretKey(Randomness.uint64(), Randomness.uint64()))
    }

    private static func webSocketsThatFit(_ settings: ServerSettings, descriptors: Int, loops: Int) -> Int {
        let free = descriptors - ownDescriptors - 4 * loops - settings.apiReserve
        return max(1, min(free, settings.connectionsMax ?? .max))
    }

    private static func loopOptions(_ settings: ServerSettings) -> LoopOptions {
        var options = LoopOptions()
        options.backlogBytesMax = settings.backlogBytesMax
        options.backlogTotalBytesMax = settings.backlogTotalBytesMax
        options.inputBytesMax = max(settings.requestHeadBytesMax, settings.messageBytesMax) + 64
        return options
    }

    // MARK: Listeners

    /// One listener a loop on one port, handed to the loops' threads as plain values.
    private final class Listeners: Sendable {
        let waiting: Mutex<[ListenerBox]>
        let port: UInt16
        init(_ listeners: [ListenerBox], port: UInt16) {
            waiting = Mutex(listeners)
            self.port = port
        }
        func take() -> ListenerBox? { waiting.withLock { $0.popLast() } }
    }

    /// A listener in a class, because an array holds no noncopyable values.
    private final class ListenerBox: Sendable {
        private let listener: Mutex<Listener?>
        init(_ listener: consuming Listener) { self.listener = Mutex(consume listener) }
        func take() -> Listener? { listener.withLock { $0.take() } }
    }

    private static func listen(_ settings: ServerSettings, count: Int) throws(IOError) -> Listeners {
        let wanted = UInt16(clamping: settings.port)
        if wanted != 0 {
            // `SO_REUSEPORT` would let a second broker share the port of a first one in silence, so the first try goes without.
            _ = try Listener(host: settings.host, port: wanted, reusePort: false, backlog: 1)
        }
        let first = try Listener(host: settings.host, port: wanted, reusePort: true, backlog: 4_096)
        let port = first.port
        var boxes = [ListenerBox(first)]
        for _ in 1..<max(1, count) {
            boxes.append(
                ListenerBox(try Listener(host: settings.host, port: port, reusePort: true, backlog: 4_096)))
        }
        return Listeners(boxes, port: port)
    }

    private static func failure(_ error: IOError, _ settings: ServerSettings) -> StartFailure {
        if !error.isResolution, error.code == EADDRINUSE {
            return StartFailure(
                exitCode: 69,
                text:
                    "port \(settings.port) on \(settings.host) is taken: another server, perhaps another Starling, listens there; "
                    + "stop it or choose another port with --port")
        }
        return StartFailure(exitCode: 69, text: "cannot start: \(error)")
    }

    // MARK: Loops

    /// Where the starting threads leave their handles or the error that stopped one.
    private final class Starting: Sendable {
        let handles: Mutex<[LoopHandle?]>
        let failure = Mutex<IOError?>(nil)
        init(count: Int) { handles = Mutex(Array(repeating: nil, count: count)) }

        /// All handles once the last loop has made its own.
        var all: [LoopHandle]? {
            handles.withLock { list in
                let made = list.compactMap { $0 }
                return made.count == list.count ? made : nil
            }
        }
    }

    private static func startLoops(
        _ state: ServerState, _ listeners: Listeners, options: LoopOptions
    ) throws(IOError) -> [LoopThread] {
        let count = state.broker.loopCount
        let starting = Starting(count: count)
        let (made, begin, serving) = (Gate(count), Gate(1), Gate(count))
        var threads: [LoopThread] = []
        for number in 0..<count {
            threads.append(
                try LoopThread.start(name: "loop-\(number)") {
                    serve(number, state, listeners, options, starting, made, begin, serving)
                })
        }
        made.wait()
        if let failure = starting.failure.withLock({ $0 }) { throw failure }
        state.handles = starting.all ?? []
        begin.open()
        serving.wait()
        return threads
    }

    /// The whole life of one loop's thread.
    private static func serve(
        _ number: Int, _ state: ServerState, _ listeners: Listeners, _ options: LoopOptions, _ starting: Starting,
        _ made: Gate, _ begin: Gate, _ serving: Gate
    ) {
        let loop: EventLoop
        do throws(IOError) { loop = try EventLoop(options) } catch {
            starting.failure.withLock { $0 = error }
            return made.open()
        }
        starting.handles.withLock { $0[number] = loop.handle }
        made.open()
        begin.wait()
        let server = LoopServer(state: state, loop: loop, number: number)
        server.handles = state.handles
        if let listener = listeners.take()?.take() { loop.listen(on: listener, tag: 0) }
        serving.open()
        loop.run(server)
    }

    // MARK: Running and stopping

    /// Blocks until the server has stopped: by a signal, in good order. A second signal ends it at once.
    public func run() {
        // What reading the configuration left behind: with many apps that is as much as they hold.
        clinux_trim_heap()
        while let signal = signals.wait() {
            switch signal {
            case .terminate, .interrupt: return drain()
            case .hangup: Log.info("SIGHUP: settings are read at start only; restart to change them")
            case .user1: logState()
            case .user2: Log.info("SIGUSR2 is not used")
            }
        }
    }

    private func logState() {
        for app in state.broker.apps {
            Log.info(
                "state", ("app", app.settings.id), ("connections", app.connectionCount),
                ("channels", app.channelCount))
        }
        let tables = state.broker.tableStatistics
        Log.info(
            "tables of names", ("longest_probe", tables.longestProbe), ("overlong_probes", tables.overlongProbes),
            ("held_bytes", tables.heldBytes))
    }

    /// Takes no more clients, sends every client away with 4200 over the grace period, and ends when they are gone (PW-037).
    private func drain() {
        state.isDraining = true
        Log.info("draining", ("connections", state.webSocketCount), ("seconds", state.settings.shutdownGraceSeconds))
        let end = MonotonicTime.now().after(
            nanoseconds: UInt64(state.settings.shutdownGraceSeconds) * LoopServer.second)
        while state.webSocketCount > 0, MonotonicTime.now() < end {
            if let again = signals.wait(milliseconds: 50), again == .terminate || again == .interrupt { break }
        }
        // One turn more, so that the last close frames reach the kernel.
        let flushed = Gate(threads.count)
        for handle in state.handles { handle.post { flushed.open() } }
        flushed.wait()
        for handle in state.handles { handle.stop() }
        for thread in threads { thread.join() }
        Log.info("stopped")
    }
}
