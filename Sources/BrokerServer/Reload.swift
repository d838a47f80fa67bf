internal import BrokerCore
internal import Configuration
internal import Reactor
internal import Synchronization
internal import Telemetry
internal import TLS

/// Puts the settings in force that the files say now, without dropping anyone: at SIGHUP, on the main thread.
///
///     files ─load─▶ checked settings, certificates ─▶ ServerState.replaceSettings ─▶ each loop goes over between two turns
///                └▶ a fault: nothing changes, each is logged with its place        └▶ clients of closed apps leave, spread
///
/// Flags and variables are those of the start; what needs a restart stays, and is named.
struct Reload {
    private let state: ServerState
    /// nil: there are none.
    private let webhooks: WebhookKeeper?
    private let load: Server.LoadAgain
    private let isHurried: () -> Bool
    private let board = ReloadBoard()

    /// How long loops are waited for that do not go over to the new settings: more than any turn takes.
    static let patienceMilliseconds: UInt64 = 10_000

    /// - Parameter isHurried: whether something else waits for this thread, so that no loop is waited for.
    init(
        _ state: ServerState, _ load: @escaping Server.LoadAgain, webhooks: WebhookKeeper? = nil,
        isHurried: @escaping () -> Bool = { false }
    ) {
        (self.state, self.webhooks, self.load, self.isHurried) = (state, webhooks, load, isHurried)
    }

    /// Problems of a configuration that get a line of the log; the first of a generated file show the mistake.
    private static let problemLinesMax = 20

    /// Reloads, counts, logs, and leaves the answer for `starling reload`.
    /// - Returns: whether the new settings are in force.
    @discardableResult
    func run() -> Bool {
        board.begin()
        guard !state.isDraining else {
            return refused([.error("the server drains, and loads nothing any more")])
        }
        let loaded: LoadedSettings
        do throws(ConfigurationFailure) { loaded = try load().get() } catch { return refused(error.problems) }
        let certificates: TLSKeeper.Prepared?
        do throws(TLSProblem) { certificates = try state.prepareCertificates(loaded.settings.tls) } catch {
            return refused([.error("certificates not loaded, the ones in force stay: \(error.text)")])
        }
        let before = state.broker.directory
        let replacement: SettingsReplacement
        do throws(AppDirectory.NumbersUsedUp) { replacement = try replaceSettings(loaded.settings) } catch {
            return refused([.error("more than \(AppDirectory.appsMax) apps since the start; restart to load these")])
        }
        (Log.level, Log.format) = (loaded.settings.logLevel, loaded.settings.logFormat)
        state.install(certificates)
        webhooks?.reload(state.newest.snapshot.settings)
        Server.tell(loaded.warnings.prefix(Self.problemLinesMax))
        return done(AppChanges(from: before, to: state.broker.directory), replacement)
    }

    private func replaceSettings(_ settings: ServerSettings) throws(AppDirectory.NumbersUsedUp) -> SettingsReplacement {
        let start = MonotonicTime.now()
        return try state.replaceSettings(settings) {
            !isHurried() && MonotonicTime.now().nanosecondsSince(start) < Self.patienceMilliseconds * 1_000_000
        }
    }

    private func done(_ changes: AppChanges, _ replacement: SettingsReplacement) -> Bool {
        let waiting = replacement.optionsWaiting
        state.meters.reloads.count(isDone: true)
        var text = "reloaded: \(changes.text)\n"
        if !waiting.isEmpty {
            let names = waiting.joined(separator: ",")
            Log.warning("changed options wait for a restart", ("options", names))
            text += "these changed options wait for a restart: \(names)\n"
        }
        if !replacement.isEverywhere {
            Log.warning("a loop has not gone over to the new settings yet", ("advice", "it hangs, or is very busy"))
            text += "a loop has not gone over to them yet: it hangs, or is very busy\n"
        }
        Log.info(
            "reloaded", ("apps", changes.apps), ("added", changes.added), ("changed", changes.changed),
            ("disabled", changes.disabled), ("removed", changes.removed))
        board.end(isDone: true, text)
        return true
    }

    private func refused(_ problems: [Problem]) -> Bool {
        state.meters.reloads.count(isDone: false)
        Server.tell(problems.prefix(Self.problemLinesMax))
        Log.error("reload refused; the settings stay as they were", ("problems", problems.count))
        board.end(isDone: false, problems.map { "\($0)\n" }.joined() + "nothing was changed\n")
        return false
    }
}

/// Reloads since the start. Safe from any thread.
final class ReloadCounts: Sendable {
    private let doneCount = Atomic<Int>(0)
    private let refusedCount = Atomic<Int>(0)

    var done: Int { doneCount.load(ordering: .relaxed) }
    /// The configuration was at fault, or the server drained.
    var refused: Int { refusedCount.load(ordering: .relaxed) }

    func count(isDone: Bool) {
        if isDone {
            doneCount.wrappingAdd(1, ordering: .relaxed)
        } else {
            refusedCount.wrappingAdd(1, ordering: .relaxed)
        }
    }
}

/// What another snapshot of the apps changes, counted.
struct AppChanges: Equatable {
    private(set) var apps = 0
    private(set) var added = 0
    /// Other settings or keys.
    private(set) var changed = 0
    /// Among the changed ones.
    private(set) var disabled = 0
    private(set) var removed = 0

    init(from before: AppDirectory, to after: AppDirectory) {
        for app in after.apps {
            if !app.isRemoved { apps += 1 }
            guard app.index < before.apps.count else {
                added += 1
                continue
            }
            let was = before.apps[app.index]
            switch (was.isRemoved, app.isRemoved) {
            case (true, true): break
            case (true, false): added += 1
            case (false, true): removed += 1
            case (false, false):
                if !app.isConfigured(like: was) { changed += 1 }
                if app.isClosed && !was.isClosed { disabled += 1 }
            }
        }
    }

    /// `3 apps: 1 added, 2 changed`.
    var text: String {
        let parts = [(added, "added"), (changed, "changed"), (disabled, "disabled"), (removed, "removed")]
        let said = parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        return "\(apps) \(apps == 1 ? "app" : "apps"), \(said.isEmpty ? "none changed" : said)"
    }
}

/// When to reload: at once, but not again within `pauseMilliseconds` of the last one's end, so that a storm of signals costs little and
/// ends in the settings of after its last one. Time is milliseconds of one monotonic clock.
struct ReloadPace {
    static let pauseMilliseconds: UInt64 = 100

    private(set) var isWanted = false
    private var earliestMilliseconds: UInt64 = 0

    mutating func want() { isWanted = true }

    /// How long until one is due; nil: none is wanted.
    func wait(milliseconds now: UInt64) -> UInt64? {
        guard isWanted else { return nil }
        return earliestMilliseconds > now ? earliestMilliseconds - now : 0
    }

    /// Whether to reload now; whoever asks for one after this call gets another.
    mutating func take(milliseconds now: UInt64) -> Bool {
        guard wait(milliseconds: now) == 0 else { return false }
        isWanted = false
        return true
    }

    mutating func ended(milliseconds now: UInt64) { earliestMilliseconds = now + Self.pauseMilliseconds }
}
