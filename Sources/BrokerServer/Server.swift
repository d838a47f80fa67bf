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

    /// A loop's own: epoll set, wake-up.
    private static let descriptorsPerLoop = 3

    /// The highest descriptors, never a client's: a reload's and a certificate's files, and in each loop one who is being refused.
    private static let spareDescriptors = 16

    let state: ServerState
    let threads: [LoopThread]
    let signals: SignalSource
    let reload: Reload
    let supervisor: Supervisor
    let listening: Listening
    /// What all loops hold for peers that do not take it.
    let backlogs: BacklogLedger
    /// Where the metrics are; nil: nowhere.
    let metrics: MetricsListening?
    let webhooks: WebhookKeeper
    var succession: Succession
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

    /// Opens the listeners, or takes over those that are open, and starts the loops; returns when all of them serve. What can fail has been
    /// tried by the time the first client is accepted, because from then on a failure would cut clients off.
    public init(
        _ configuration: consuming LoadedSettings, build: BuildInformation, loadAgain: @escaping LoadAgain
    ) throws(StartFailure) {
        let settings = configuration.settings
        let areMetricsWanted = configuration.areMetricsWanted
        (Log.level, Log.format) = (settings.logLevel, settings.logFormat)
        Self.tell(configuration.warnings)
        let plan = ListenPlan(
            hosts: settings.hosts, isDefaultApp: settings.isDefaultApp, isContainer: ContainerSigns.here.isContainer)
        Self.warnOfDefaultApp(settings, plan)
        let limit = DescriptorLimit.raise()
        if !settings.allowsCoreFiles { CoreFiles.forbid() }
        try StateDirectory.prepare(settings.stateDirectory)
        clinux_fix_heap_thresholds()
        loopCount = max(1, min(64, settings.loops > 0 ? settings.loops : Processors.count))
        succession = try Succession(settings)
        var inherited = succession.takeInherited()
        supervisor = .here(predecessor: succession.predecessor)
        let descriptors = Int(clamping: limit.soft)
        let ports = settings.tls.isOn && settings.tls.port != nil ? 2 : 1
        let sockets = max(ports * plan.hosts.count * loopCount, inherited.brokerCount) + plan.paths.count
        let used = Self.ownDescriptors + Self.descriptorsPerLoop * loopCount + sockets
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
        let options = Self.loopOptions(state, descriptors: descriptors)
        do throws(IOError) {
            // Before any thread: each inherits the blocked signals.
            signals = try SignalSource()
            let before = inherited.brokerCount
            listening = try Listening(
                plan, port: UInt16(clamping: settings.port), tls: settings.tls, loops: loopCount, &inherited)
            try succession.check(hasTaken: inherited.brokerCount < before)
        } catch {
            throw Self.failure(error, settings, plan)
        }
        let metricsListener = try Self.metricsListener(settings, areWanted: areMetricsWanted, &inherited)
        webhooks = WebhookKeeper(broker)
        try webhooks.start(settings)
        do throws(IOError) {
            try succession.prepareOffer(TakeoverPlace(settings))
            // Who waits in a listener that was open before may ask /ready at once.
            state.isServing = true
            threads = try LoopStartup(state, listening, options: options).start()
        } catch {
            throw Self.failure(error, settings, plan)
        }
        backlogs = options.backlogs
        // A reload begins nothing that keeps the server from ending.
        reload = Reload(state, loadAgain, webhooks: webhooks) { [signals] in
            signals.isPending([.terminate, .interrupt, .user2])
        }
        metrics = try Self.metrics(metricsListener, state) { [port = Int(listening.port), backlogs, webhooks] in
            MetricsFacts(build: BuildFacts(build: build), backlogs: backlogs, webhooks: webhooks, port: port)
        }
        webhooks.openControl(settings.stateDirectory, isTakingOver: succession.predecessor != nil)
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

    private static func loopOptions(_ state: ServerState, descriptors: Int) -> LoopOptions {
        let settings = state.newest.snapshot.settings
        var options = LoopOptions()
        let spared = spareDescriptors + state.broker.loopCount
        options.clientDescriptorsEnd = CInt(clamping: max(descriptors - spared, descriptors / 2))
        options.backlogBytesMax = settings.backlogBytesMax
        options.backlogs = BacklogLedger(limitBytes: settings.backlogTotalBytesMax)
        options.inputBudget = state.inputBudget
        options.messageLength = SentMessage.length
        options.refusal = SentMessage.refusal
        options.inputBytesMax = max(settings.requestHeadBytesMax, settings.messageBytesMax) + 64
        // Measured: a client that stops acknowledging held 450 KiB in the kernel after a second of fast reading, one that was not read any
        // more 1.6 MiB, and both may become many megabytes. Now it is a quarter of one, which is 20 Mbit/s at 50 ms.
        (options.kernelSendBytes, options.kernelReceiveBytes) = (128 << 10, 128 << 10)
        return options
    }

    /// Opens the listener of the metrics. That nobody asked for them is no reason not to start: another broker on this machine may have the
    /// port.
    private static func metricsListener(
        _ settings: ServerSettings, areWanted: Bool, _ inherited: inout InheritedListeners
    ) throws(StartFailure) -> InheritedListeners.One? {
        let settings = settings.metrics
        guard settings.isEnabled else { return nil }
        do throws(IOError) { return try MetricsListening.open(settings, &inherited) } catch {
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

    private static func metrics(
        _ listener: InheritedListeners.One?, _ state: ServerState, _ makeFacts: () -> MetricsFacts
    ) throws(StartFailure) -> MetricsListening? {
        guard let listener else { return nil }
        do throws(IOError) { return try MetricsListening(listener, state, makeFacts()) } catch {
            throw StartFailure(exitCode: 69, text: "cannot serve the metrics: \(error)")
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
