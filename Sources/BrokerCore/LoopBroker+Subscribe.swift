internal import Crypto
internal import PusherProtocol
internal import Wire

/// `pusher:subscribe` and `pusher:unsubscribe` (Pusher protocol §3).
extension LoopBroker {
    /// Why a subscription is refused, as the client is told (Pusher protocol §3.4). The socket stays open.
    struct SubscriptionRefusal: Error {
        var failure: SubscriptionFailure
        var text: String

        init(_ failure: SubscriptionFailure, _ text: String) {
            self.failure = failure
            self.text = text
        }
    }

    /// - Parameter texts: what the members point into.
    func subscribe(
        slot: UInt32, name: Span<UInt8>, auth: CommandField, channelData: CommandField, texts: Span<UInt8>
    ) {
        do throws(SubscriptionRefusal) {
            let kind = try classify(name, app: app(of: slot))
            if kind.access == .user {
                try answerUserChannel(slot: slot, name: name)
                return
            }
            var identity: Identity?
            if kind.needsAuthorization {
                // Looked at only here: on other channels they mean nothing, whatever they are (Pusher protocol §3.1).
                let credentials = try credentials(auth, channelData)
                try authorize(slot: slot, name: name, kind: kind, credentials, texts: texts)
                if kind.isPresence {
                    identity = try self.identity(slot: slot, channelData: credentials.channelData, texts: texts)
                }
            }
            try admit(slot: slot, name: name, kind: kind, identity: identity)
            if kind.needsAuthorization { memberships[slot].isAuthorized = true }
        } catch {
            refuse(slot: slot, channel: name, error)
        }
    }

    private func classify(_ name: Span<UInt8>, app: App) throws(SubscriptionRefusal) -> ChannelKind {
        do throws(ChannelNameError) {
            return try ChannelName.classify(
                name, bytesMax: app.settings.limits.channelNameBytesMax,
                userIDCharactersMax: app.settings.limits.userIDCharactersMax)
        } catch {
            switch error {
            case .tooLong, .userIDTooLong: throw SubscriptionRefusal(.nameTooLong, error.text)
            case .empty, .illegalByte, .reserved: throw SubscriptionRefusal(.invalidName, error.text)
            }
        }
    }

    /// Signed-in connections get their user's events without subscribing; clients ask all the same (PW-112).
    private func answerUserChannel(slot: UInt32, name: Span<UInt8>) throws(SubscriptionRefusal) {
        let wanted = Self.userID(ofUserChannel: name)
        guard let user = memberships[slot].user, user.id == wanted else {
            throw SubscriptionRefusal(
                .auth,
                "This connection is not signed in as \(String(decoding: wanted, as: UTF8.self)): "
                    + "only that user may subscribe to its server-to-user channel")
        }
        effects.frame(to: slot) { ServerFrame.subscriptionSucceeded(channel: name, to: &$0) }
    }

    /// Where `auth` and `channel_data` stand in the decoded texts. An absent `auth` is an empty one; a `channel_data` that is
    /// present but empty is present.
    private struct Credentials {
        var auth: Range<Int>
        var channelData: Range<Int>?
    }

    private func credentials(
        _ auth: CommandField, _ channelData: CommandField
    ) throws(SubscriptionRefusal) -> Credentials {
        if let problem = auth.problem("data.auth") { throw SubscriptionRefusal(.auth, problem) }
        if let problem = channelData.problem("data.channel_data") { throw SubscriptionRefusal(.channelData, problem) }
        return Credentials(auth: auth.range ?? 0..<0, channelData: channelData.range)
    }

    private func authorize(
        slot: UInt32, name: Span<UInt8>, kind: ChannelKind, _ given: Credentials, texts: Span<UInt8>
    ) throws(SubscriptionRefusal) {
        let (auth, socket, keys) = (texts.extracting(given.auth), memberships[slot].socketID, app(of: slot).keys)
        let outcome: ChannelAuth.Outcome
        if let data = given.channelData {
            outcome = ChannelAuth.verify(
                auth: auth, socketID: socket, channel: name, channelData: texts.extracting(data), keys: keys,
                workspace: workspace)
        } else {
            outcome = ChannelAuth.verify(
                auth: auth, socketID: socket, channel: name, channelData: nil, keys: keys, workspace: workspace)
        }
        guard !outcome.isOK else { return }
        // The signature is of a text that was forgotten: to call it wrong would send the developer the wrong way.
        if case .mismatch = outcome, kind.isPresence, given.channelData == nil, memberships[slot].user == nil {
            throw Self.missingChannelData
        }
        let subject = "channel " + String(decoding: ChannelTable.copy(name), as: UTF8.self)
        throw SubscriptionRefusal(.auth, ChannelAuth.message(outcome, auth: auth, subject: subject) ?? "")
    }

