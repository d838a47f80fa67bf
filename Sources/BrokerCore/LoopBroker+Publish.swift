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
            meter.hit(.backendEventsPerSecond)
            throw .rate(limit: limit)
        }
        if acquireMessages(events, app: app) { return }
        if limits.backendEventsPerSecondMax != nil { app.backendEvents.release(events, window: second) }
        meter.hit(.messagesPerDay)
        throw .dailyQuota(limit: limits.messagesPerDayMax ?? 0)
    }

    /// Takes one read request from the app's rate.
    public func admitRead(app: App) throws(PublishRefusal) {
        guard let limit = app.settings.limits.readRequestsPerSecondMax,
            !app.readRequests.acquire(1, window: time.milliseconds / 1_000, limit: limit)
        else { return }
        meter.hit(.readRequestsPerSecond)
        throw .rate(limit: limit)
    }

    private func acquireMessages(_ count: Int, app: App) -> Bool {
        guard let limit = app.settings.limits.messagesPerDayMax else { return true }
        return app.messagesToday.acquire(count, window: UInt64(max(0, time.unixSeconds) / 86_400), limit: limit)
    }

    /// Publishes a request's event to one of its channels (Pusher protocol §3.10). The text is encoded once, before the lock. Effects: loops to
    /// wake.
    @discardableResult
    public func publish(app: App, _ request: PublishRequest, channel index: Int, body: Span<UInt8>) -> Audience {
        let channel = request.channels[index]
        let storage = request.storage
        let name = storage.span.extracting(channel.name)
        var frame = Scratch.take(&scratch.json)
        frame.removeAll(keepingCapacity: true)
        request.appendFrame(channel: index, body: body, to: &frame)
        var except = Publication.Exclusion.nobody
        if let excluded = request.excluded {
            let place = shared.socketIDs.place(of: excluded)
            except = Publication.Exclusion(loop: place.loop, connection: place.connection, socketID: excluded)
        }
        var publication = Publication(
            json: consume frame, dataBytes: request.data.range.count, hash: app.registry.hash(of: name),
            kind: channel.kind,
            except: except)
        let audience = deliver(&publication, to: name, app: app)
        scratch.json = publication.finish()
        return audience
    }

    /// The one way of an event into a channel. Under the shard's lock it is cached if the channel caches, gets its number, is posted
    /// to each loop that has subscribers, and is told to the consumers of edges.
    ///
    /// Inlined, so that each caller pays only for what its publications can be.
    /// - Parameter name: the channel's, whose hash is in the publication.
    @inline(__always)
    func deliver(_ publication: inout Publication, to name: Span<UInt8>, app: App) -> Audience {
        let (hash, kind, isCached) = (publication.hash, publication.kind, publication.isCached)
        let isWatched = app.edges.consumers(of: publication.edgeKind) != 0
        // Most publishes to a channel without a record end here: nobody is there, and nobody else asks.
        let absent: Audience? = isCached || isWatched ? nil : Audience()
        return app.registry.shard(hash: hash).withLock(absent: absent) { (state: inout ChannelShard) -> Audience in
            guard let id = isCached ? state.findOrInsert(name, hash: hash, kind: kind) : state.find(name, hash: hash)
            else {
                if isWatched { tell(of: publication, channel: name, in: nil, app: app) }
                return Audience()
            }
            if isCached {
                cache(publication, in: &state, for: id, app: app)
                lookAfter(&state, hash: hash, app: app)
            }
            if publication.member != .max {
                publication.sign(userID: state.records[id].roster?.userID(of: publication.member) ?? [])
            }
            post(publication.json, to: &state.records[id], except: publication.except, stamp: time.stamp)
            if isWatched { tell(of: publication, channel: name, in: state.records[id], app: app) }
            return Audience(
                subscriptions: state.records[id].subscriberCount, users: state.records[id].roster?.count ?? 0)
        }
    }

    private func cache(_ publication: borrowing Publication, in state: inout ChannelShard, for id: Int, app: App) {
        let limits = app.settings.limits
        let event = CachedEvent(
            json: publication.json, data: publication.dataRange,
            expiresMilliseconds: time.milliseconds + UInt64(limits.cacheSeconds) * 1_000)
        state.cache(event, for: id, countMax: max(1, limits.cacheChannelsMax / ChannelRegistry.shardCount))
    }

    /// - Parameter record: nil for a channel that has none.
    @inline(never)
    private func tell(
        of publication: borrowing Publication, channel name: Span<UInt8>, in record: ChannelRecord?, app: App
    ) {
        let userID = publication.member == .max ? nil : record?.roster?.userID(of: publication.member)
        let event = publication.edge(userID: userID)
        let kind = publication.edgeKind
        tell(kind, in: app, channel: name, kind == .clientEvent ? .clientEvent(event) : .published(event))
    }

    /// A client's own event, checked in the order of Pusher protocol §4 and given to the channel's other subscribers.
    /// - Parameter dataLiteral: the data as a JSON string literal.
    func clientEvent(
        slot: UInt32, app: App, eventLiteral: Span<UInt8>, nameCharacters: Int, channel name: Span<UInt8>,
        dataLiteral: Span<UInt8>, dataBytes: Int
    ) {
        let hash = app.registry.hash(of: name)
        do throws(ClientEventRefusal) {
            let (member, kind) = try admitClientEvent(
                slot: slot, app: app, nameCharacters: nameCharacters, channel: name, hash: hash, dataBytes: dataBytes)
            if effects.notes.isTracing {
                effects.notes.add(.clientEventSent, slot, channel: name, eventLiteral.text)
            }
            sendClientEvent(
                slot: slot, app: app, member: member, eventLiteral: eventLiteral, channel: name, kind: kind, hash: hash,
                dataLiteral: dataLiteral)
        } catch {
            refuse(slot: slot, error)
        }
    }

    /// - Returns: who the sender is in the channel, as its subscription says it, and what the channel is.
    @inline(__always)
    private func admitClientEvent(
        slot: UInt32, app: App, nameCharacters: Int, channel name: Span<UInt8>, hash: UInt64, dataBytes: Int
    ) throws(ClientEventRefusal) -> (member: UInt32, kind: ChannelKind) {
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
            meter.hit(.clientEventsPerSecond)
            throw .rate(limit: limits.clientEventsPerSecondMax ?? 0)
        }
        guard !shared.isOverloaded else { throw .overloaded }
        guard acquireMessages(1, app: app) else {
            meter.hit(.messagesPerDay)
            throw .dailyQuota(limit: limits.messagesPerDayMax ?? 0)
        }
        return (memberships[slot].subscriptions[known].member, kind)
    }

    @inline(__always)
    private func sendClientEvent(
        slot: UInt32, app: App, member: UInt32, eventLiteral: Span<UInt8>, channel name: Span<UInt8>,
        kind: ChannelKind, hash: UInt64, dataLiteral: Span<UInt8>
    ) {
        var frame = Scratch.take(&scratch.json)
        frame.removeAll(keepingCapacity: true)
        ServerFrame.event(
            nameLiteral: eventLiteral, channel: name, dataLiteral: dataLiteral, isOpen: member != .max, to: &frame)
        let socketID = memberships[slot].socketID
        let sender = ConnectionTag(slot: slot, tag: socketID.low)
        var publication = Publication(
            json: consume frame, dataBytes: dataLiteral.count, hash: hash, kind: kind,
            sender: socketID, member: member, except: .init(loop: loop, connection: sender))
        let audience = deliver(&publication, to: name, app: app)
        precondition(audience.subscriptions > 0, "a record lives while a loop counts in it")
        appMeters.row(app.index).pointee.clientEvents &+= 1
        scratch.json = publication.finish()
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
}
