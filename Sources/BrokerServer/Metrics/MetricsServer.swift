internal import BrokerCore
internal import Configuration
internal import Crypto
internal import Reactor
internal import TLS
internal import Telemetry
internal import Wire

/// The listener for Prometheus, and for those who ask how the process is: `/metrics`, `/usage`, `/ready`, `/live`, `/up`, `/`.
///
/// On a loop and thread of its own, so that a page of any size costs the broker's loops nothing but a copy of their numbers, and a scraper
/// that does not read holds up nobody. What such scrapers can hold is bounded: 8 connections, one answer each, five seconds from the
/// connection to its end. Loop thread only.
final class MetricsServer: LoopHandler {
    private let loop: EventLoop
    private let state: LoopState
    private var operations: Operations
    private let facts: MetricsFacts
    private var connections = Connections()
    private var date = HTTPDate(unixSeconds: 0)

    /// Who is here.
    private struct Connections {
        var count = 0
        /// Those whose page waits for the loops' numbers.
        var waiting: [(slot: UInt32, omitsBody: Bool)] = []
        /// For the log.
        var peers: [UInt32: PeerAddress] = [:]
    }

    private static let connectionsMax = 8
    private static let patienceMilliseconds: UInt32 = 5_000
    /// How long loops may take to tell their numbers.
    private static let roundMilliseconds: UInt32 = 1_000
    private static let limits = HTTPLimits(headBytesMax: 8_192, bodyBytesMax: 0)

    init(loop: EventLoop, state: ServerState, facts: MetricsFacts) {
        (self.loop, self.state, self.facts) = (loop, LoopState(state), facts)
        operations = Operations(state: self.state)
    }

    /// What its loop is made with.
    static var loopOptions: LoopOptions {
        var options = LoopOptions()
        options.receiveBufferBytes = 16_384
        options.inputBytesMax = limits.headBytesMax + 64
        options.eventsPerTurn = 64
        options.backlogBytesMax = 64 << 20
        options.backlogs = BacklogLedger(limitBytes: 128 << 20)
        return options
    }

    // MARK: LoopHandler

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        connections.count += 1
        guard connections.count <= Self.connectionsMax else { return loop.abort(slot) }
        connections.peers[slot] = peer
        loop.setTimer(slot, afterMilliseconds: Self.patienceMilliseconds)
    }

    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        // One request a connection.
        guard !isWaiting(slot) else { return bytes.count }
        let input = UnsafeBufferPointer(bytes)
        do throws(HTTPFailure) {
            guard let head = try HTTPRequestParser.parse(input.span, limits: Self.limits) else { return 0 }
            guard head.body == .none || head.body == .length(0) else {
                throw HTTPFailure(status: 413, text: "A request here has no body")
            }
            answer(slot, RequestView(bytes: input, head: head, milliseconds: loop.now.nanoseconds / 1_000_000))
        } catch {
            refuse(slot, Refusal.unreadable(error), nil)
        }
        return bytes.count
    }

    func endOfStream(_ slot: UInt32) {
        // A client that only writes half-closed may still read.
        if !isWaiting(slot) { loop.finish(slot, lingerNanoseconds: 0) }
    }

    func timerFired(_ slot: UInt32) {
        // Some loop does not answer: what it told last is better than nothing.
        if isWaiting(slot) { answerWaiting() } else { loop.abort(slot) }
    }

    func closed(_ slot: UInt32, _ why: TransportClose) {
        connections.count -= 1
        connections.waiting.removeAll { $0.slot == slot }
        connections.peers[slot] = nil
    }

    func turn() -> Bool {
        _ = state.refresh()
        if isRoundOver { answerWaiting() }
        return false
    }

    func hasWork() -> Bool { isRoundOver }
    func tick() {}
    func inputRefused(_ slot: UInt32) {}
    func overflowed(_ slot: UInt32, _ why: Overflow) { loop.abort(slot) }
    func backlogAllowance(_ slot: UInt32) -> Int { 0 }
    func answersTaken(_ slot: UInt32) {}

    private var isRoundOver: Bool { !connections.waiting.isEmpty && state.shared.meters.silentCount == 0 }

    private func isWaiting(_ slot: UInt32) -> Bool { connections.waiting.contains { $0.slot == slot } }

    // MARK: Answers

    private func answer(_ slot: UInt32, _ request: RequestView) {
        let omitBody = request.head.method == .head
        do throws(Refusal) {
            guard request.head.method == .get || omitBody else {
                throw .http(405, "Only GET and HEAD are answered here", headers: "Allow: GET, HEAD\r\n")
            }
            if request.text(request.head.path) == "/metrics" {
                try checkToken(request)
                return begin(slot, omitBody: omitBody)
            }
            guard case .operation(let operation) = Route.parse(request.head.path, in: request.bytes.span, prefix: [])
            else {
                throw .http(404, "Nothing here: the metrics are at /metrics")
            }
            if case .usage = operation { try checkToken(request) }
            var reply = HTTPReply()
            _ = try operations.answer(operation, request, &reply)
            send(slot, reply, omitBody: omitBody)
        } catch {
            refuse(slot, error, request)
        }
    }

    /// Whoever asks needs the token, if there is one. (RFC 6750 §2.1)
    private func checkToken(_ request: RequestView) throws(Refusal) {
        let token = Array(state.settings.metrics.token.utf8)
        guard !token.isEmpty else { return }
        let head = request.headBytes
        if let value = HTTPText.values(of: "authorization", inHead: head.span).last,
            value.count > 7, HTTPText.equals(value.lowerBound..<value.lowerBound + 7, "bearer ", in: head.span)
        {
            let given = head.extracting(value.lowerBound + 7..<value.upperBound)
            if ConstantTime.equals(given.span, token.span) { return }
        }
        throw .http(
            401, "Authorization: Bearer with the token of metrics.token is wanted",
            headers: "WWW-Authenticate: Bearer\r\n")
    }

    /// Lets the page wait for the loops' numbers; those who ask meanwhile get the same.
    private func begin(_ slot: UInt32, omitBody: Bool) {
        let isFirst = connections.waiting.isEmpty
        connections.waiting.append((slot, omitBody))
        loop.setTimer(slot, afterMilliseconds: Self.roundMilliseconds)
        guard isFirst else { return }
        state.shared.meters.ask(
            state.shared.handles, for: loop.handle, appsMax: state.settings.metrics.appsMax)
    }

    private func answerWaiting() {
        var reply = HTTPReply()
        reply.set(contentType: Exposition.contentType, "")
        reply.body = facts.page(of: state.shared).text()
        let waiting = connections.waiting
        connections.waiting = []
        for one in waiting { send(one.slot, reply, omitBody: one.omitsBody) }
    }

    private func refuse(_ slot: UInt32, _ error: Refusal, _ request: RequestView?) {
        log(error, connections.peers[slot] ?? PeerAddress(), request.map { RequestWords($0.headBytes.span) })
        guard case .status(let status, let headers, _) = error.answer else { return loop.abort(slot) }
        var reply = HTTPReply()
        reply.set(error: status, error.text, headers: headers, closes: true)
        reply.isCrossOrigin = false
        send(slot, reply, omitBody: request?.head.method == .head)
    }

    private func log(_ error: Refusal, _ peer: PeerAddress, _ line: RequestWords?) {
        let admitted = state.shared.refusals.admit(error.kind) { hasher in
            hasher.combine([peer.high, peer.low])
            hasher.combine(error.text)
            hasher.combine(line?.path)
        }
        guard let suppressed = admitted else { return }
        var fields: [LogField] = [("kind", error.kind.name)]
        if let code = error.code { fields.append(("code", code)) }
        fields.append(("peer", peer.logText))
        if let line { fields += [("method", line.method), ("path", state.secrets.redacted(line.path))] }
        if suppressed > 0 { fields.append(("suppressed", suppressed)) }
        fields.append(("reason", error.text))
        Log.write(.info, "refused", fields)
    }

    private func send(_ slot: UInt32, _ reply: HTTPReply, omitBody: Bool) {
        date.set(unixSeconds: WallClock.seconds())
        var bytes: [UInt8] = []
        HTTPResponse.append(
            status: reply.status, date: date, contentType: reply.contentType, extraHeaders: reply.allHeaders,
            body: reply.body.span, keepAlive: false, omitBody: omitBody, to: &bytes)
        loop.outbox.send(bytes, to: slot)
        loop.finish(slot, lingerNanoseconds: UInt64(Self.patienceMilliseconds) * 1_000_000)
    }
}

