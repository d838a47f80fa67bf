internal import BrokerCore
internal import PusherProtocol
internal import Reactor
internal import TLS
internal import Telemetry
internal import Webhooks

/// The metrics page as a function: numbers in, text out.
///
/// Its size has a bound: what an app has of its own are about 24 lines, `appsMax` apps have them, and all others together have them once more
/// (`app_id="other apps"`, which no app can be called). Every other label has few values.
struct MetricsPage {
    /// One loop's own.
    struct Loop {
        var turns = DurationHistogram()
        var lag = DurationHistogram()
        var queuedBytes = 0
    }

    /// What an app is called, and what it has now.
    struct AppState {
        var id: String
        var connections = 0
        var channels = 0
    }

    /// The sum of all loops.
    var total = LoopReport()
    var loops: [Loop] = []
    var silentLoops = 0
    /// By number, as `total.apps`.
    var apps: [AppState] = []
    /// Of those that have no line of their own; nil: there are none.
    var others: AppState?
    /// When each certificate ends, in seconds since 1970, by its file.
    var certificates: [(file: String, seconds: Int)] = []
    var facts = ProcessFacts()
    var server = ServerFacts()
    var webhooks = WebhookFacts()

    /// What the server says of itself.
    ///
    /// Large, because it has a field for each thing that the page says of the whole server.
    struct ServerFacts {
        var build: [Exposition.Label] = []
        var startUnixSeconds = 0
        var isReady = false
        var connectionsMax = 0
        var webSockets = 0
        var backlogMemoryBytes = 0
        var backlogLimitBytes = 0
        var (reloads, refusedReloads) = (0, 0)
        var memory = MemoryPressure.Facts()
        var port = 0
        /// Before soketi's names.
        var prefix = ""
        var addresses: (known: Int, uncounted: UInt64) = (0, 0)
    }

    static let otherApps = "other apps"

    /// The whole page.
    func text() -> [UInt8] {
        var page = Exposition()
        for metric in Metric.allCases {
            page.begin(metric, prefix: metric.isSoketi ? server.prefix : "")
            if metric.isSoketi { writeSoketi(metric, to: &page) } else { write(metric, to: &page) }
        }
        return page.bytes
    }

