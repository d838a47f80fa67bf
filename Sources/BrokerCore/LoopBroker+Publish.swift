public import PusherProtocol

/// Events on their way to a channel's subscribers: from the HTTP API and from clients.
extension LoopBroker {
    /// How many listen to a channel, read in the step that published.
    public struct Audience: Sendable, Equatable {
        public var subscriptions = 0
        /// Presence channels: distinct users.
        public var users = 0
    }

    /// Takes `events` channel-events from the app's rates and quotas, all or nothing.
    public func admitPublish(app: App, events: Int) throws(PublishRefusal) {
        if shared.isOverloaded { throw .overloaded }
        let limits = app.settings.limits
        let second = time.milliseconds / 1_000
        if let limit = limits.backendEventsPerSecondMax,
            !app.backendEvents.acquire(events, window: second, limit: limit)
        {
            throw .rate(limit: limit)
        }
        if acquireMessages(events, app: app) { return }
        if limits.backendEventsPerSecondMax != nil { app.backendEvents.release(events, window: second) }
        throw .dailyQuota(limit: limits.messagesPerDayMax ?? 0)
    }

    /// Takes one read request from the app's rate.
    public func admitRead(app: App) throws(PublishRefusal) {
        guard let limit = app.settings.limits.readRequestsPerSecondMax,
            !app.readRequests.acquire(1, window: time.milliseconds / 1_000, limit: limit)
        else { return }
        throw .rate(limit: limit)
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
        let hash = app.registry.hash(of: name)
        do throws(ClientEventRefusal) {
            let member = try admitClientEvent(
                slot: slot, app: app, nameCharacters: nameCharacters, channel: name, hash: hash, dataBytes: dataBytes)
            if effects.notes.isTracing {
                effects.notes.add(.clientEventSent, slot, channel: name, eventLiteral.text)
            }
            sendClientEvent(
                slot: slot, app: app, member: member, eventLiteral: eventLiteral, channel: name, hash: hash,
                dataLiteral: dataLiteral)
        } catch {
            refuse(slot: slot, error)
        }
    }

    /// - Returns: who the sender is in the channel, as its subscription says it.
    private func admitClientEvent(
        slot: UInt32, app: App, nameCharacters: Int, channel name: Span<UInt8>, hash: UInt64, dataBytes: Int
    ) throws(ClientEventRefusal) -> UInt32 {
        guard app.settings.clientEventsEnabled else { throw .disabled }
        let limits = app.settings.limits
        guard nameCharacters <= limits.eventNameCharactersMax else {
            throw .nameTooLong(characters: nameCharacters, charactersMax: limits.eventNameCharactersMax)
        }
        let local = memberships[app: app.index].find(name, hash: hash)
        // A channel of this loop was classified when it was made; another name is, to say what is wrong with it.
        let kind =
            local.map { memberships[app: app.index][$0].kind }
            ?? (try? ChannelName.classify(
                name, bytesMax: limits.channelNameBytesMax, userIDCharactersMax: limits.userIDCharactersMax))
        guard let kind, kind.acceptsClientEvents else { throw .wrongChannel }
        guard let local, let known = memberships.entry(of: slot, in: local) else {
            throw .notSubscribed(channel: ChannelTable.copy(name))
        }
        guard dataBytes <= limits.clientEventBytesMax else {
            throw .dataTooLarge(bytes: dataBytes, bytesMax: limits.clientEventBytesMax)
        }
        guard acquireClientEvent(from: &memberships[slot], limit: limits.clientEventsPerSecondMax) else {
            throw .rate(limit: limits.clientEventsPerSecondMax ?? 0)
        }
        guard !shared.isOverloaded else { throw .overloaded }
        guard acquireMessages(1, app: app) else { throw .dailyQuota(limit: limits.messagesPerDayMax ?? 0) }
        return memberships[slot].subscriptions[known].member
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
