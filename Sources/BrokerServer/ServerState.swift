internal import BrokerCore
internal import Configuration
internal import Reactor
internal import Synchronization
internal import Wire

/// What the loops of one server share besides the broker. Safe from any thread.
final class ServerState: Sendable {
    let settings: ServerSettings
    let broker: SharedBroker
    /// The configured path prefix as bytes; empty, or `/…` without a slash at its end.
    let pathPrefix: [UInt8]
    let refusals: RefusalLog
    let secrets: SecretFilter
    let limits: InputLimits
    /// WebSocket connections this process takes; the rest of the descriptors is the API's and the process's own.
    let webSocketsMax: Int
    /// What all connections may hold of requests and messages that are not whole yet.
    let inputBudget: ProcessBudget
    private let webSockets = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    private let serving = Atomic<Bool>(false)
    private let loopHandles = Mutex<[LoopHandle]>([])

    init(settings: ServerSettings, broker: SharedBroker, webSocketsMax: Int, secrets: SecretFilter) {
        self.settings = settings
        self.broker = broker
        self.webSocketsMax = webSocketsMax
        refusals = RefusalLog(linesPerSecond: settings.refusalLinesPerSecond)
        self.secrets = secrets
        limits = InputLimits(settings)
        pathPrefix = Array(settings.pathPrefix.utf8)
        // Whatever the total, one request of the largest legal size must fit.
        let largest = max(settings.requestHeadBytesMax + settings.requestBodyBytesMax, settings.messageBytesMax)
        inputBudget = ProcessBudget(limitBytes: max(settings.inputTotalBytesMax, 2 * largest))
    }

    /// No new clients; those that are here are being sent away.
    var isDraining: Bool {
        get { draining.load(ordering: .relaxed) }
        set { draining.store(newValue, ordering: .relaxed) }
    }

    /// Every listener is open.
    var isServing: Bool {
        get { serving.load(ordering: .relaxed) }
        set { serving.store(newValue, ordering: .relaxed) }
    }

    var webSocketCount: Int { webSockets.load(ordering: .relaxed) }

    /// Takes one of the process's WebSocket places.
    func acquireWebSocket() -> Bool {
        let before = webSockets.wrappingAdd(1, ordering: .relaxed).oldValue
        guard before < webSocketsMax else {
            webSockets.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func releaseWebSocket() {
        webSockets.wrappingSubtract(1, ordering: .relaxed)
    }

    /// The doors of all loops, by number; set once before any of them serves.
    var handles: [LoopHandle] {
        get { loopHandles.withLock { $0 } }
        set { loopHandles.withLock { $0 = newValue } }
    }
}

/// What one connection may send, as the readers want it.
struct InputLimits: Sendable {
    let http: HTTPLimits
    let webSocket: WebSocketLimits
    /// A connection without a request is closed after this long.
    let keepAliveMilliseconds: UInt32

    init(_ settings: ServerSettings) {
        http = HTTPLimits(headBytesMax: settings.requestHeadBytesMax, bodyBytesMax: settings.requestBodyBytesMax)
        webSocket = WebSocketLimits(messageBytesMax: settings.messageBytesMax)
        keepAliveMilliseconds = UInt32(settings.keepAliveSeconds) * 1_000
    }
}