    /// The samples of a family without labels of apps, or those of its apps.
    private func write(_ metric: Metric, to page: inout Exposition) {
        if let one = single(metric) { return page.sample(one) }
        if let value = perApp(metric) { return forEachApp { page.sample(value($0, $1), ("app_id", $0.id)) } }
        switch metric {
        case .buildInfo: page.sample(.number(1), server.build)
        case .events:
            forEachApp { app, meter in
                page.sample(.count(meter.apiEvents), ("app_id", app.id), ("source", "api"))
                page.sample(.count(meter.batchEvents), ("app_id", app.id), ("source", "batch"))
                page.sample(.count(meter.clientEvents), ("app_id", app.id), ("source", "client"))
            }
        case .closes: total.counts.closes.forEach { page.sample(.count($2), ("by", $0), ("code", $1)) }
        case .sockets:
            page.sample(.number(server.webSockets), ("kind", "websocket"))
            page.sample(.number(max(0, total.statistics.connections - server.webSockets)), ("kind", "http"))
        case .subscriptions: forEachKind { page.sample(.number(total.broker.subscriptions($0)), ("kind", $1)) }
        case .subscribes: forEachKind { page.sample(.count(total.broker.subscribes($0)), ("kind", $1)) }
        case .channels: forEachKind { page.sample(.number(total.broker.channels($0)), ("kind", $1)) }
        case .deliveryTime: page.histogram(total.sends)
        case .requests: writeRequests(to: &page)
        case .refusals:
            total.counts.refusals.forEach { kind, code, count in
                page.sample(.count(count), ("kind", kind.name.description), ("code", code == 0 ? "none" : String(code)))
            }
        case .limitHits:
            for limit in BrokerMeter.Limit.allCases {
                page.sample(.count(total.broker.hits(limit)), ("limit", "\(limit)"))
            }
            for limit in AddressLimit.allCases {
                page.sample(.count(total.counts.addressHits[limit]), ("limit", limit.rawValue))
            }
        case .proxyHeaders:
            page.sample(.count(total.statistics.preambles), ("outcome", "read"))
            for fault in ProxyFaultCounts.Fault.allCases {
                page.sample(.count(total.counts.proxyFaults[fault]), ("outcome", fault.rawValue))
            }
        case .slowConsumers:
            let ofProcess = total.statistics.overflowsOfProcess
            let ofMemory = total.statistics.overflowsOfMemory
            page.sample(.count(total.statistics.overflows &- ofProcess &- ofMemory), ("limit", "backlogBytes"))
            page.sample(.count(ofProcess), ("limit", "backlogTotalBytes"))
            page.sample(.count(ofMemory), ("limit", "memory.limit"))
        case .memoryRefusals:
            page.sample(.number(server.memory.refusedConnections), ("cause", "connection"))
            page.sample(.number(server.memory.refusedCalls), ("cause", "call"))
        case .queued: forEachLoop { page.sample(.number($0.queuedBytes), ("loop", $1)) }
        case .turnTime: forEachLoop { page.histogram($0.turns, [("loop", $1)], step: 2) }
        case .loopLag: forEachLoop { page.histogram($0.lag, [("loop", $1)], step: 2) }
        case .reloads:
            page.sample(.number(server.reloads), ("outcome", "applied"))
            page.sample(.number(server.refusedReloads), ("outcome", "failed"))
        case .tlsFailures:
            for reason in TLSFailure.allCases {
                page.sample(.count(total.counts.handshakeFailures[reason]), ("reason", reason.name.description))
            }
        case .certificateExpiry:
            for one in certificates { page.sample(.number(one.seconds), ("certificate", one.file)) }
        case .webhookQueued: forEachWebhookApp { page.sample(.number($0.queued), ("app_id", $0.id)) }
        case .webhookSent: forEachWebhookApp { page.sample(.count($0.sent), ("app_id", $0.id)) }
        case .webhookBuried: forEachWebhookApp { page.sample(.count($0.buried), ("app_id", $0.id)) }
        case .webhookDeadLetters: forEachWebhookApp { page.sample(.number($0.deadLetters), ("app_id", $0.id)) }
        case .webhookAttempts:
            for one in webhooks.attempts.all { page.sample(.count(one.count), ("result", one.result)) }
        case .webhookAttemptTime: page.histogram(webhooks.attemptTime)
        case .webhookDropped:
            for one in webhooks.dropped.all { page.sample(.count(one.count), ("cause", one.cause)) }
        default: preconditionFailure("\(metric.rawValue) has no samples")
        }
    }

    /// The value of a family without labels.
    private func single(_ metric: Metric) -> Exposition.Value? {
        let statistics = total.statistics
        return switch metric {
        case .startTime: .number(server.startUnixSeconds)
        case .processorTime: .nanoseconds(facts.processorNanoseconds)
        case .residentMemory: .number(facts.memory.usedBytes)
        case .memoryTotal: .number(facts.memory.totalBytes)
        case .memoryLimit: .number(server.memory.limitBytes)
        case .memoryUsed: .number(server.memory.usedBytes)
        case .memoryPressure: .number(server.memory.level)
        case .openDescriptors: .number(facts.openDescriptors)
        case .descriptorsMax: .number(facts.descriptorsMax)
        case .ready: .number(server.isReady ? 1 : 0)
        case .loops: .number(loops.count)
        case .silentLoops: .number(silentLoops)
        case .connectionsMax: .number(server.connectionsMax)
        case .accepts: .count(statistics.accepted)
        case .acceptErrors: .count(statistics.acceptErrors)
        case .acceptsRefused: .count(statistics.acceptsRefused)
        case .receivedBytes: .count(statistics.bytesIn)
        case .sentBytes: .count(statistics.bytesOut)
        case .backlog: .number(statistics.backlogBytes)
        case .backlogMemory: .number(server.backlogMemoryBytes)
        case .backlogLimit: .number(server.backlogLimitBytes)
        case .shortWrites: .count(statistics.shortWrites)
        case .loopRests: .count(statistics.rests)
        case .shortages: .count(statistics.shortages)
        case .droppedLines: .count(facts.droppedLines)
        case .input: .number(statistics.inputBytes)
        case .tlsHandshakes: .count(statistics.handshakes)
        case .addresses: .number(server.addresses.known)
        case .addressesUncounted: .count(server.addresses.uncounted)
        case .webhookOldest: .nanoseconds(UInt64(clamping: webhooks.oldestMilliseconds) &* 1_000_000)
        case .webhookSuppressed: .count(webhooks.suppressed)
        case .webhookSpool: .number(webhooks.spoolBytes)
        case .webhookSpoolErrors: .count(webhooks.spoolErrors)
        case .webhookConnections: .number(webhooks.connections)
        default: nil
        }
    }

