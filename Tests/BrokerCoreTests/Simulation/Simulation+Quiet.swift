import BrokerCore

/// What must hold when nothing is on its way.
extension Simulation {
    /// Settles and delivers everything, then compares every view of every channel.
    func becomeQuiet() throws {
        note("quiet")
        repeat {
            for loop in brokers.indices {
                model.settle(loop: loop, limit: 7)
                try command(on: loop) { $0.settleDepartures(limit: 7) }
                try deliver(loop: loop, limit: .max)
            }
        } while brokers.contains(where: \.hasWork)
        if model.isTight { try payCounts() }
        #if DEBUG
            if let fault = InvariantWalker.leftover(in: brokers) { throw fail(fault) }
        #endif
        for client in model.clients.values {
            guard client.terminations == 0 else { throw fail("client \(client.id) was not terminated") }
            for (channel, owed) in client.inbox where !owed.isEmpty {
                throw fail("client \(client.id) never got on \(channel): \(owed)")
            }
            for (channel, members) in client.believed {
                let real = model.channels[Model.Place(app: client.app, channel: channel)]?.members.mapValues(\.info)
                guard members == real, Set(members.keys) == roster(client.app, channel) else {
                    throw fail("client \(client.id) believes \(members) in \(channel), not \(real ?? [:])")
                }
            }
            if model.isTight { try compareLate(client) }
        }
        try compareQuestions()
        try compareEdges()
    }

    /// Counts that waited for a full queue come with a tick, some at a time while queues are this small.
    private func payCounts() throws {
        for _ in 0..<20 {
            model.now += 5_000
            setTime()
            for loop in brokers.indices { try command(on: loop) { $0.tick() } }
            for loop in brokers.indices { try deliver(loop: loop, limit: .max) }
        }
    }

    /// What came late is true in the end.
    private func compareLate(_ client: Model.Client) throws {
        for membership in client.memberships {
            let (place, count) = (membership.place, model.channels[membership.place]?.count ?? 0)
            switch membership.role {
            case .user: continue
            case .watch:
                let user = String(place.channel.dropFirst("#server-to-user-".count))
                guard client.online[user] == (count > 0) else {
                    throw fail(
                        "client \(client.id) believes that \(user) is \(String(describing: client.online[user]))")
                }
            case .channel:
                let isCounted =
                    model.settings[client.app].subscriptionCountEnabled && !place.channel.hasPrefix("presence-")
                guard !isCounted || client.counted[place.channel] == count else {
                    throw fail("client \(client.id) was told \(client.counted) of \(place.channel), not \(count)")
                }
            }
        }
    }

    private func roster(_ app: Int, _ channel: String) -> Set<String> {
        let name = Array(channel.utf8)
        return Set(brokers[0].users(of: name.span, app: shared.apps[app]).map { String(decoding: $0, as: UTF8.self) })
    }

    /// The answers of the HTTP API, and the quotas.
    private func compareQuestions() throws {
        var listing = ChannelListing()
        for app in shared.apps {
            var listed: [String: [Int]] = [:]
            let everything: [UInt8] = []
            for part in 0..<LoopBroker.channelParts {
                _ = brokers[0].occupiedChannels(app: app, part: part, prefix: everything.span, into: &listing)
                listing.forEach { name, subscriptions, users in
                    let name = name.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
                    listed[name] = [subscriptions, users]
                }
            }
            var wanted: [String: [Int]] = [:]
            for (place, book) in model.channels where place.app == app.index {
                let name = Array(place.channel.utf8)
                let state = brokers[0].channelState(of: name.span, app: app)
                let cached = book.cached.flatMap { $0.expires > model.now ? $0.data : nil }
                guard state.subscriptions == book.count, state.users == book.members.count,
                    state.cache.map({ String(decoding: $0.dataLiteral, as: UTF8.self) }) == cached
                else { throw fail("\(place.channel) is \(state), expected \(book)") }
                guard roster(app.index, place.channel) == Set(book.members.keys) else {
                    throw fail("\(place.channel) has other members than \(book.members.keys)")
                }
                if book.count > 0, !place.channel.hasPrefix("#") {
                    wanted[place.channel] = [book.count, book.members.count]
                }
            }
            guard listed == wanted else { throw fail("occupied are \(listed), expected \(wanted)") }
            guard app.connectionCount == model.openCount(app: app.index), app.channelCount == wanted.count else {
                throw fail("\(app.connectionCount) connections and \(app.channelCount) channels are counted")
            }
        }
    }

    /// Every connection is closed and time passes until every cache is over: nothing may be left.
    func forgetEverything() throws {
        model.now += 2_000_000
        setTime()
        for _ in 0..<64 { for loop in brokers.indices { try command(on: loop) { $0.tick() } } }
        model.channels = [:]
        try compareQuestions()
        for loop in 0..<shared.loopCount {
            let left = shared.queuedBytes(of: loop)
            guard shared.isQueueEmpty(of: loop), left == 0 else { throw fail("\(left) bytes are left queued") }
        }
    }
}
