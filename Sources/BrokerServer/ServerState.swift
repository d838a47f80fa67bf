internal import BrokerCore
internal import Configuration
internal import Reactor
internal import Synchronization
internal import TLS
internal import Wire

/// What the loops of one server share besides the broker. Safe from any thread.
final class ServerState: Sendable {
    let broker: SharedBroker
    let refusals: RefusalLog
    /// The certificates; nil: no TLS.
    let tls: TLSKeeper?
    private let snapshots: Mutex<(newest: SettingsSnapshot, number: Int)>
    private let newestNumber = Atomic<Int>(0)
    /// WebSocket connections this process takes; the rest of the descriptors is the API's and the process's own.
    let webSocketsMax: Int
    /// What all connections may hold of requests and messages that are not whole yet.
    let inputBudget: ProcessBudget
    private let webSockets = Atomic<Int>(0)
    private let loopHandles = Mutex<[LoopHandle]>([])
    let meters: Meters
    /// The addresses of connections, as far as a limit of theirs is set.
    let addresses = AddressBook()
    /// Whether memory is short.
    var memory: MemoryPressure { meters.memory }
    private let standing: Standing

    init(
        settings: ServerSettings, broker: SharedBroker, webSocketsMax: Int, secrets: SecretFilter, tls: TLSKeeper? = nil
    ) {
        snapshots = Mutex((SettingsSnapshot(settings, apps: broker.directory, secrets: secrets), 0))
        (self.broker, self.tls) = (broker, tls)
        self.webSocketsMax = webSocketsMax
        meters = Meters(loops: broker.loopCount)
        standing = Standing(loops: broker.loopCount)
        refusals = RefusalLog(linesPerSecond: settings.refusalLinesPerSecond)
        // Whatever the total, one request of the largest legal size must fit.
        let largest = max(settings.requestHeadBytesMax + settings.requestBodyBytesMax, settings.messageBytesMax)
        inputBudget = ProcessBudget(limitBytes: max(settings.inputTotalBytesMax, 2 * largest))
    }

    /// The settings in force from the next turn of each loop on, and their number.
    var newest: (snapshot: SettingsSnapshot, number: Int) { snapshots.withLock { ($0.newest, $0.number) } }

    /// Asked by each loop in each turn: a load.
    var snapshotNumber: Int { newestNumber.load(ordering: .acquiring) }

    /// Puts other settings in force: what `Option.isReloadable` says of an option, and the apps. Each loop goes over to them between two of its
    /// turns, with all its parts at once; connections, channels, quotas and what is under way stay. Not on a loop's thread.
    ///
    /// Returns when every loop has that still serves: whatever a client sends from then on meets the new settings.
    /// - Parameters:
    ///   - settings: checked settings.
    ///   - mayWait: whether loops that have not gone over yet are waited for; asked again and again.
    /// - Throws: when there is no number left for a new app; then nothing has changed.
    @discardableResult
    func replaceSettings(
        _ settings: ServerSettings, mayWait: () -> Bool = { true }
    ) throws(AppDirectory.NumbersUsedUp) -> SettingsReplacement {
        let secrets = SecretFilter(secrets: settings.secrets)
        let waiting = try snapshots.withLock {
            (state: inout (newest: SettingsSnapshot, number: Int)) throws(AppDirectory.NumbersUsedUp) -> [String] in
            let apps = try broker.replaceApps(settings.apps)
            let (reloaded, waiting) = state.newest.settings.reloading(settings)
            state = (SettingsSnapshot(reloaded, apps: apps, secrets: secrets), state.number + 1)
            newestNumber.store(state.number, ordering: .releasing)
            return waiting
        }
        // A job runs before its turn takes the snapshot, and that before anything more is read. A loop that has ended reads nothing.
        let (handles, taken) = (handles, CountDownLatch(handles.count))
        for handle in handles where !handle.post({ taken.open() }) { taken.open() }
        var isEverywhere = taken.wait(milliseconds: 0)
        while !isEverywhere, mayWait() { isEverywhere = taken.wait(milliseconds: 20) }
        return SettingsReplacement(optionsWaiting: waiting, isEverywhere: isEverywhere)
    }

    var isDraining: Bool {
        get { standing.isDraining }
        set { standing.isDraining = newValue }
    }

    var isServing: Bool {
        get { standing.isServing }
        set { standing.isServing = newValue }
    }

    var isReplaced: Bool {
        get { standing.isReplaced }
        set { standing.isReplaced = newValue }
    }

    var lastAnswers: LastAnswers { standing.lastAnswers }

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

/// How settings were replaced.
struct SettingsReplacement: Equatable {
    /// Options that wait for a restart.
    var optionsWaiting: [String]
    /// Every loop that serves has gone over to them.
    var isEverywhere: Bool
}
