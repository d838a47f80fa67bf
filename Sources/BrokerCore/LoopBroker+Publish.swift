public import PusherProtocol

/// Events on their way to a channel's subscribers: from the HTTP API and from clients.
extension LoopBroker {
    /// Why the app may not publish now.
    public enum PublishRefusal: Sendable, Equatable {
        /// Too many events this second; come back within a second (429).
        case rate(limit: Int)
        /// The day's messages are used up (403).
        case dailyQuota(limit: Int)
        /// A loop is too far behind to take more (503).
        case overloaded
    }

    /// How many listen to a channel, read in the step that published.
    public struct Audience: Sendable, Equatable {
        public var subscriptions = 0
        /// Presence channels: distinct users.
        public var users = 0
    }

    /// Takes `events` channel-events from the app's rates and quotas, all or nothing.
    public func admitPublish(app: App, events: Int) -> PublishRefusal? {
        if shared.isOverloaded { return .overloaded }
        let limits = app.settings.limits
        let second = time.milliseconds / 1_000
        if let limit = limits.backendEventsPerSecondMax,
            !app.backendEvents.acquire(events, window: second, limit: limit)
        {
            return .rate(limit: limit)
        }
        if acquireMessages(events, app: app) { return nil }
        if limits.backendEventsPerSecondMax != nil { app.backendEvents.release(events, window: second) }
        return .dailyQuota(limit: limits.messagesPerDayMax ?? 0)
    }

    /// Takes one read request from the app's rate.
    public func admitRead(app: App) -> PublishRefusal? {
        guard let limit = app.settings.limits.readRequestsPerSecondMax,
            !app.readRequests.acquire(1, window: time.milliseconds / 1_000, limit: limit)
        else { return nil }
        return .rate(limit: limit)
    }

    private func acquireMessages(_ count: Int, app: App) -> Bool {
        guard let limit = app.settings.limits.messagesPerDayMax else { return true }
        return app.messagesToday.acquire(count, window: UInt64(max(0, time.unixSeconds) / 86_400), limit: limit)
    }

    /// Publishes a request's event to one of its channels (Pusher protocol §3.10).
    ///
    /// The frame is encoded once, before the lock; under the lock it gets its number, is cached if the channel caches, and is
    /// posted to each loop that has subscribers.
    @discardableResult
    public func publish(app: App, _ request: PublishRequest, channel index: Int, body: Span<UInt8>) -> Audience {
        let channel = request.channels[index]
        let kind = channel.kind
        let storage = request.storage
        let name = storage.span.extracting(channel.name)
        var frame = take(&json)
        frame.removeAll(keepingCapacity: true)
        request.appendFrame(channel: index, body: body, to: &frame)
        let expires = time.milliseconds + UInt64(app.settings.limits.cacheSeconds) * 1_000
        let cachesMax = max(1, app.settings.limits.cacheChannelsMax / ChannelRegistry.shardCount)
        let (exceptLoop, exceptTag) = request.excluded.map { shared.socketIDs.place(of: $0) } ?? (-1, .none)
        let bytes = frame
        let hash = app.registry.hash(of: name)
        let absent: Audience? = kind.isCache ? nil : Audience()
        let audience = app.registry.shard(hash: hash).withLock(absent: absent) {
            (state: inout ChannelShard) -> Audience in
            guard
                let id = kind.isCache ? state.findOrInsert(name, hash: hash, kind: kind) : state.find(name, hash: hash)
            else {
                return Audience()
            }
            if kind.isCache {
                // The data is the frame's last member.
                let data = bytes.count - 1 - request.data.range.count..<bytes.count - 1
                let event = CachedEvent(json: bytes, data: data, expiresMilliseconds: expires)
                state.cache(event, for: id, countMax: cachesMax)
                lookAfter(&state, hash: hash, app: app)
            }
            post(bytes, to: &state.records[id], except: exceptTag, exceptLoop: exceptLoop)
            return Audience(
                subscriptions: state.records[id].subscriberCount, users: state.records[id].roster?.count ?? 0)
        }
        json = frame
        return audience
    }

