internal import BrokerCore
internal import Configuration
internal import PusherProtocol
internal import Reactor
internal import Wire

/// The signed HTTP API (Pusher protocol §6).
extension LoopServer {
    func answerAPI(_ slot: UInt32, _ request: RequestView, app id: Range<Int>, _ call: Route.API) {
        let rawID = request.slice(id)
        guard let app = app(rawID: rawID.span) else {
            let shown = String(decoding: rawID.prefix(40), as: UTF8.self)
            return respondError(slot, status: 404, "No app has the id \(shown)", for: request)
        }
        query.read(request.slice(request.head.query).span)
        let query = query
        guard isAuthentic(slot, request, app, query) else { return }
        do throws(APIError) {
            try run(call, slot, request, app, query)
        } catch {
            let extra = error.status == 429 ? "Retry-After: 1\r\n" : ""
            respondError(slot, status: error.status, error.text, extraHeaders: extra, for: request)
        }
        applyEffects()
    }

    private func app(rawID: Span<UInt8>) -> App? {
        guard Percent.containsEscapes(rawID) else { return state.broker.app(id: rawID) }
        guard let decoded = Percent.decode(rawID) else { return nil }
        return state.broker.app(id: decoded.span)
    }

    /// `/users/{id}/terminate_connections`: the key in the query names the app.
    func answerTerminateByKey(_ slot: UInt32, _ request: RequestView, user: Range<Int>) {
        let query = APIQuery(request.slice(request.head.query).span)
        let key = query.value("auth_key") ?? []
        guard let app = state.broker.app(key: key.span) else {
            return respondError(slot, status: 401, "auth_key is missing, or no app has this key", for: request)
        }
        guard isAuthentic(slot, request, app, query) else { return }
        do throws(APIError) {
            try terminate(slot, request, app, user)
        } catch {
            respondError(slot, status: error.status, error.text, for: request)
        }
        applyEffects()
    }

    /// Whether the call is signed and its body is the signed one. Otherwise it is answered, or, while its body is still to come, admitted.
    private func isAuthentic(_ slot: UInt32, _ request: RequestView, _ app: App, _ query: APIQuery) -> Bool {
        asking.app = app.index
        // The head of a body that was waited for was checked before.
        guard sessions[slot].isBodyAdmitted || headIsSigned(slot, request, app, query) else { return false }
        guard !request.isBodyAwaited else {
            sessions[slot].isBodyAdmitted = true
            return false
        }
        let body = request.body
        return passes(APISignature.verifyBody(body.span, query: query), slot, request, app)
    }

    private func headIsSigned(_ slot: UInt32, _ request: RequestView, _ app: App, _ query: APIQuery) -> Bool {
        let (method, path) = (request.slice(request.head.methodRange), request.slice(request.head.path))
        let prefix = state.pathPrefix
        let outcome = APISignature.verifyHead(
            method: method.span, rawPath: path.span, query: query, prefix: prefix.span, keys: app.keys,
            nowSeconds: unixSeconds, workspace: workspace)
        guard passes(outcome, slot, request, app) else { return false }
        if request.isBodyAwaited, case .length = request.head.body {
            guard passes(APISignature.verifyDigestIsGiven(query: query), slot, request, app) else { return false }
        }
        guard app.settings.isEnabled else {
            respondError(slot, status: 403, "The app \(app.settings.id) is disabled", for: request)
            return false
        }
        return true
    }

    /// Whether a check has found nothing; otherwise the call is refused.
    private func passes(_ outcome: APISignature.Outcome, _ slot: UInt32, _ request: RequestView, _ app: App) -> Bool {
        guard case .failure(let status, let text) = outcome else { return true }
        // What should have been signed helps whoever writes the caller, and whoever guesses.
        let shown = state.settings.isProduction ? "The call's authentication is not valid" : text
        respondError(slot, status: status, shown, logged: text, for: request)
        return false
    }

    private func run(
        _ call: Route.API, _ slot: UInt32, _ request: RequestView, _ app: App, _ query: APIQuery
    ) throws(APIError) {
        reply.removeAll(keepingCapacity: true)
        switch call {
        case .events: return respond(slot, to: try publish(request, app, query), request)
        case .batchEvents: return respond(slot, to: try publishBatch(request, app, query), request)
        case .channels: return try listChannels(slot, request, app, query)
        case .channel(let name): try showChannel(request, name, app, query)
        case .users(let name): return try listUsers(slot, request, name, app)
        case .connections:
            try acquireRead(app)
            APIReply.connections(app.connectionCount, to: &reply)
        case .terminate(let user): return try terminate(slot, request, app, user)
        }
        respondReply(slot, for: request)
    }

    // MARK: Publishing

    private func payloadLimits(_ app: App) -> PayloadLimits {
        let limits = app.settings.limits
        return PayloadLimits(
            channelNameBytesMax: limits.channelNameBytesMax, userIDCharactersMax: limits.userIDCharactersMax,
            eventNameCharactersMax: limits.eventNameCharactersMax, eventDataBytesMax: limits.eventDataBytesMax,
            eventChannelsMax: limits.eventChannelsMax, batchEventsMax: limits.batchEventsMax)
    }

    private func publish(_ request: RequestView, _ app: App, _ query: APIQuery) throws(APIError) -> PublishOutcome {
        let body = request.body
        let event = try PublishRequest.parse(body: body.span, query: query, limits: payloadLimits(app))
        guard let key = try request.idempotencyKey(inBody: event.idempotencyKey) else {
            try publish(event, body, app)
            return .published
        }
        let fingerprint = PublishFingerprint.of(.event, query: query, body: body.span)
        return try once(IdempotencyClaim(key: key, fingerprint: fingerprint), app) { () throws(APIError) in
            try publish(event, body, app)
        }
    }

