public import Configuration
internal import BrokerCore
internal import CLinux
internal import Crypto
internal import Glibc
internal import Reactor
internal import Synchronization
internal import Telemetry
internal import TLS

/// The running daemon: one loop a core, and the thread that hears signals.
public final class Server {
    /// Why the server did not start, for people, with the exit code that says the same to a supervisor.
    public struct StartFailure: Error {
        public var exitCode: Int32
        public var text: String
    }

    /// Descriptors that are neither clients' nor the reserve: listeners, epoll sets, wake-ups, standard streams, all of the metrics.
    private static let ownDescriptors = 32

    /// A loop's own: epoll set, wake-up, one listener an address.
    private static let descriptorsPerLoop = 4

    let state: ServerState
    let threads: [LoopThread]
    let signals: SignalSource
    let reload: Reload
    let supervisor = Supervisor.here
    let listening: Listening
    /// Where the metrics are; nil: nowhere.
    let metrics: MetricsListening?
    /// The port that is listened on; the kernel's choice when the settings said 0.
    public var port: UInt16 { listening.port }
    /// The port of the metrics; nil: they are not served.
    public var metricsPort: UInt16? { metrics?.port }
    /// The port that has TLS alone, if there is one.
    public var tlsPort: UInt16? { listening.tlsPort }
    var settings: ServerSettings { state.newest.snapshot.settings }
    var webSocketsMax: Int { state.webSocketsMax }
    var appCount: Int { state.broker.apps.count }
    /// Loops that serve.
    let loopCount: Int
    /// Loads the settings again, for a reload; on the main thread.
    public typealias LoadAgain = () -> Result<LoadedSettings, ConfigurationFailure>

    /// Opens the listeners and starts the loops; returns when all of them serve.
    public init(
        _ configuration: consuming LoadedSettings, build: BuildInformation, loadAgain: @escaping LoadAgain
    ) throws(StartFailure) {
        let settings = configuration.settings
        let areMetricsWanted = configuration.areMetricsWanted
        Log.level = settings.logLevel
        Self.tell(configuration.warnings)
        let plan = ListenPlan(
            host: settings.host, isDefaultApp: settings.isDefaultApp, isContainer: ContainerSigns.here.isContainer)
        Self.warnOfDefaultApp(settings, plan)
        let limit = DescriptorLimit.raise()
        clinux_fix_heap_thresholds()
        loopCount = max(1, min(64, settings.loops > 0 ? settings.loops : Processors.count))
        let descriptors = Int(clamping: limit.soft)
        let ports = settings.tls.isOn && settings.tls.port != nil ? 2 : 1
        let used = Self.ownDescriptors + (Self.descriptorsPerLoop + ports * plan.hosts.count - 1) * loopCount
        let room = descriptors - used - settings.apiReserve
        Self.warnOfRoom(settings, room: room, descriptors: descriptors)
        let fits = max(1, min(room, settings.connectionsMax ?? .max))
        let broker = SharedBroker(
            settings: settings.apps, loopCount: loopCount, secrets: Self.secrets(),
            headroomBytes: WebSocketFraming.headroomBytes)
        let secrets = SecretFilter(secrets: settings.secrets)
        state = ServerState(
            settings: settings, broker: broker, webSocketsMax: fits, secrets: secrets,
            tls: try Self.certificates(settings.tls))
        let backlogs: BacklogLedger
        do throws(IOError) {
            // Before any thread: each inherits the blocked signals.
            signals = try SignalSource()
            listening = try Listening(
                plan, port: UInt16(clamping: settings.port), tls: settings.tls, loops: loopCount)
            let options = Self.loopOptions(state)
            threads = try LoopStartup(state, listening, options: options).start()
            backlogs = options.backlogs
        } catch {
            throw Self.failure(error, settings, plan)
        }
        // A reload begins nothing that keeps the server from ending.
        reload = Reload(state, loadAgain) { [signals] in signals.isPending([.terminate, .interrupt, .user2]) }
        metrics = try Self.metrics(state, areWanted: areMetricsWanted) { [port = Int(listening.port)] in
            MetricsFacts(build: BuildFacts(build: build), backlogs: backlogs, port: port)
        }
        state.isServing = true
    }

    private static func certificates(_ settings: TLSSettings) throws(StartFailure) -> TLSKeeper? {
        guard settings.isOn else { return nil }
        do throws(TLSProblem) { return try TLSKeeper(settings.files) } catch {
            throw StartFailure(exitCode: 78, text: "TLS: \(error.text)")
        }
    }

    private static func secrets() -> BrokerSecrets {
        BrokerSecrets(
            names: SecretKey(Randomness.uint64(), Randomness.uint64()),
            socketIDs: SecretKey(Randomness.uint64(), Randomness.uint64()))
    }

    private static func loopOptions(_ state: ServerState) -> LoopOptions {
        let settings = state.newest.snapshot.settings
        var options = LoopOptions()
        options.backlogBytesMax = settings.backlogBytesMax
        options.backlogs = BacklogLedger(limitBytes: settings.backlogTotalBytesMax)
        options.inputBudget = state.inputBudget
        options.messageLength = SentMessage.length
        options.refusal = SentMessage.refusal
        options.inputBytesMax = max(settings.requestHeadBytesMax, settings.messageBytesMax) + 64
        return options
    }

    /// Serves the metrics. That nobody asked for them is no reason not to start: another broker on this machine may have the port.
    private static func metrics(
        _ state: ServerState, areWanted: Bool, _ makeFacts: () -> MetricsFacts
    ) throws(StartFailure) -> MetricsListening? {
        let settings = state.newest.snapshot.settings.metrics
        guard settings.isEnabled else { return nil }
        do throws(IOError) { return try MetricsListening(settings, state, makeFacts) } catch {
            let place = "\(settings.host):\(settings.port)"
            guard areWanted else {
                Log.warning(
                    "no metrics", ("address", place), ("reason", error.description),
                    (
                        "advice",
                        "another broker may have the port: choose one with --metrics-port, or say --no-metrics-enabled"
                    ))
                return nil
            }
            throw StartFailure(
                exitCode: 69,
                text: "cannot serve the metrics on \(place): \(error); choose another port with --metrics-port")
        }
    }

    private static func failure(_ error: IOError, _ settings: ServerSettings, _ plan: ListenPlan) -> StartFailure {
        if ListenPlan.isTaken(error) {
            let isOfTLS = settings.tls.port.map { error.call.hasSuffix(":\($0)") } ?? false
            let (port, flag) = isOfTLS ? (Int(settings.tls.port ?? 0), "--tls-port") : (settings.port, "--port")
            return StartFailure(
                exitCode: 69,
                text:
                    "port \(port) on \(plan.text) is taken: another server, perhaps another Starling, listens there; "
                    + "stop it or choose another port with \(flag)")
        }
        return StartFailure(exitCode: 69, text: "cannot start: \(error)")
    }
}
