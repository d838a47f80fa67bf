internal import PusherProtocol

/// Joining and leaving: the local list and the registry change together, in this file only.
extension LoopBroker {
    /// Who joins a presence channel.
    struct Identity {
        var userID: [UInt8]
        var userInfo: [UInt8]?
    }

    /// What the registry answered, read and written in one step under the shard's lock.
    struct Joined {
        var member: UInt32 = .max
        var sequence: UInt64 = 0
        var memberCount = 0
        var ids: [UInt8] = []
        var hash: [UInt8] = []
        var cached: [UInt8]?
        var refusal: JoinRefusal?
    }

    /// Subscribes a connection that is not subscribed yet.
    /// - Parameter known: the hash of the name, and its place here, where the caller has looked for it.
    func join(
        slot: UInt32, app: App, name: Span<UInt8>, kind: ChannelKind, role: LocalChannel.Role = .channel,
        identity: Identity? = nil, known: (hash: UInt64, local: ChannelIndex?)? = nil
    ) -> Joined {
        let hash = known?.hash ?? app.registry.hash(of: name)
        let local = known?.local ?? place(name, hash: hash, role: role, kind: kind, app: app.index)
        let channel = memberships.id(of: local, app: app.index)
        // A new record shares the name that this loop's table keeps, unless the table knows it by another.
        let stored = role == .watch ? nil : memberships[app: app.index].name(of: local)
        var record: UInt32 = 0
        let joined = app.registry.shard(hash: hash).withLock { (state: inout ChannelShard) -> Joined in
            let id = state.findOrInsert(name, hash: hash, kind: kind, stored: stored)
            record = UInt32(id)
            defer {
                state.afterChange(of: id, hash: hash)
                lookAfter(&state, hash: hash, app: app)
            }
            return
                role == .watch
                ? watch(&state.records[id], channel: channel)
                : join(&state.records[id], channel: channel, app: app, name: name, role: role, identity: identity)
        }
        guard joined.refusal == nil else {
            releasePlace(local, app: app.index)
            return joined
        }
        memberships.add(slot, to: channel, member: joined.member, record: record)
        if joined.sequence > 0 {
            inbox.remember(slot, joined: channel, after: joined.sequence, in: &memberships)
        }
        return joined
    }

    private func join(
        _ record: inout ChannelRecord, channel: LocalChannelID, app: App, name: Span<UInt8>, role: LocalChannel.Role,
        identity: Identity?
    ) -> Joined {
        var joined = Joined()
        if let identity, let roster = record.roster, roster.find(identity.userID.span) == nil,
            roster.count >= app.settings.limits.presenceMembersMax
        {
            joined.refusal = .presenceFull(limit: app.settings.limits.presenceMembersMax)
            meter.hit(.presenceMembers)
            return joined
        }
        if role == .channel, record.subscriberCount == 0, !app.channels.acquire(limit: app.settings.limits.channelsMax)
        {
            joined.refusal = .tooManyChannels(limit: app.settings.limits.channelsMax ?? 0)
            meter.hit(.channels)
            return joined
        }
        var isNewMember = false
        if let identity {
            let (member, isNew) = record.roster?.join(identity.userID, userInfo: identity.userInfo) ?? (.max, false)
            joined.member = member
            isNewMember = isNew
            if isNew, record.subscriberCount > 0 {
                encodeMemberAdded(name: name, userID: identity.userID, userInfo: identity.userInfo)
                postChange(&record, of: identity.userID, held: .nothing)
            }
        }
        record.loops.add(channel, loop: loop)
        record.subscriberCount += 1
        if role == .channel { meter.subscribed(record.kind, isFirst: record.subscriberCount == 1) }
        if role == .user, record.subscriberCount == 1 { postStatus(&record, name: name, online: true) }
        tellOfJoin(record, app: app, name: name, role: role, newMember: isNewMember ? identity : nil)
        joined.sequence = record.sequence
        readAnswer(of: &record, into: &joined)
        countChanged(&record, name: name, app: app)
        if record.kind.isCache, joined.cached == nil { tell(.cacheMiss, in: app, channel: name, .cacheMiss) }
        return joined
    }

    /// The edges of a join, in their order.
    @inline(__always)
    private func tellOfJoin(
        _ record: borrowing ChannelRecord, app: App, name: Span<UInt8>, role: LocalChannel.Role, newMember: Identity?
    ) {
        if record.subscriberCount == 1 {
            if role == .channel {
                tell(.occupied, in: app, channel: name, .occupied)
            } else {
                tell(.userOnline, in: app, channel: name, .userOnline(userID: Self.userID(ofUserChannel: name)))
            }
        }
        if let newMember {
            tell(
                .memberAdded, in: app, channel: name,
                .memberAdded(userID: newMember.userID, userInfo: newMember.userInfo))
        }
    }

