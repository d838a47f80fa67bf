internal import PusherProtocol
internal import Wire

/// `pusher:subscribe` and `pusher:unsubscribe` (Pusher protocol §3).
extension LoopBroker {
    /// - Parameter texts: what the members point into.
    func subscribe(
        slot: UInt32, name: Span<UInt8>, auth: CommandField, channelData: CommandField, texts: Span<UInt8>
    ) {
        let app = app(of: slot)
        do throws(SubscriptionRefusal) {
            let kind = try classify(name, app: app)
            if kind.access == .user {
                try answerUserChannel(slot: slot, name: name)
                return
            }
            var identity: Identity?
            if kind.needsAuthorization {
                // Looked at only here: on other channels they mean nothing, whatever they are (Pusher protocol §3.1).
                let credentials = try credentials(auth, channelData)
                try authorize(slot: slot, app: app, name: name, kind: kind, credentials, texts: texts)
                if kind.isPresence {
                    identity = try self.identity(
                        slot: slot, app: app, channelData: credentials.channelData, texts: texts)
                }
            }
            try admit(slot: slot, app: app, name: name, kind: kind, identity: identity)
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
            throw .name(error)
        }
    }

    /// Signed-in connections get their user's events without subscribing; clients ask all the same (PW-112).
    private func answerUserChannel(slot: UInt32, name: Span<UInt8>) throws(SubscriptionRefusal) {
        let wanted = Self.userID(ofUserChannel: name)
        guard let user = memberships[slot].user, user.id == wanted else {
            throw .foreignUserChannel(userID: wanted)
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
        if let problem = auth.problem("data.auth") { throw .auth(problem) }
        if let problem = channelData.problem("data.channel_data") { throw .channelData(problem) }
        return Credentials(auth: auth.range ?? 0..<0, channelData: channelData.range)
    }

    private func authorize(
        slot: UInt32, app: App, name: Span<UInt8>, kind: ChannelKind, _ given: Credentials, texts: Span<UInt8>
    ) throws(SubscriptionRefusal) {
        let (auth, socket, keys) = (texts.extracting(given.auth), memberships[slot].socketID, app.keys)
        let outcome: ChannelAuth.Outcome
        if let data = given.channelData {
            outcome = ChannelAuth.verify(
                auth: auth, socketID: socket, channel: name, channelData: texts.extracting(data), keys: keys)
        } else {
            outcome = ChannelAuth.verify(
                auth: auth, socketID: socket, channel: name, channelData: nil, keys: keys)
        }
        guard !outcome.isOK else { return }
        // The signature is of a text that was forgotten: to call it wrong would send the developer the wrong way.
        if case .mismatch = outcome, kind.isPresence, given.channelData == nil, memberships[slot].user == nil {
            throw .missingChannelData
        }
        let subject = "channel " + String(decoding: ChannelTable.copy(name), as: UTF8.self)
        throw .auth(ChannelAuth.message(outcome, auth: auth, subject: subject) ?? "")
    }

    /// Who joins a presence channel: `channel_data` says so, or the sign-in (PW-068…PW-071, PW-082).
    private func identity(
        slot: UInt32, app: App, channelData place: Range<Int>?, texts: Span<UInt8>
    ) throws(SubscriptionRefusal) -> Identity {
        let limits = app.settings.limits
        guard let place else {
            guard let user = memberships[slot].user else { throw .missingChannelData }
            return Identity(userID: user.id, userInfo: user.userInfo)
        }
        let channelData = texts.extracting(place)
        guard channelData.count <= limits.presenceMemberBytesMax else {
            throw .memberTooLarge(bytes: channelData.count, bytesMax: limits.presenceMemberBytesMax)
        }
        let member: PresenceMember
        do throws(IdentityError) {
            member = try PresenceMember.parse(channelData, userIDCharactersMax: limits.userIDCharactersMax)
        } catch {
            throw .identity(error)
        }
        return Identity(
            userID: member.userID, userInfo: member.userInfo.map { ChannelTable.copy(channelData.extracting($0)) })
    }

    private func admit(
        slot: UInt32, app: App, name: Span<UInt8>, kind: ChannelKind, identity: Identity?
    ) throws(SubscriptionRefusal) {
        let hash = app.registry.hash(of: name)
        let local = memberships[app: app.index].find(name, hash: hash)
        if let local, let known = memberships.entry(of: slot, in: local) {
            let known = memberships[slot].subscriptions[known]
            if isFull(loop) { return refuse(slot: slot, MessageRefusal.overloaded) }
            try answerAgain(
                slot: slot, app: app, known: known, name: name, hash: hash, kind: kind, identity: identity)
            return
        }
        let limit = app.settings.limits.channelsPerConnectionMax
        guard memberships[slot].channelCount < limit else {
            meter.hit(.channelsPerConnection)
            throw .tooManySubscriptions(limit: limit)
        }
        let joined = join(
            slot: slot, app: app, name: name, kind: kind, identity: identity, known: (hash, local))
        if let refusal = joined.refusal { throw .join(refusal) }
        effects.frame(to: slot) { Self.appendSuccess(name: name, kind: kind, joined: joined, to: &$0) }
        if effects.notes.isTracing { effects.notes.add(.subscribed, slot, channel: name) }
        guard kind.isCache else { return }
        effects.frame(to: slot) { Self.appendCached(name: name, joined: joined, to: &$0) }
    }

    /// A subscribe for a channel the connection is already in: the same answer with a fresh snapshot (PW-044, PW-094).
    ///
    /// It goes through the loop's own queue, so that it keeps its place among the channel's events.
    private func answerAgain(
        slot: UInt32, app: App, known: Subscription, name: Span<UInt8>, hash: UInt64, kind: ChannelKind,
        identity: Identity?
    ) throws(SubscriptionRefusal) {
        let channel = memberships.id(of: known.channel, app: app.index)
        let target = ConnectionTag(slot: slot, tag: memberships[slot].socketID.low)
        let id = Int(memberships[channel].record)
        let isSameUser = app.registry.shard(hash: hash).withLock { (state: inout ChannelShard) -> Bool in
            if let identity, state.records[id].roster?.find(identity.userID.span) != known.member { return false }
            var joined = Joined(member: known.member)
            readAnswer(of: &state.records[id], into: &joined)
            if kind.isCache, joined.cached == nil { tell(.cacheMiss, in: app, channel: name, .cacheMiss) }
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
            throw .otherMember
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

    /// No reply, and nothing of the channel afterwards; a channel the connection is not in is no error (PW-045, PW-046).
    func unsubscribe(slot: UInt32, name: Span<UInt8>) {
        let app = memberships[slot].app
        guard let local = memberships[app: app].find(name), memberships[app: app][local].role == .channel,
            let known = memberships.entry(of: slot, in: local)
        else { return }
        if effects.notes.isTracing { effects.notes.add(.unsubscribed, slot, channel: name) }
        let left = memberships.remove(slot, entry: known)
        leaveRegistry(app: app, channel: local, member: left.member, .unsubscribed)
    }
}
