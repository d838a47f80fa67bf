internal import BrokerCore
internal import Configuration
internal import PusherProtocol
internal import Wire

/// The signed HTTP API (Pusher protocol §6). One per loop; it knows no connection.
final class SignedAPI {
    let state: LoopState
    let broker: LoopBroker
    /// What goes well is logged too.
    var isTracing: Bool
    /// Storage used again by every call.
    private var query = APIQuery()
    /// Where the call that is being answered is counted, once its app is known.
    private(set) var meter: UnsafeMutablePointer<AppMeter>?
    /// It is signed as it should be, as far as it is here.
    private(set) var isProven = false

    init(state: LoopState, broker: LoopBroker, isTracing: Bool) {
        (self.state, self.broker, self.isTracing) = (state, broker, isTracing)
    }

    /// There is no call, or another.
    @inline(__always)
    func forget() { (meter, isProven) = (nil, false) }

    func answer(
        _ request: RequestView, app id: Range<Int>, _ call: Route.API, _ reply: inout HTTPReply
    ) throws(Refusal) -> Answer {
        let rawID = request.slice(id)
        guard let app = app(rawID: rawID.span) else {
            throw .http(404, "No app has the id \(String(decoding: rawID.prefix(40), as: UTF8.self))")
        }
        meter = broker.meter(of: app.index)
        query.read(request.slice(request.head.query).span)
        let query = query
        guard try isAuthentic(request, app, query) else { return .body }
        do throws(APIError) {
            return try run(call, request, app, query, &reply)
        } catch {
            throw Refusal.api(error).about(app)
        }
    }

    private func app(rawID: Span<UInt8>) -> App? {
        guard Percent.containsEscapes(rawID) else { return state.app(id: rawID) }
        guard let decoded = Percent.decode(rawID) else { return nil }
        return state.app(id: decoded.span)
    }

    /// `/users/{id}/terminate_connections`: the key in the query names the app.
    func answerTerminateByKey(
        _ request: RequestView, user: Range<Int>, _ reply: inout HTTPReply
    ) throws(Refusal) -> Answer {
        let query = APIQuery(request.slice(request.head.query).span)
        let key = query.value("auth_key") ?? []
        guard let app = state.app(key: key.span) else {
            throw .http(401, "auth_key is missing, or no app has this key")
        }
        meter = broker.meter(of: app.index)
        guard try isAuthentic(request, app, query) else { return .body }
        do throws(APIError) {
            try terminate(request, app, user, &reply)
            return .reply
        } catch {
            throw Refusal.api(error).about(app)
        }
    }

    /// Whether the call is signed and its body is the signed one; false: its head is in order, and its body is still to come.
    private func isAuthentic(_ request: RequestView, _ app: App, _ query: APIQuery) throws(Refusal) -> Bool {
        // The head of a body that was waited for was checked before.
        if request.stage != .admitted { try checkHead(request, app, query) }
        guard request.stage != .head else {
            isProven = true
            return false
        }
        let body = request.body
        try check(APISignature.verifyBody(body.span, query: query), app)
        isProven = true
        return true
    }

    private func checkHead(_ request: RequestView, _ app: App, _ query: APIQuery) throws(Refusal) {
        let (method, path) = (request.slice(request.head.methodRange), request.slice(request.head.path))
        let prefix = state.pathPrefix
        let outcome = APISignature.verifyHead(
            method: method.span, rawPath: path.span, query: query, prefix: prefix.span, keys: app.keys,
            nowSeconds: request.unixSeconds)
        try check(outcome, app)
        if request.stage == .head, case .length = request.head.body {
            try check(APISignature.verifyDigestIsGiven(query: query), app)
        }
        guard app.settings.isEnabled else {
            throw Refusal.http(403, "The app \(app.settings.id) is disabled").about(app)
        }
    }

    @inline(__always)
    private func check(_ outcome: APISignature.Outcome, _ app: App) throws(Refusal) {
        if case .failure(let status, let text) = outcome { throw refusal(status, text, app) }
    }

    private func refusal(_ status: Int, _ text: String, _ app: App) -> Refusal {
        // What should have been signed helps whoever writes the caller, and whoever guesses.
        let shown = state.settings.isProduction ? "The call's authentication is not valid" : text
        return Refusal.http(status, shown, logged: text).about(app)
    }

    private func run(
        _ call: Route.API, _ request: RequestView, _ app: App, _ query: APIQuery, _ reply: inout HTTPReply
    ) throws(APIError) -> Answer {
        switch call {
        case .events: return try publish(request, app, query, &reply)
        case .batchEvents: return try publishBatch(request, app, query, &reply)
        case .channels: return try listChannels(app, query)
        case .channel(let name): try showChannel(request, name, app, query, &reply)
        case .users(let name): return try listUsers(request, name, app)
        case .connections:
            try acquireRead(app)
            APIReply.connections(app.connectionCount, to: &reply.body)
        case .terminate(let user): try terminate(request, app, user, &reply)
        }
        return .reply
    }

    func acquirePublish(_ app: App, events: Int, isBatch: Bool) throws(APIError) {
        do throws(LoopBroker.PublishRefusal) { try broker.admitPublish(app: app, events: events) } catch {
            throw error.answer
        }
        if isBatch {
            meter?.pointee.batchEvents &+= UInt64(truncatingIfNeeded: events)
        } else {
            meter?.pointee.apiEvents &+= UInt64(truncatingIfNeeded: events)
        }
    }

    func acquireRead(_ app: App) throws(APIError) {
        do throws(LoopBroker.PublishRefusal) { try broker.admitRead(app: app) } catch { throw error.answer }
    }

    // MARK: State

    private func listChannels(_ app: App, _ query: APIQuery) throws(APIError) -> Answer {
        try acquireRead(app)
        let wanted = try StateRequest.channels(query)
        return .list(LongReply(.channels(app: app, wanted, nextPart: 0)), of: app)
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
        _ request: RequestView, _ range: Range<Int>, _ app: App, _ query: APIQuery, _ reply: inout HTTPReply
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
            subscriptionCount: info.contains(.subscriptionCount) ? now.subscriptions : nil, cache: cache,
            to: &reply.body)
    }

    private func listUsers(_ request: RequestView, _ range: Range<Int>, _ app: App) throws(APIError) -> Answer {
        try acquireRead(app)
        let (name, kind) = try channel(request, range, app)
        try StateRequest.users(kind)
        return .list(LongReply(.users(broker.users(of: name.span, app: app), next: 0)), of: app)
    }

    private func terminate(
        _ request: RequestView, _ app: App, _ user: Range<Int>, _ reply: inout HTTPReply
    ) throws(APIError) {
        let segment = request.slice(user)
        let userID = try StateRequest.userID(
            segment: segment.span, charactersMax: app.settings.limits.userIDCharactersMax)
        do throws(LoopBroker.PublishRefusal) {
            try broker.terminateConnections(of: userID.span, app: app)
        } catch {
            throw error.answer
        }
        APIReply.empty(to: &reply.body)
    }
}
