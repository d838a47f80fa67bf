import BrokerCore

/// What each command of a client or of the API must lead to (Pusher protocol §3–§6).
extension Model {
    /// What a subscribe carries besides the channel.
    struct Credentials {
        var isRight = true
        /// `channel_data`: user and `user_info`.
        var member: (user: String, info: String?)?
    }

    mutating func subscribe(_ id: Int, _ channel: SimulatedWorld.Channel, _ credentials: Credentials) {
        guard let client = clients[id] else { return }
        // Whose signature misses its channel_data is told so, and not that the signature is wrong.
        let isNobody = channel.isPresence && credentials.member == nil && client.user == nil
        if channel.isSigned, !credentials.isRight, !isNobody {
            return refuse(id, channel.name, type: "AuthError", status: 401, code: nil)
        }
        var member: (user: String, info: String?)?
        if channel.isPresence {
            member = credentials.member ?? client.user.map { ($0.id, $0.info) }
            guard member != nil else {
                return refuse(id, channel.name, type: "InvalidChannelData", status: 4302, code: 4302)
            }
        }
        let place = Place(app: client.app, channel: channel.name)
        if let known = client.memberships.first(where: { $0.place == place }) {
            // Its place among the channel's frames is in a queue that takes no more.
            guard !isFull(client.loop) else { return answer(id, .failure(code: nil)) }
            guard known.user == member?.user else {
                return refuse(id, channel.name, type: "AuthError", status: 401, code: nil)
            }
            // The same answer again, in its place among the channel's frames.
            let again = success(place, channel)
            clients[id]?.inbox[channel.name]?.append(contentsOf: again)
            return
        }
        let limits = settings[client.app].limits
        let book = channels[place] ?? Channel()
        let isFull =
            (member.map { book.members[$0.user] == nil } ?? false) && book.members.count >= limits.presenceMembersMax
        let isBusy = client.memberships.count { $0.role == .channel } >= limits.channelsPerConnectionMax
        let hasNoRoom = book.count == 0 && occupiedCount(app: client.app) >= limits.channelsMax ?? .max
        if isBusy || isFull || hasNoRoom {
            return refuse(id, channel.name, type: "LimitReached", status: 4100, code: 4100)
        }
        join(id, place, role: .channel, user: member?.user, info: member?.info)
        for frame in success(place, channel) { answer(id, frame) }
    }

    private mutating func success(_ place: Place, _ channel: SimulatedWorld.Channel) -> [Expected] {
        let book = channels[place] ?? Channel()
        var frames: [Expected] = [.text(Text.succeeded(channel.name))]
        if channel.isPresence { frames = [.snapshot(channel.name, book.members.mapValues(\.info))] }
        guard channel.isCache else { return frames }
        if let cached = book.cached, cached.expires > now {
            frames.append(.text(cached.frame))
        } else {
            frames.append(.text(Text.cacheMiss(channel.name)))
            tell(place, "cacheMiss")
        }
        return frames
    }

    mutating func subscribeUser(_ id: Int, _ user: String) {
        let name = Self.userChannel(user)
        if clients[id]?.user?.id == user { return answer(id, .text(Text.succeeded(name))) }
        refuse(id, name, type: "AuthError", status: 401, code: nil)
    }

    mutating func refuse(_ id: Int, _ channel: String, type: String, status: Int, code: Int?) {
        guard let client = clients[id] else { return }
        let dialect = settings[client.app].subscriptionErrors
        if dialect != .hosted { answer(id, .refusal(channel, type: type, status: status)) }
        if dialect != .soketi { answer(id, .failure(code: code)) }
    }

    mutating func unsubscribe(_ id: Int, _ channel: String) {
        guard
            let at = clients[id]?.memberships.firstIndex(where: { $0.place.channel == channel && $0.role == .channel })
        else { return }
        if let left = detach(id, at: at) { giveBack(left, .unsubscribed) }
    }

