internal import Crypto
internal import PusherProtocol

/// Sign-in, watchlists, and ending a user's connections (Pusher protocol §5).
extension LoopBroker {
    func signIn(slot: UInt32, auth: Span<UInt8>, userData: Span<UInt8>) {
        let app = app(of: slot)
        let outcome = ChannelAuth.verifyUser(
            auth: auth, socketID: connections[Int(slot)].socketID, userData: userData, keys: app.keys,
            workspace: workspace)
        if let text = ChannelAuth.message(outcome, auth: auth, subject: "pusher:signin") {
            return fail(slot: slot, code: 4009, text)
        }
        let limits = app.settings.limits
        let data: UserData
        do throws(IdentityError) { data = try UserData.parse(userData, watchlistMax: limits.watchlistMax) } catch {
            return fail(slot: slot, code: 4009, error.text)
        }
        guard ScalarCount.of(data.id.span) <= limits.userIDCharactersMax else {
            return fail(slot: slot, code: 4009, "user_data.id has more than \(limits.userIDCharactersMax) characters")
        }
        if let known = connections[Int(slot)].user, known.id != data.id {
            return fail(
                slot: slot, code: 4009,
                "This connection is signed in as another user; a new identity needs a new connection")
        }
        let info = data.userInfo.map { ChannelTable.copy(userData.extracting($0)) }
        if let known = connections[Int(slot)].user {
            known.userInfo = info
        } else {
            connections[Int(slot)].user = SignedInUser(id: data.id, userInfo: info)
            let channel = Self.userChannel(data.id.span)
            _ = join(slot: slot, name: channel.span, kind: Self.userKind, role: .user)
        }
        connections[Int(slot)].isAuthorized = true
        effects.frame(to: slot) { ServerFrame.signinSuccess(userData: userData, to: &$0) }
        guard app.settings.watchlistEnabled else { return }
        watch(slot: slot, data.watchlist)
        if data.isWatchlistTooLong {
            fail(
                slot: slot, code: 4302,
                "The watchlist is longer than \(limits.watchlistMax); only the first ones are watched")
        }
    }

    private static let userKind = ChannelKind(access: .user, isCache: false)

    /// Replaces the connection's watchlist and says who of it is online now (PW-119).
    private func watch(slot: UInt32, _ watchlist: [[UInt8]]) {
        let app = connections[Int(slot)].app
        var at = 0
        while at < connections[Int(slot)].subscriptions.count {
            let channel = Int(connections[Int(slot)].subscriptions[at].channel)
            guard tables[app].channels[channel].role == .watch else {
                at += 1
                continue
            }
            _ = detach(slot: slot, entry: at)
            leaveRegistry(app: app, channel: channel, member: .max)
        }
        connections[Int(slot)].user?.watching = watchlist.count
        var (online, offline): ([[UInt8]], [[UInt8]]) = ([], [])
        for userID in watchlist {
            let joined = join(slot: slot, name: Self.userChannel(userID.span).span, kind: Self.userKind, role: .watch)
            if joined.memberCount > 0 { online.append(userID) } else { offline.append(userID) }
        }
        guard !watchlist.isEmpty else { return }
        effects.frame(to: slot) { ServerFrame.watchlistEvents(online: online, offline: offline, to: &$0) }
    }

    /// Ends every signed-in connection of a user, on all loops (PW-116…PW-118).
    /// - Returns: why not, as of a publish.
    @discardableResult
    public func terminateConnections(of userID: Span<UInt8>, app: App) -> PublishRefusal? {
        if shared.isOverloaded { return .overloaded }
        let name = Self.userChannel(userID)
        let empty: [UInt8] = []
        app.registry.shard(of: name.span).withLock { (state: inout ChannelShard) in
            guard let id = state.find(name.span) else { return }
            state.records[id].post(
                .terminate, json: empty.span, over: shared.queues, wakes: &effects.wakes, pool: &pool)
        }
        return nil
    }

    /// Carries out one termination on the loop that holds the connection.
    func terminate(slot: UInt32) {
        guard !connections[Int(slot)].isEnding else { return }
        connections[Int(slot)].isEnding = true
        fail(slot: slot, code: 4009, "The connection was ended by the app")
        effects.close(slot, .unauthorized)
    }
}
