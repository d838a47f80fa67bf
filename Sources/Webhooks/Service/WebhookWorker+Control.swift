internal import BrokerCore
internal import Crypto
internal import PusherProtocol
internal import Reactor
internal import Wire

/// What is answered over the control socket.
extension WebhookWorker {
    private static let lettersShown = 100
    private static let attemptsShown = 20

    func answer(_ request: ControlRequest, _ reply: @escaping @Sendable (ControlReply) -> Void) {
        switch request {
        case .endpoints(let app): reply(known(app) ?? .endpoints(reports(app)))
        case .attempts(let app, let limit):
            reply(known(app) ?? .attempts(Array(attempts.records(app: app).suffix(limit))))
        case .explain(.endpoint(let endpoint)): reply(explain(endpoint))
        case .explain(.event(let event)): reply(explain(event))
        case .retry(let choice): reply(retry(choice))
        case .purge(let choice): reply(purge(choice))
        case .test(let url, let app, let allowsPrivate): test(url, app, allowsPrivate, reply)
        }
        passOnNews(now)
    }

    /// Nil: the app is there, or none was asked for.
    private func known(_ app: String?) -> ControlReply? {
        guard let app, self.app(app) == nil else { return nil }
        return .failure(404, "There is no app \"\(app)\".")
    }

    private func app(_ id: String) -> App? { directory.app(id: Array(id.utf8).span) }

    // MARK: Looking

    /// As they are configured; those that are not any more come last.
    private func reports(_ app: String?) -> [EndpointReport] {
        let id = app.flatMap { self.app($0)?.settings.id }
        var places: [WebhookEndpointID: Int] = [:]
        for endpoint in directory.apps.flatMap(\.settings.webhooks) { places[endpoint.id] = places.count }
        return queues.all.filter { app == nil || $0.target.app == id }
            .map { (place: places[$0.target.endpoint.id] ?? .max, report: report($0)) }
            .sorted { ($0.place, $0.report.id) < ($1.place, $1.report.id) }.map(\.report)
    }

    private func report(_ queue: EndpointQueue) -> EndpointReport {
        let (target, now) = (queue.target, now)
        var report = EndpointReport(id: target.endpoint.id, app: target.app, url: target.endpoint.url.shown)
        (report.waiting, report.failures, report.isRemoved) = (queue.count, queue.failures, target.isRemoved)
        report.oldestMilliseconds = queue.oldest.map { max(0, now.unixMilliseconds - $0.unixMilliseconds) } ?? 0
        report.deadLetters = queues.letters.perEndpoint[target.endpoint.id] ?? 0
        report.retryMilliseconds = queue.retryAt.map { Int64(clamping: $0 - min($0, now.milliseconds)) }
        return report
    }

    private func explain(_ endpoint: WebhookEndpointID) -> ControlReply {
        let letters = queues.letters.all.filter { $0.endpoint == endpoint }
        let queue = queues.queue(of: endpoint)
        var shown: EndpointReport
        if let queue {
            shown = report(queue)
        } else if let last = letters.last {
            shown = EndpointReport(id: endpoint, app: last.event.app, url: "")
            (shown.deadLetters, shown.isRemoved) = (letters.count, true)
        } else {
            return nothing(.endpoint(endpoint))
        }
        let tries = attempts.records(app: shown.app).filter { $0.endpoint == endpoint }
        return .endpoint(
            shown, settings: shown.isRemoved ? nil : queue?.target.endpoint,
            deadLetters: Array(letters.suffix(Self.lettersShown)), attempts: Array(tries.suffix(Self.attemptsShown)))
    }

    private func explain(_ id: WebhookEvent.ID) -> ControlReply {
        var (found, places): (WebhookEvent?, [EventPlace]) = (nil, [])
        for queue in queues.all {
            guard let place = queue.allWaiting.firstIndex(where: { $0.event.id == id }) else { continue }
            let endpoint = queue.target.endpoint
            found = queue.allWaiting[place].event
            let isSending = place < queue.underWay?.events ?? 0
            places.append(
                EventPlace(endpoint: endpoint.id, url: endpoint.url.shown, state: isSending ? .sending : .waiting))
        }
        for letter in queues.letters.all where letter.event.id == id {
            found = letter.event
            let url = queues.target(of: letter.endpoint)?.endpoint.url.shown ?? ""
            places.append(EventPlace(endpoint: letter.endpoint, url: url, state: .dead, reason: letter.reason))
        }
        guard let found else { return nothing(.event(id)) }
        return .event(found, places)
    }

