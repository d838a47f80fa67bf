internal import PusherProtocol

/// Sign-in, watchlists, and ending a user's connections (Pusher protocol §5).
extension LoopBroker {
    /// Every failure is 4009, also that of a member which is missing or no text (Pusher protocol §5.1).
    func signIn(slot: UInt32, auth: CommandField, userData: CommandField, texts: Span<UInt8>) {
        do throws(SignInRefusal) {
            if let problem = auth.problem("data.auth") ?? userData.problem("data.user_data") {
                throw .unreadable(problem)
            }
            guard let userData = userData.range else { throw .missingUserData }
            // An absent auth is an empty one: the check of the signature says what to do about it.
            try signIn(slot: slot, auth: texts.extracting(auth.range ?? 0..<0), userData: texts.extracting(userData))
        } catch {
            refuse(slot: slot, error)
        }
    }

    private func signIn(slot: UInt32, auth: Span<UInt8>, userData: Span<UInt8>) throws(SignInRefusal) {
        let app = app(of: slot)
        let outcome = ChannelAuth.verifyUser(
            auth: auth, socketID: memberships[slot].socketID, userData: userData, keys: app.keys)
        if let text = ChannelAuth.message(outcome, auth: auth, subject: "pusher:signin") {
            throw .signature(text)
        }
        let limits = app.settings.limits
        let data: UserData
        do throws(IdentityError) {
            data = try UserData.parse(
                userData, watchlistMax: limits.watchlistMax, userIDCharactersMax: limits.userIDCharactersMax)
        } catch {
            throw .identity(error)
        }
        if let known = memberships[slot].user, known.id != data.id {
            throw .otherUser
        }
        let info = data.userInfo.map { ChannelTable.copy(userData.extracting($0)) }
        if let known = memberships[slot].user {
            known.userInfo = info
        } else {
            memberships[slot].user = SignedInUser(id: data.id, userInfo: info)
            let channel = Self.userChannel(data.id.span)
            _ = join(slot: slot, app: app, name: channel.span, kind: Self.userKind, role: .user)
        }
        memberships[slot].isAuthorized = true
        if effects.notes.isTracing { effects.notes.add(.signedIn, slot, data.id.span.text) }
        effects.frame(to: slot) { ServerFrame.signinSuccess(userData: userData, to: &$0) }
        guard app.settings.watchlistEnabled else { return }
        watch(slot: slot, data.watchlist)
        if data.isWatchlistTooLong { throw .watchlistTooLong(limit: limits.watchlistMax) }
    }

    private static let userKind = ChannelKind(access: .user, isCache: false)

    /// Replaces the connection's watchlist and says who of it is online now (PW-119).
    private func watch(slot: UInt32, _ watchlist: [[UInt8]]) {
        let app = app(of: slot)
        var at = 0
        while at < memberships[slot].subscriptions.count {
            let channel = memberships[slot].subscriptions[at].channel
            guard memberships[app: app.index][channel].role == .watch else {
                at += 1
                continue
            }
            _ = memberships.remove(slot, entry: at)
            leaveRegistry(app: app.index, channel: channel, member: .max, .unsubscribed)
        }
        memberships[slot].user?.watching = watchlist.count
        var (online, offline): ([[UInt8]], [[UInt8]]) = ([], [])
        for userID in watchlist {
            let joined = join(
                slot: slot, app: app, name: Self.userChannel(userID.span).span, kind: Self.userKind, role: .watch)
            if joined.memberCount > 0 { online.append(userID) } else { offline.append(userID) }
        }
        guard !watchlist.isEmpty else { return }
        effects.frame(to: slot) { ServerFrame.watchlistEvents(online: online, offline: offline, to: &$0) }
    }

    /// Ends every signed-in connection of a user, on all loops (PW-116…PW-118). Effects: loops to wake; each
    /// closes its own when it takes the delivery.
    /// - Throws: `.overloaded` when a loop is too far behind to be told.
    public func terminateConnections(of userID: Span<UInt8>, app: App) throws(PublishRefusal) {
        if shared.isOverloaded { throw .overloaded }
        let name = Self.userChannel(userID)
        let empty: [UInt8] = []
        let hash = app.registry.hash(of: name.span)
        app.registry.shard(hash: hash).withLock { (state: inout ChannelShard) in
            guard let id = state.find(name.span, hash: hash) else { return }
            post(empty, to: &state.records[id], as: .terminate)
        }
    }

    /// Carries out one termination on the loop that holds the connection.
    func terminate(slot: UInt32) {
        guard !memberships[slot].isEnding else { return }
        memberships[slot].isEnding = true
        errorFrame(slot: slot, Termination.code, Termination.text)
        effects.close(slot, Termination.code)
    }
}