    private func publish(_ event: PublishRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App) throws(APIError) {
        try acquirePublish(app, events: event.channels.count)
        if isTracing { logPublished(event, body, app) }
        guard !event.info.isEmpty else {
            for index in event.channels.indices { broker.publish(app: app, event, channel: index, body: body.span) }
            return APIReply.empty(to: &reply)
        }
        var reports: [ChannelReport] = []
        for index in event.channels.indices {
            let audience = broker.publish(app: app, event, channel: index, body: body.span)
            reports.append(report(event, index, audience))
        }
        APIReply.publishInfo(reports, to: &reply)
    }

    private func publishBatch(_ request: RequestView, _ app: App, _ query: APIQuery) throws(APIError) -> PublishOutcome
    {
        let body = request.body
        let batch = try BatchRequest.parse(body: body.span, limits: payloadLimits(app))
        if let key = try request.idempotencyKey(inBody: batch.idempotencyKey) {
            let fingerprint = PublishFingerprint.of(.batch, query: query, body: body.span)
            return try once(IdempotencyClaim(key: key, fingerprint: fingerprint), app) { () throws(APIError) in
                try publish(batch, body, app)
            }
        }
        if batch.events.contains(where: { $0.idempotencyKey != nil }) { return try publishKeyed(batch, body, app) }
        try publish(batch, body, app)
        return .published
    }

    private func publish(_ batch: BatchRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App) throws(APIError) {
        try acquirePublish(app, events: batch.events.reduce(0) { $0 + $1.channels.count })
        if isTracing { for event in batch.events { logPublished(event, body, app) } }
        var reports: [ChannelReport?] = []
        for event in batch.events { reports.append(publish(batched: event, body, app)) }
        if batch.hasInfo { APIReply.batchInfo(reports, to: &reply) } else { APIReply.empty(to: &reply) }
    }

    /// Publishes one event of a batch.
    /// - Returns: what it asked to be told.
    func publish(batched event: PublishRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App) -> ChannelReport? {
        var first: ChannelReport?
        for index in event.channels.indices {
            let audience = broker.publish(app: app, event, channel: index, body: body.span)
            if index == 0, !event.info.isEmpty { first = report(event, index, audience) }
        }
        return first
    }

    private func report(_ event: PublishRequest, _ index: Int, _ audience: LoopBroker.Audience) -> ChannelReport {
        let channel = event.channels[index]
        return ChannelReport(
            name: Array(event.storage[channel.name]),
            userCount: event.info.contains(.userCount) && channel.kind.isPresence ? audience.users : nil,
            subscriptionCount: event.info.contains(.subscriptionCount) ? audience.subscriptions : nil)
    }

    func acquirePublish(_ app: App, events: Int) throws(APIError) {
        do throws(LoopBroker.PublishRefusal) { try broker.admitPublish(app: app, events: events) } catch {
            throw error.answer
        }
    }

    func acquireRead(_ app: App) throws(APIError) {
        do throws(LoopBroker.PublishRefusal) { try broker.admitRead(app: app) } catch { throw error.answer }
    }

    // MARK: State

    private func listChannels(
        _ slot: UInt32, _ request: RequestView, _ app: App, _ query: APIQuery
    ) throws(APIError) {
        try acquireRead(app)
        let wanted = try StateRequest.channels(query)
        try respondList(slot, for: request, .channels(app: app, wanted, nextPart: 0))
    }

    private func channel(_ request: RequestView, _ range: Range<Int>, _ app: App) throws(APIError) -> (
        name: [UInt8], kind: ChannelKind
    ) {
        let segment = request.slice(range)
        return try StateRequest.channelName(
            segment: segment.span, bytesMax: app.settings.limits.channelNameBytesMax,
            userIDCharactersMax: app.settings.limits.userIDCharactersMax)
    }

    private func showChannel(
        _ request: RequestView, _ range: Range<Int>, _ app: App, _ query: APIQuery
    ) throws(APIError) {
        try acquireRead(app)
        let (name, kind) = try channel(request, range, app)
        let info = try StateRequest.channel(kind, query)
        let now = broker.channelState(of: name.span, app: app)
        var cache = APIReply.CachedEvent.notAsked
        if info.contains(.cache) {
            cache = now.cache.map { .event(dataLiteral: $0.dataLiteral, ttlSeconds: $0.secondsLeft) } ?? .empty
        }
        APIReply.channel(
            isOccupied: now.subscriptions > 0, userCount: info.contains(.userCount) ? now.users : nil,
            subscriptionCount: info.contains(.subscriptionCount) ? now.subscriptions : nil, cache: cache, to: &reply)
    }

    private func listUsers(
        _ slot: UInt32, _ request: RequestView, _ range: Range<Int>, _ app: App
    ) throws(APIError) {
        try acquireRead(app)
        let (name, kind) = try channel(request, range, app)
        try StateRequest.users(kind)
        try respondList(slot, for: request, .users(broker.users(of: name.span, app: app), next: 0))
    }

    private func terminate(
        _ slot: UInt32, _ request: RequestView, _ app: App, _ user: Range<Int>
    ) throws(APIError) {
        let segment = request.slice(user)
        let userID: [UInt8]
        do throws(APIError) {
            userID = try StateRequest.userID(
                segment: segment.span, charactersMax: app.settings.limits.userIDCharactersMax)
        } catch {
            return respondError(slot, status: error.status, error.text, for: request)
        }
        do throws(LoopBroker.PublishRefusal) {
            try broker.terminateConnections(of: userID.span, app: app)
        } catch {
            throw error.answer
        }
        reply.removeAll(keepingCapacity: true)
        APIReply.empty(to: &reply)
        respondReply(slot, for: request)
    }
}
