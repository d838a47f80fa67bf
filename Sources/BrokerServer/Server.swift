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

    /// A loop's own: epoll set, wake-up, one listener an address.
    private static let descriptorsPerLoop = 4

    let state: ServerState
    let threads: [LoopThread]
    let signals: SignalSource
    let reload: Reload
    let supervisor = Supervisor.here
    let listening: Listening
    /// The port that is listened on; the kernel's choice when the settings said 0.
    public var port: UInt16 { listening.port }
    var settings: ServerSettings { state.newest.snapshot.settings }
    var webSocketsMax: Int { state.webSocketsMax }
    var appCount: Int { state.broker.apps.count }
    /// Loops that serve.
    let loopCount: Int
    /// Loads the settings again, for a reload; on the main thread.
    public typealias LoadAgain = () -> Result<LoadedSettings, ConfigurationFailure>

    /// Opens the listeners and starts the loops; returns when all of them serve.
    public init(
        _ configuration: consuming LoadedSettings, loadAgain: @escaping LoadAgain
    ) throws(StartFailure) {
        let settings = configuration.settings
        Log.level = settings.logLevel
        Self.tell(configuration.warnings)
        let plan = ListenPlan(
            host: settings.host, isDefaultApp: settings.isDefaultApp, isContainer: ContainerSigns.here.isContainer)
        Self.warnOfDefaultApp(settings, plan)
        let limit = DescriptorLimit.raise()
        clinux_fix_heap_thresholds()
        loopCount = max(1, min(64, settings.loops > 0 ? settings.loops : Processors.count))
        let descriptors = Int(clamping: limit.soft)
        let used = Self.ownDescriptors + (Self.descriptorsPerLoop + plan.hosts.count - 1) * loopCount
        let room = descriptors - used - settings.apiReserve
        Self.warnOfRoom(settings, room: room, descriptors: descriptors)
        let fits = max(1, min(room, settings.connectionsMax ?? .max))
        let broker = SharedBroker(
            settings: settings.apps, loopCount: loopCount, secrets: Self.secrets(),
            headroomBytes: WebSocketFraming.headroomBytes)
        let secrets = SecretFilter(secrets: settings.apps.lazy.flatMap(\.keys).map(\.secret))
        state = ServerState(settings: settings, broker: broker, webSocketsMax: fits, secrets: secrets)
        reload = Reload(state, loadAgain)
        do throws(IOError) {
            // Before any thread: each inherits the blocked signals.
            signals = try SignalSource()
            listening = try Listening(plan, port: UInt16(clamping: settings.port), loops: loopCount)
            threads = try LoopStartup(state, listening, options: Self.loopOptions(state)).start()
        } catch {
            throw Self.failure(error, settings, plan)
        }
        state.isServing = true
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

    private static func failure(_ error: IOError, _ settings: ServerSettings, _ plan: ListenPlan) -> StartFailure {
        if ListenPlan.isTaken(error) {
            return StartFailure(
                exitCode: 69,
                text:
                    "port \(settings.port) on \(plan.text) is taken: another server, perhaps another Starling, listens there; "
                    + "stop it or choose another port with --port")
        }
        return StartFailure(exitCode: 69, text: "cannot start: \(error)")
    }
}