    /// A client's own event, checked in the order of Pusher protocol §4 and given to the channel's other subscribers.
    /// - Parameter dataLiteral: the data as a JSON string literal.
    func clientEvent(
        slot: UInt32, eventLiteral: Span<UInt8>, nameCharacters: Int, channel name: Span<UInt8>,
        dataLiteral: Span<UInt8>, dataBytes: Int
    ) {
        let app = app(of: slot)
        guard app.settings.clientEventsEnabled else {
            return fail(slot: slot, code: 4301, "Client events are off for this app; set clientEvents to true")
        }
        let limits = app.settings.limits
        guard nameCharacters <= limits.eventNameCharactersMax else {
            return fail(
                slot: slot, code: 4301,
                "The event name has \(nameCharacters) characters; the limit is \(limits.eventNameCharactersMax)")
        }
        let hash = app.registry.hash(of: name)
        let local = memberships[app: app.index].find(name, hash: hash)
        // A channel of this loop was classified when it was made; another name is, to say what is wrong with it.
        let kind =
            local.map { memberships[app: app.index][$0].kind }
            ?? (try? ChannelName.classify(
                name, bytesMax: limits.channelNameBytesMax, userIDCharactersMax: limits.userIDCharactersMax))
        guard let kind, kind.acceptsClientEvents else {
            return fail(
                slot: slot, code: 4301,
                "Client events are taken only on private and presence channels, not encrypted ones")
        }
        guard let local, let known = memberships.entry(of: slot, in: local) else {
            let channel = String(decoding: ChannelTable.copy(name), as: UTF8.self)
            return fail(
                slot: slot, code: nil, "Cannot send a client event: not subscribed to \(channel)",
                of: .clientEventRefused)
        }
        guard dataBytes <= limits.clientEventBytesMax else {
            return fail(
                slot: slot, code: 4301,
                "The client event's data has \(dataBytes) bytes; the limit is \(limits.clientEventBytesMax)")
        }
        guard acquireClientEvent(from: &memberships[slot], limit: limits.clientEventsPerSecondMax) else {
            return fail(
                slot: slot, code: 4301,
                "More than \(limits.clientEventsPerSecondMax ?? 0) client events a second; this one was dropped")
        }
        guard !shared.isOverloaded else {
            return fail(slot: slot, code: 4301, "The server is overloaded; this event was dropped")
        }
        guard acquireMessages(1, app: app) else {
            return fail(
                slot: slot, code: 4301, "The app's \(limits.messagesPerDayMax ?? 0) messages of this day are used up")
        }
        if effects.notes.isTracing { effects.notes.add(.clientEventSent, slot, channel: name, eventLiteral.text) }
        let member = memberships[slot].subscriptions[known].member
        sendClientEvent(
            slot: slot, app: app, member: member, eventLiteral: eventLiteral, channel: name, hash: hash,
            dataLiteral: dataLiteral)
    }

    private func sendClientEvent(
        slot: UInt32, app: App, member: UInt32, eventLiteral: Span<UInt8>, channel name: Span<UInt8>,
        hash: UInt64, dataLiteral: Span<UInt8>
    ) {
        let except = ConnectionTag(slot: slot, tag: memberships[slot].socketID.low)
        if member == .max {
            json.removeAll(keepingCapacity: true)
            ServerFrame.event(
                nameLiteral: eventLiteral, channel: name, dataLiteral: dataLiteral, userID: nil, to: &json)
        }
        app.registry.shard(hash: hash).withLock { (state: inout ChannelShard) in
            guard let id = state.find(name, hash: hash) else {
                preconditionFailure("a record lives while a loop counts in it")
            }
            if member != .max {
                // The user's id is the server's word, never the sender's (PW-096, PW-097), and the roster has it.
                json.removeAll(keepingCapacity: true)
                let userID = state.records[id].roster?.userID(of: member) ?? []
                ServerFrame.event(
                    nameLiteral: eventLiteral, channel: name, dataLiteral: dataLiteral, userID: userID.span, to: &json)
            }
            post(json, to: &state.records[id], except: except, exceptLoop: loop)
        }
    }

    /// A bucket of `limit` events that fills at `limit` a second (PW-102, PW-103).
    private func acquireClientEvent(from sender: inout ConnectionRecord, limit: Int?) -> Bool {
        guard let limit else { return true }
        let full = UInt64(limit) * 1_000
        let now = UInt32(truncatingIfNeeded: time.milliseconds)
        let elapsed = UInt64(now &- sender.clientEventRefillMilliseconds)
        let held = UInt64(sender.clientEventTokens)
        let tokens = held >= full ? full : min(full, held + elapsed * UInt64(limit))
        sender.clientEventRefillMilliseconds = now
        guard tokens >= 1_000 else {
            sender.clientEventTokens = UInt32(tokens)
            return false
        }
        sender.clientEventTokens = UInt32(clamping: tokens - 1_000)
        return true
    }

    func take(_ storage: inout [UInt8]) -> [UInt8] {
        let taken = storage
        storage = []
        return taken
    }
}