    /// The value of a family that has the app as its only label.
    private func perApp(_ metric: Metric) -> ((AppState, AppMeter) -> Exposition.Value)? {
        switch metric {
        case .connections: { app, _ in .number(app.connections) }
        case .connectionsOpened: { .count($1.opened) }
        case .appChannels: { app, _ in .number(app.channels) }
        case .deliveries: { .count($1.deliveries) }
        case .messagesReceived: { .count($1.messages) }
        case .messageBytesReceived: { .count($1.messageBytes) }
        case .messagesSent: { .count($1.deliveries &+ $1.answers) }
        case .messageBytesSent: { .count($1.deliveryBytes &+ $1.answerBytes) }
        case .requestBytes: { .count($1.requestBytes) }
        case .responseBytes: { .count($1.responseBytes) }
        default: nil
        }
    }

    private func writeSoketi(_ metric: Metric, to page: inout Exposition) {
        let port = String(server.port)
        forEachApp { app, meter in
            let value: Exposition.Value =
                switch metric {
                case .soketiConnected: .number(app.connections)
                case .soketiNewConnections: .count(meter.opened)
                case .soketiNewDisconnections: .count(meter.closed)
                case .soketiReceivedBytes: .count(meter.messageBytes)
                case .soketiSentBytes: .count(meter.deliveryBytes &+ meter.answerBytes)
                case .soketiMessagesReceived: .count(meter.messages)
                case .soketiMessagesSent: .count(meter.deliveries &+ meter.answers)
                case .soketiHTTPReceivedBytes: .count(meter.requestBytes)
                case .soketiHTTPSentBytes: .count(meter.responseBytes)
                case .soketiHTTPCalls: .count(meter.requests)
                default: preconditionFailure("\(metric.rawValue) is none of soketi's")
                }
            page.sample(value, ("app_id", app.id), ("port", port))
        }
    }

    private func writeRequests(to page: inout Exposition) {
        for name in HTTPCounts.Name.allCases {
            for (place, status) in HTTPCounts.statuses.enumerated() where total.counts.http[name, status: place] > 0 {
                page.sample(
                    .count(total.counts.http[name, status: place]), ("route", name.text),
                    ("status", status == 0 ? "other" : String(status)))
            }
        }
    }

    // MARK: Who there is

    private func forEachApp(_ body: (AppState, AppMeter) -> Void) {
        for (number, app) in apps.enumerated() {
            body(app, number < total.apps.count ? total.apps[number] : AppMeter())
        }
        if let others { body(others, total.otherApps) }
    }

    /// Apps that have, or had, webhooks: those with lines of their own, and the others summed up.
    private func forEachWebhookApp(_ body: (WebhookFacts.App) -> Void) {
        let own = Set(apps.map(\.id))
        var others = WebhookFacts.App(id: Self.otherApps)
        for app in webhooks.apps.sorted(by: { $0.id < $1.id }) {
            if own.contains(app.id) { body(app) } else { others += app }
        }
        if others != WebhookFacts.App(id: Self.otherApps) { body(others) }
    }

    private func forEachLoop(_ body: (Loop, _ name: String) -> Void) {
        for (number, loop) in loops.enumerated() { body(loop, String(number)) }
    }

    private func forEachKind(_ body: (ChannelKind, _ name: String) -> Void) {
        for access in ChannelKind.Access.allCases where access != .user {
            for isCache in [false, true] {
                let name = access == .encrypted ? "private_encrypted" : "\(access)"
                body(ChannelKind(access: access, isCache: isCache), isCache ? name + "_cache" : name)
            }
        }
    }
}