    private static let missingChannelData = SubscriptionRefusal(
        .channelData, "channel_data is missing: a presence channel needs one with a user_id, or a signed-in connection")

    /// Who joins a presence channel: `channel_data` says so, or the sign-in (PW-068…PW-071, PW-082).
    private func identity(
        slot: UInt32, channelData place: Range<Int>?, texts: Span<UInt8>
    ) throws(SubscriptionRefusal) -> Identity {
        let limits = app(of: slot).settings.limits
        guard let place else {
            guard let user = memberships[slot].user else { throw Self.missingChannelData }
            return Identity(userID: user.id, userInfo: user.userInfo)
        }
        let channelData = texts.extracting(place)
        guard channelData.count <= limits.presenceMemberBytesMax else {
            throw SubscriptionRefusal(
                .memberTooLarge,
                "channel_data has \(channelData.count) bytes; the limit is \(limits.presenceMemberBytesMax)")
        }
        let member: PresenceMember
        do throws(IdentityError) {
            member = try PresenceMember.parse(channelData, userIDCharactersMax: limits.userIDCharactersMax)
        } catch {
            throw SubscriptionRefusal(error.isIDTooLong ? .memberTooLarge : .channelData, error.text)
        }
        return Identity(
            userID: member.userID, userInfo: member.userInfo.map { ChannelTable.copy(channelData.extracting($0)) })
    }

    private func admit(
        slot: UInt32, name: Span<UInt8>, kind: ChannelKind, identity: Identity?
    ) throws(SubscriptionRefusal) {
        let app = app(of: slot)
        let hash = app.registry.hash(of: name)
        if let local = memberships[app: app.index].find(name, hash: hash),
            let known = memberships.entry(of: slot, in: local)
        {
            let known = memberships[slot].subscriptions[known]
            if isFull(loop) { return fail(slot: slot, code: nil, "The server is overloaded; subscribe again later") }
            try answerAgain(slot: slot, known: known, name: name, hash: hash, kind: kind, identity: identity)
            return
        }
        let limit = app.settings.limits.channelsPerConnectionMax
        guard memberships[slot].channelCount < limit else {
            throw SubscriptionRefusal(
                .limitReached, "This connection has \(limit) subscriptions, the most it may have")
        }
        let joined = join(slot: slot, name: name, kind: kind, identity: identity, hash: hash)
        switch joined.refusal {
        case .presenceFull:
            throw SubscriptionRefusal(
                .presenceFull, "The channel has \(app.settings.limits.presenceMembersMax) members, the most it may have"
            )
        case .tooManyChannels:
            throw SubscriptionRefusal(
                .limitReached, "The app has \(app.settings.limits.channelsMax ?? 0) channels, the most it may have")
        case nil:
            effects.frame(to: slot) { Self.appendSuccess(name: name, kind: kind, joined: joined, to: &$0) }
            if effects.notes.isTracing { effects.notes.add(.subscribed, slot, channel: name) }
            guard kind.isCache else { return }
            effects.frame(to: slot) { Self.appendCached(name: name, joined: joined, to: &$0) }
        }
    }

    /// A subscribe for a channel the connection is already in: the same answer with a fresh snapshot (PW-044, PW-094).
    ///
    /// It goes through the loop's own queue, so that it keeps its place among the channel's events.
    private func answerAgain(
        slot: UInt32, known: Subscription, name: Span<UInt8>, hash: UInt64, kind: ChannelKind, identity: Identity?
    ) throws(SubscriptionRefusal) {
        let app = app(of: slot)
        let channel = memberships.id(of: known.channel, app: app.index)
        let target = ConnectionTag(slot: slot, tag: memberships[slot].socketID.low)
        let isSameUser = app.registry.shard(hash: hash).withLock { (state: inout ChannelShard) -> Bool in
            guard let id = state.find(name, hash: hash) else {
                preconditionFailure("a record lives while a loop counts in it")
            }
            if let identity, state.records[id].roster?.find(identity.userID.span) != known.member { return false }
            var joined = Joined(member: known.member)
            readAnswer(of: &state.records[id], into: &joined)
            var answer: [UInt8] = []
            Self.appendSuccess(name: name, kind: kind, joined: joined, to: &answer)
            postSingle(answer, to: channel, target, subscription: known.number)
            if kind.isCache {
                answer.removeAll(keepingCapacity: true)
                Self.appendCached(name: name, joined: joined, to: &answer)
                postSingle(answer, to: channel, target, subscription: known.number)
            }
            return true
        }
        guard isSameUser else {
            throw SubscriptionRefusal(.auth, "This connection is in the channel as another user; unsubscribe first")
        }
    }