    /// Roster and cached event as they are at this sequence.
    func readAnswer(of record: inout ChannelRecord, into joined: inout Joined) {
        if let roster = record.roster {
            joined.memberCount = roster.appendSnapshot(
                for: loop, asking: joined.member, ids: &joined.ids, hash: &joined.hash)
        }
        if let cache = record.cache, cache.expiresMilliseconds > time.milliseconds { joined.cached = cache.json }
    }

    private func watch(_ record: inout ChannelRecord, channel: LocalChannelID) -> Joined {
        var joined = Joined()
        record.watchers.add(channel, loop: loop)
        joined.sequence = record.sequence
        joined.memberCount = isTold(online: record.subscriberCount > 0, in: record.watchers) ? 1 : 0
        return joined
    }

    /// Tells the registry that one membership of this loop has ended.
    func leaveRegistry(app index: Int, channel local: ChannelIndex, member: UInt32, _ leave: ChannelEdge.Leave) {
        let app = directory.apps[index]
        let (role, id) = (memberships[app: index][local].role, Int(memberships[app: index][local].record))
        let place = memberships[app: index].name(of: local)
        let name = role == .watch ? Array(place.dropFirst()) : place
        let hash = role == .watch ? app.registry.hash(of: name.span) : memberships[app: index][local].hash
        app.registry.shard(hash: hash).withLock { (state: inout ChannelShard) in
            assert(state.name(of: id) == name, "a record lives while a loop counts in it")
            if role == .watch {
                _ = state.records[id].watchers.remove(loop: loop)
            } else {
                remove(from: &state.records[id], app: app, name: name.span, role: role, member: member, leave)
            }
            state.afterChange(of: id, hash: hash)
            lookAfter(&state, hash: hash, app: app)
        }
        memberships.forgetOne(of: local, app: index)
        releasePlace(local, app: index)
    }

    private func remove(
        from record: inout ChannelRecord, app: App, name: Span<UInt8>, role: LocalChannel.Role, member: UInt32,
        _ leave: ChannelEdge.Leave
    ) {
        if record.loops.remove(loop: loop) { record.roster?.forgetView(of: loop) }
        record.subscriberCount -= 1
        if role == .channel { meter.unsubscribed(record.kind, isLast: record.subscriberCount == 0) }
        if member != .max, let gone = record.roster?.leave(member) {
            if record.subscriberCount > 0 {
                encodeMemberRemoved(name: name, userID: gone.userID)
                postChange(&record, of: gone.userID, held: .member(gone.fragments))
            }
            tell(.memberRemoved, in: app, channel: name, .memberRemoved(userID: gone.userID, leave))
        }
        if record.subscriberCount == 0 {
            record.isCountPending = false
            if role == .channel {
                app.channels.release()
                tell(.vacated, in: app, channel: name, .vacated(leave))
            } else {
                postStatus(&record, name: name, online: false)
                tell(.userOffline, in: app, channel: name, .userOffline(userID: Self.userID(ofUserChannel: name)))
            }
        } else {
            countChanged(&record, name: name, app: app)
        }
    }

    /// Carries out at most `limit` of the departures that closed connections left behind. Effects: other loops to wake.
    public func settleDepartures(limit: Int) {
        for _ in 0..<min(limit, memberships.departures.count) {
            guard let next = memberships.nextDeparture() else { return }
            leaveRegistry(app: next.app, channel: next.channel, member: next.member, .disconnected)
        }
    }

    /// Departures that wait for their slice.
    public var departuresWaiting: Int { memberships.departures.count }

    /// The place of a channel on this loop. A watched user and a signed-in user share one record but have two places, and
    /// no channel's name begins with `!`.
    private func place(
        _ name: Span<UInt8>, hash: UInt64, role: LocalChannel.Role, kind: ChannelKind, app: Int
    ) -> ChannelIndex {
        guard role == .watch else {
            return memberships.place(of: name, hash: hash, role: role, kind: kind, app: app)
        }
        let marked = [UInt8(ascii: "!")] + ChannelTable.copy(name)
        let markedHash = shared.hashing.hash(of: marked.span)
        return memberships.place(of: marked.span, hash: markedHash, role: role, kind: kind, app: app)
    }
}
