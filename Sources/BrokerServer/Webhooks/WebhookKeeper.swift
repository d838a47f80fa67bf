internal import BrokerCore
internal import Configuration
internal import Reactor
internal import Synchronization
internal import Telemetry
internal import Webhooks

/// The server's webhooks: nothing, no thread and no memory, until an app has an endpoint or there is a state directory; from then on a
/// `WebhookService`, to the end. Safe from any thread; started, reloaded and stopped on the main one.
final class WebhookKeeper: Sendable {
    private struct State {
        var service: WebhookService?
        var control: ControlServer?
        /// Where it is opened as soon as the spool is ours.
        var awaitedControl: String?
        /// What was told last, for the case that nobody answers.
        var facts = WebhookFacts()
    }

    private let broker: SharedBroker
    private let state = Mutex(State())

    /// How long a scrape waits for the webhooks' thread.
    private static let factsMilliseconds = 300

    init(_ broker: SharedBroker) { self.broker = broker }

    /// Before the first client is let in.
    func start(_ settings: ServerSettings) throws(Server.StartFailure) {
        do throws(WebhookService.Problem) { try startService(settings) } catch {
            throw Server.StartFailure(exitCode: 73, text: "webhooks: \(error.text)")
        }
    }

    private func startService(_ settings: ServerSettings) throws(WebhookService.Problem) {
        guard !settings.stateDirectory.isEmpty || WebhookService.hasEndpoints(broker.directory) else { return }
        let service = try WebhookService(broker, WebhookOptions(settings))
        state.withLock { $0.service = service }
    }

    /// Answers on the control socket: when nothing keeps the server from serving any more. Where another process has the state directory, only when
    /// that has ended, so that each is asked where it is thought to be; but who takes over has the place of the one before at once.
    func openControl(_ directory: String, isTakingOver: Bool) {
        guard !directory.isEmpty, let service else { return }
        if isTakingOver || service.hasSpool { return openControl(directory, service) }
        state.withLock { $0.awaitedControl = directory }
        Log.warning(
            "no control socket", ("place", directory),
            ("reason", "another process has this state directory; each broker needs one of its own"))
    }

    private func openControl(_ directory: String, _ service: WebhookService) {
        do throws(IOError) {
            let control = try ControlServer(in: directory, service)
            state.withLock { $0.control = control }
        } catch {
            Log.warning("no control socket", ("place", directory), ("reason", error.description))
        }
    }

    /// Opens it if it has been waited for and may be opened now.
    /// - Returns: after how many milliseconds to ask again; nil: never.
    func openAwaitedControl() -> UInt64? {
        guard let directory = state.withLock({ $0.awaitedControl }), let service else { return nil }
        guard service.hasSpool else { return 1_000 }
        state.withLock { $0.awaitedControl = nil }
        openControl(directory, service)
        return nil
    }

    private var service: WebhookService? { state.withLock { $0.service } }

    /// Takes over what was reloaded; with the first endpoint, begins.
    func reload(_ settings: ServerSettings) {
        if let service { return service.reload(broker.directory, WebhookOptions(settings)) }
        do throws(WebhookService.Problem) { try startService(settings) } catch {
            Log.error("no webhooks", ("reason", error.text))
        }
    }

    /// The process is to end: what waits for a return is told now.
    func drain() { service?.drain() }

    /// What would be lost or never told if the process ended now: events, and channels whose last clients have just gone.
    func untold() -> Int {
        guard let service else { return 0 }
        let left = broker.apps.reduce(0) { $0 + ($1.settings.webhooks.isEmpty ? 0 : $1.channelCount) }
        return left + service.unsent
    }

    /// When the loops have ended. Once.
    func stop() {
        let (service, control) = state.withLock { state in
            defer { (state.service, state.control, state.awaitedControl) = (nil, nil, nil) }
            return (state.service, state.control)
        }
        control?.stop()
        service?.stop()
    }

    /// Its numbers now, or the last ones when its thread is busy. Not on its thread.
    func facts() -> WebhookFacts {
        guard let service else { return state.withLock { $0.facts } }
        let told = CountDownLatch(1)
        service.ask { [self] facts in
            state.withLock { $0.facts = facts }
            told.open()
        }
        _ = told.wait(milliseconds: Self.factsMilliseconds)
        return state.withLock { $0.facts }
    }
}

extension WebhookOptions {
    init(_ settings: ServerSettings) {
        self.init()
        stateDirectory = settings.stateDirectory
        (returnMilliseconds, retrySeconds) = (settings.webhooks.returnMilliseconds, settings.webhooks.retrySeconds)
        queueBytesMax = settings.webhooks.queueBytesMax
        spool.bytesMax = settings.webhooks.spoolBytesMax
        spool.sync =
            switch settings.webhooks.sync {
            case .batch: .batch
            case .each: .each
            }
    }
}
