internal import PusherProtocol

/// What a loop missed while its queue was full, and how it makes up for it.
///
/// Publishing is refused then, but members and watched users come and go all the same. A loop that is that far behind is not
/// told of every change: the registry keeps what the loop's subscribers hold of each member that changed (`Roster.LoopView`),
/// or what they were told last of a watched user (`LoopEntry.Told`), and posts one delivery without a frame. When the loop
/// comes to it, only the difference that is left is told. Whoever joins in between is answered with what the others hold.
extension LoopBroker {
    /// Whether a loop is too far behind to be given what can be made anew. Any thread's loop.
    func isFull(_ loop: Int) -> Bool { shared.queues[loop].pointee.queuedBytes > shared.queueBytesMax }

    /// Tells a channel's subscribers that a member came or went; the frame is in `scratch.json`. Under the shard's lock.
    /// - Parameter held: what they hold of that user.
    func postChange(_ record: inout ChannelRecord, of userID: [UInt8], held: Roster.Held) {
        record.sequence += 1
        for entry in record.loops {
            let isBehind = record.roster?.hasView(of: entry.loop) ?? false
            guard isBehind || isFull(entry.loop) else {
                push(.fanOut, to: entry, sequence: record.sequence)
                continue
            }
            record.roster?.note(userID, held: held, by: entry.loop)
            if !isBehind { owe(entry) }
        }
    }

    /// Tells those who watch a user that it came online or went offline (PW-120). Under the shard's lock.
    func postStatus(_ record: inout ChannelRecord, name: Span<UInt8>, online: Bool) {
        guard !record.watchers.isEmpty else { return }
        encodeStatus(name: name, online: online)
        record.sequence += 1
        for at in record.watchers.indices {
            let entry = record.watchers[at]
            guard entry.told == .everything else { continue }
            if isFull(entry.loop) {
                record.watchers[at].told = online ? .offline : .online
                owe(entry)
            } else {
                push(.fanOut, to: entry, sequence: record.sequence)
            }
        }
    }

    /// What those who watch a user from this loop have been told, or are about to be.
    func isTold(online: Bool, in watchers: LoopEntries) -> Bool {
        switch watchers.first(where: { $0.loop == loop })?.told {
        case .online: true
        case .offline: false
        case .everything, nil: online
        }
    }

    private func push(_ kind: DeliveryKind, to entry: LoopEntry, sequence: UInt64) {
        let frame = scratch.json
        shared.queues[entry.loop].pointee.push(
            pool.make(kind, to: entry.channel, sequence: sequence, connection: .none, json: frame.span))
        effects.wakes |= 1 << UInt64(entry.loop)
    }

    private func owe(_ entry: LoopEntry) {
        let empty: [UInt8] = []
        shared.queues[entry.loop].pointee.push(
            pool.make(.owed, to: entry.channel, sequence: 0, connection: .none, json: empty.span))
        effects.wakes |= 1 << UInt64(entry.loop)
    }

    // MARK: Making up for it

    /// Called before the loop takes what was posted meanwhile: tells at least one slice, and more while the queue is half empty.
    func payOwed() {
        repeat {
            guard let channel = owed.popFirst() else { return }
            if !pay(channel) { owed.append(channel) }
        } while shared.queues[loop].pointee.queuedBytes <= shared.queueBytesMax / 2
    }

    /// - Returns: whether the channel's subscribers here hold everything now, or are gone.
    private func pay(_ channel: LocalChannelID) -> Bool {
        guard memberships.holds(channel) else { return true }
        let (index, isWatch) = (Int(channel.app), memberships[channel].role == .watch)
        let place = memberships[app: index].name(of: channel.index)
        let name = isWatch ? Array(place.dropFirst()) : place
        let id = Int(memberships[channel].record)
        return directory.apps[index].registry.shard(of: name.span).withLock { (state: inout ChannelShard) -> Bool in
            assert(state.name(of: id) == name, "a record lives while a loop counts in it")
            if isWatch {
                payStatus(&state.records[id], name: name.span)
                return true
            }
            return payMembers(&state.records[id], name: name.span, channel: channel)
        }
    }

    private func payStatus(_ record: inout ChannelRecord, name: Span<UInt8>) {
        guard let at = record.watchers.firstIndex(where: { $0.loop == loop }) else { return }
        let isOnline = record.subscriberCount > 0
        let wasOnline = isTold(online: isOnline, in: record.watchers)
        record.watchers[at].told = .everything
        guard isOnline != wasOnline else { return }
        encodeStatus(name: name, online: isOnline)
        record.sequence += 1
        push(.fanOut, to: record.watchers[at], sequence: record.sequence)
    }

    private func payMembers(_ record: inout ChannelRecord, name: Span<UInt8>, channel: LocalChannelID) -> Bool {
        for _ in 0..<slices.changes {
            guard let change = record.roster?.takeChange(of: loop) else { return true }
            if change.isGone {
                encodeMemberRemoved(name: name, userID: change.userID)
                tell(&record, channel, butNot: change.member)
            }
            if change.member != .max {
                encodeMemberAdded(name: name, userID: change.userID, userInfo: change.userInfo)
                tell(&record, channel, butNot: change.member)
            }
        }
        return false
    }

    /// A member's own connections know of it from their snapshots.
    private func tell(_ record: inout ChannelRecord, _ channel: LocalChannelID, butNot member: UInt32) {
        let frame = scratch.json
        record.sequence += 1
        shared.queues[loop].pointee.push(
            pool.make(
                .member, to: channel, sequence: record.sequence, connection: ConnectionTag(slot: member, tag: 0),
                json: frame.span))
    }
}