@available(*, unavailable) extension MetricsServer: Sendable {}

/// What the page says besides the loops' numbers: of the build, and of what all share.
struct MetricsFacts: Sendable {
    let build: BuildFacts
    let backlogs: BacklogLedger
    let webhooks: WebhookKeeper
    /// That is listened on.
    let port: Int

    /// The page as it is now, from what the loops told last. Any thread.
    func page(of state: ServerState) -> MetricsPage {
        let settings = state.newest.snapshot.settings.metrics
        var page = MetricsPage()
        page.silentLoops = state.meters.silentCount
        for (number, board) in state.meters.boards.enumerated() {
            let report = board.last
            page.total.add(report)
            page.loops.append(
                .init(turns: report.turns, lag: report.lag, queuedBytes: state.broker.queuedBytes(of: number)))
        }
        (page.apps, page.others) = Self.apps(state.broker.apps, appsMax: settings.appsMax)
        page.webhooks = webhooks.facts()
        page.certificates = state.tls?.context.expiries ?? []
        page.server = MetricsPage.ServerFacts(
            build: build.labels, startUnixSeconds: build.startUnixSeconds,
            isReady: state.isServing && !state.isDraining, connectionsMax: state.webSocketsMax,
            webSockets: state.webSocketCount, backlogMemoryBytes: backlogs.reservedBytes,
            backlogLimitBytes: backlogs.budget.limitBytes, reloads: state.meters.reloads.done,
            refusedReloads: state.meters.reloads.refused, memory: state.memory.facts, port: port,
            prefix: settings.prefix, addresses: state.addresses.facts)
        return page
    }

    private static func apps(_ all: [App], appsMax: Int) -> (
        apps: [MetricsPage.AppState], others: MetricsPage.AppState?
    ) {
        let own = all.prefix(appsMax).map {
            MetricsPage.AppState(id: $0.settings.id, connections: $0.connectionCount, channels: $0.channelCount)
        }
        guard all.count > appsMax else { return (own, nil) }
        var others = MetricsPage.AppState(id: MetricsPage.otherApps)
        for app in all.dropFirst(appsMax) {
            others.connections += app.connectionCount
            others.channels += app.channelCount
        }
        return (own, others)
    }
}

extension BuildFacts {
    /// Of `starling_build_info`.
    var labels: [Exposition.Label] {
        [
            ("version", build.version), ("commit", build.commit), ("swift", Self.swift), ("openssl", Self.openSSL),
        ]
    }
}