    mutating func signIn(_ id: Int, user: String, info: String?, watchlist: [String], userData: String, isRight: Bool) {
        guard let client = clients[id] else { return }
        let app = settings[client.app]
        guard isRight, client.user == nil || client.user?.id == user else { return answer(id, .failure(code: 4009)) }
        if client.user == nil { join(id, Place(app: client.app, channel: Self.userChannel(user)), role: .user) }
        clients[id]?.user = (user, info)
        answer(id, .text(Text.signedIn(userData)))
        guard app.watchlistEnabled else { return }
        var at = 0
        while at < clients[id]?.memberships.count ?? 0 {
            if clients[id]?.memberships[at].role == .watch { _ = detach(id, at: at) } else { at += 1 }
        }
        let watched = Array(watchlist.prefix(app.limits.watchlistMax))
        for user in watched {
            join(id, Place(app: client.app, channel: Self.userChannel(user)), role: .watch, user: user)
        }
        let online = watched.filter { user in
            (channels[Place(app: client.app, channel: Self.userChannel(user))]?.count ?? 0) > 0
        }
        let offline = watched.filter { !online.contains($0) }
        if !watched.isEmpty { answer(id, .statuses(online: online, offline: offline)) }
        if watched.count < watchlist.count { answer(id, .failure(code: 4302)) }
    }

    /// `data` is the text of the JSON string that was sent.
    mutating func clientEvent(_ id: Int, _ name: String, _ channel: SimulatedWorld.Channel, data: String) {
        guard let client = clients[id] else { return }
        let app = settings[client.app]
        guard app.clientEventsEnabled, channel.takesClientEvents else { return answer(id, .failure(code: 4301)) }
        let place = Place(app: client.app, channel: channel.name)
        guard let membership = client.memberships.first(where: { $0.place == place }) else {
            return answer(id, .failure(code: nil))
        }
        guard data.utf8.count <= app.limits.clientEventBytesMax else { return answer(id, .failure(code: 4301)) }
        if let limit = app.limits.clientEventsPerSecondMax {
            let tokens = min(limit * 1_000, client.tokens + (now - client.tokensAt) * limit)
            clients[id]?.tokensAt = now
            clients[id]?.tokens = tokens >= 1_000 ? tokens - 1_000 : tokens
            guard tokens >= 1_000 else { return answer(id, .failure(code: 4301)) }
        }
        guard !isOverloaded, acquireMessages(1, app: client.app) else { return answer(id, .failure(code: 4301)) }
        let frame = Text.event(name, channel.name, data: data, user: membership.user)
        post(frame, to: place, except: id)
        tellEvent("clientEvent", place, name, data, client.socketID, membership.user, frame)
    }

    private mutating func tellEvent(
        _ kind: String, _ place: Place, _ name: String, _ data: String, _ socket: String?, _ user: String?,
        _ frame: String
    ) {
        let parts = [kind, Text.literal(name), Text.literal(data), socket ?? "-", user ?? "-", frame]
        tell(place, parts.joined(separator: " "))
    }

    mutating func acquireMessages(_ count: Int, app: Int) -> Bool {
        guard let limit = settings[app].limits.messagesPerDayMax else { return true }
        if today[app].window != unixSeconds / 86_400 { today[app] = (unixSeconds / 86_400, 0) }
        guard today[app].used + count <= limit else { return false }
        today[app].used += count
        return true
    }

    /// All or nothing: a publish that the day refuses takes nothing from the second either.
    mutating func admitPublish(app: Int, events: Int) -> LoopBroker.PublishRefusal? {
        if isOverloaded { return .overloaded }
        let limits = settings[app].limits
        if backend[app].window != now / 1_000 { backend[app] = (now / 1_000, 0) }
        if let limit = limits.backendEventsPerSecondMax, backend[app].used + events > limit {
            return .rate(limit: limit)
        }
        guard acquireMessages(events, app: app) else { return .dailyQuota(limit: limits.messagesPerDayMax ?? 0) }
        backend[app].used += events
        return nil
    }

    /// - Returns: subscriptions and users at that moment.
    mutating func publish(
        app: Int, _ name: String, _ channel: String, isCache: Bool, data: String, exceptSocket: String?
    ) -> (Int, Int) {
        let place = Place(app: app, channel: channel)
        let frame = Text.event(name, channel, data: data)
        if isCache {
            var book = channels[place] ?? Channel()
            book.cached = (frame, Text.literal(data), now + settings[app].limits.cacheSeconds * 1_000)
            channels[place] = book
        }
        let except = exceptSocket.flatMap { socket in clients.values.first { $0.socketID == socket }?.id }
        post(frame, to: place, except: except)
        tellEvent("published", place, name, data, exceptSocket, nil, frame)
        return (channels[place]?.count ?? 0, channels[place]?.members.count ?? 0)
    }

    mutating func terminate(app: Int, user: String) {
        guard !isOverloaded else { return }
        for id in channels[Place(app: app, channel: Self.userChannel(user))]?.listeners ?? [] {
            clients[id]?.terminations += 1
        }
    }
}