    /// - Parameter subscription: the number of the subscription that is answered; a later one is not.
    private func postSingle(
        _ json: [UInt8], to channel: LocalChannelID, _ target: ConnectionTag, subscription: UInt32
    ) {
        queuedAnswerBytes += json.count
        shared.queues[loop].pointee.push(
            pool.make(.single, to: channel, sequence: UInt64(subscription), connection: target, json: json.span))
    }

    private static func appendSuccess(
        name: Span<UInt8>, kind: ChannelKind, joined: Joined, to out: inout [UInt8]
    ) {
        if kind.isPresence {
            ServerFrame.presenceSucceeded(
                channel: name, count: joined.memberCount, idsEscaped: joined.ids.span, hashEscaped: joined.hash.span,
                to: &out)
        } else {
            ServerFrame.subscriptionSucceeded(channel: name, to: &out)
        }
    }

    private static func appendCached(name: Span<UInt8>, joined: Joined, to out: inout [UInt8]) {
        if let cached = joined.cached {
            out.append(contentsOf: cached)
        } else {
            ServerFrame.cacheMiss(channel: name, to: &out)
        }
    }

    /// Tells the client in the app's dialect; never closes (PW-056, PW-063, PW-064).
    func refuse(slot: UInt32, channel: Span<UInt8>, _ refusal: SubscriptionRefusal) {
        effects.notes.add(.subscriptionRefused, slot, code: refusal.failure.status, channel: channel, refusal.text)
        var literal: [UInt8] = []
        JSON.appendQuoted(channel, to: &literal)
        tell(slot: slot, channelLiteral: literal.span, refusal)
    }

    /// The same for a channel given as a JSON string literal, because it cannot be read.
    func refuse(slot: UInt32, channelLiteral: Span<UInt8>, _ refusal: SubscriptionRefusal) {
        effects.notes.add(.subscriptionRefused, slot, code: refusal.failure.status, refusal.text)
        tell(slot: slot, channelLiteral: channelLiteral, refusal)
    }

    private func tell(slot: UInt32, channelLiteral: Span<UInt8>, _ refusal: SubscriptionRefusal) {
        let (dialect, failure) = (app(of: slot).settings.subscriptionErrors, refusal.failure)
        if dialect != .hosted {
            effects.frame(to: slot) {
                ServerFrame.subscriptionError(
                    channelLiteral: channelLiteral, failure, error: refusal.text, to: &$0)
            }
        }
        guard dialect != .soketi else { return }
        errorFrame(slot: slot, code: failure.code, refusal.text)
    }

    /// Refuses what a client asked for by a `pusher:error` frame, and notes it.
    /// - Parameter kind: what was asked for; nil: as the code says.
    func fail(slot: UInt32, code: Int?, _ text: String, of kind: Notes.Kind? = nil) {
        let noted: Notes.Kind =
            switch code {
            case 4301: .clientEventRefused
            case nil: .messageRefused
            default: .signInRefused
            }
        effects.notes.add(kind ?? noted, slot, code: code, text)
        errorFrame(slot: slot, code: code, text)
    }

    /// A `pusher:error` frame.
    func errorFrame(slot: UInt32, code: Int?, _ text: String) {
        effects.frame(to: slot) { ServerFrame.error(code: code, message: text, to: &$0) }
    }

    /// No reply, and nothing of the channel afterwards; a channel the connection is not in is no error (PW-045, PW-046).
    func unsubscribe(slot: UInt32, name: Span<UInt8>) {
        let app = memberships[slot].app
        guard let local = memberships[app: app].find(name), memberships[app: app][local].role == .channel,
            let known = memberships.entry(of: slot, in: local)
        else { return }
        if effects.notes.isTracing { effects.notes.add(.unsubscribed, slot, channel: name) }
        let left = memberships.remove(slot, entry: known)
        leaveRegistry(app: app, channel: local, member: left.member)
    }
}