    private func nothing(_ name: WebhookName) -> ControlReply {
        switch name {
        case .endpoint: .failure(404, "There is no endpoint \(name): starling webhooks list has all of them.")
        case .event:
            .failure(404, "Event \(name) neither waits nor is it a dead letter: it was delivered, dropped or purged.")
        }
    }

    // MARK: Changing

    /// Nil: all.
    private static func name(_ choice: WebhookChoice) -> WebhookName? {
        if case .one(let name) = choice { name } else { nil }
    }

    private static func isMeant(_ letter: DeadLetter, _ name: WebhookName?) -> Bool {
        switch name {
        case nil: true
        case .endpoint(let endpoint)?: letter.endpoint == endpoint
        case .event(let event)?: letter.event.id == event
        }
    }

    private func isKnown(_ name: WebhookName) -> Bool {
        if case .endpoint(let endpoint) = name, queues.target(of: endpoint) != nil { return true }
        return queues.letters.all.contains { Self.isMeant($0, name) }
    }

    private func retry(_ choice: WebhookChoice) -> ControlReply {
        let name = Self.name(choice)
        if let name, !isKnown(name) { return nothing(name) }
        let events = queues.retry(now) { Self.isMeant($0, name) }
        let endpoints = queues.hasten { target in
            if case .event? = name { return false }
            return name.map { $0 == .endpoint(target.endpoint.id) } ?? true
        }
        return .changed(events: events, endpoints: endpoints)
    }

    private func purge(_ choice: WebhookChoice) -> ControlReply {
        let name = Self.name(choice)
        if let name, !isKnown(name) { return nothing(name) }
        return .changed(events: queues.purge { Self.isMeant($0, name) }, endpoints: 0)
    }

    // MARK: Trying

    /// Sends one event at once: as the endpoint of that URL would get it, if there is one, with no queue and no second attempt. What the guard would refuse
    /// is refused here too, unless it is asked for: a test that succeeds where no webhook gets through would tell nothing.
    private func test(
        _ url: WebURL, _ name: String?, _ allowsPrivate: Bool, _ reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        let serving = directory.apps.filter { !$0.isClosed }
        guard let client else { return reply(.failure(503, "The broker is about to end.")) }
        guard let app = name.map({ self.app($0) }) ?? (serving.count == 1 ? serving[0] : nil), !app.isClosed,
            let key = app.keys.first
        else {
            guard let name else {
                return reply(.failure(400, "There are \(serving.count) apps: say which with --app ID."))
            }
            return reply(.failure(404, "There is no app \"\(name)\"."))
        }
        let now = now
        var endpoint = WebhookEndpoint(id: WebhookEndpointID(Randomness.uint64()), url: url)
        endpoint.allowsPrivate = allowsPrivate
        if let configured = app.settings.webhooks.first(where: { $0.url == url }) {
            let id = endpoint.id
            endpoint = configured
            endpoint.id = id
        }
        let happening = Happening(
            app: app.index, kind: .channelOccupied, channel: Array("starling-test".utf8), milliseconds: now.milliseconds
        )
        let event = WebhookEvent(
            id: WebhookEvent.ID(run: Randomness.uint64(), number: 0), kind: happening.kind, app: app.settings.id,
            channel: happening.channel, unixMilliseconds: now.unixMilliseconds, json: Envelope.object(of: happening))
        let began = MonotonicTime.now()
        client.send(Envelope.request(to: endpoint, events: [event], key: key)) { [client] outcome in
            client.cancel(endpoint.id)
            reply(
                .tested(
                    AttemptRecord(
                        unixMilliseconds: now.unixMilliseconds, app: app.settings.id, endpoint: endpoint.id,
                        first: event.id, events: 1, attempt: 1,
                        milliseconds: Int(MonotonicTime.now().nanosecondsSince(began) / 1_000_000), outcome: outcome),
                    url))
        }
    }
}
