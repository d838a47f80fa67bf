internal import PusherProtocol

/// What the registry's changes send to a channel's subscribers. Every function here runs under the shard's lock.
extension LoopBroker {
    /// Above this many connections a channel's count is sent at most every `countIntervalMilliseconds` (PW-181).
    static let countThrottleAbove = 100
    static let countIntervalMilliseconds: UInt64 = 5_000

    /// Draws the channel's next number and posts one delivery to every loop that has subscribers.
    func post(
        _ json: [UInt8], to record: inout ChannelRecord, except: Publication.Exclusion = .nobody,
        as kind: DeliveryKind = .fanOut, stamp: UInt32 = 0
    ) {
        record.sequence += 1
        let sequence = record.sequence
        record.loops.forEach { entry in
            let excluded = entry.loop == except.loop ? except.connection : .none
            shared.queues[entry.loop].pointee.push(
                pool.make(
                    kind, to: entry.channel, sequence: sequence, connection: excluded, json: json.span,
                    stamp: stamp))
            effects.wakes |= 1 << UInt64(entry.loop)
        }
    }

    /// Tells the consumers that want edges of this kind; nobody listening costs one relaxed load.
    @inline(__always)
    func tell(
        _ kind: ChannelEdge.Kind, in app: App, channel name: Span<UInt8>,
        _ change: @autoclosure () -> ChannelEdge.Change
    ) {
        let consumers = app.edges.consumers(of: kind)
        guard consumers != 0 else { return }
        tell(consumers, of: change(), in: app, channel: name)
    }

    @inline(never)
    private func tell(_ consumers: UInt64, of change: ChannelEdge.Change, in app: App, channel name: Span<UInt8>) {
        let edge = ChannelEdge(
            app: app.index, channel: ChannelTable.copy(name), change: change, number: app.edges.drawNumber(),
            milliseconds: time.milliseconds)
        var left = consumers
        while left != 0 {
            let number = left.trailingZeroBitCount
            if shared.consumers[number].queue.push(edge) == .wasEmpty { effects.consumers |= 1 << UInt64(number) }
            left &= left - 1
        }
    }

    /// Wakes the consumers for whom edges wait. No lock is held between two commands.
    @inline(never)
    func wakeConsumers() {
        while effects.consumers != 0 {
            let number = effects.consumers.trailingZeroBitCount
            effects.consumers &= effects.consumers - 1
            shared.consumers[number].wake()
        }
    }

    /// Puts `member_added` into `scratch.json`.
    func encodeMemberAdded(name: Span<UInt8>, userID: [UInt8], userInfo: [UInt8]?) {
        scratch.json.removeAll(keepingCapacity: true)
        if let userInfo {
            ServerFrame.memberAdded(channel: name, userID: userID.span, userInfoJSON: userInfo.span, to: &scratch.json)
        } else {
            ServerFrame.memberAdded(channel: name, userID: userID.span, userInfoJSON: nil, to: &scratch.json)
        }
    }

    /// Puts `member_removed` into `scratch.json`.
    func encodeMemberRemoved(name: Span<UInt8>, userID: [UInt8]) {
        scratch.json.removeAll(keepingCapacity: true)
        ServerFrame.memberRemoved(channel: name, userID: userID.span, to: &scratch.json)
    }

    /// Puts what those who watch a user are told of it into `scratch.json`.
    func encodeStatus(name: Span<UInt8>, online: Bool) {
        let userID = Self.userID(ofUserChannel: name)
        scratch.json.removeAll(keepingCapacity: true)
        ServerFrame.watchlistEvents(online: online ? [userID] : [], offline: online ? [] : [userID], to: &scratch.json)
    }

    /// The number of subscribers changed: says so now, or owes it (Pusher protocol §3.9).
    func countChanged(_ record: inout ChannelRecord, name: Span<UInt8>, app: App) {
        guard app.settings.subscriptionCountEnabled, record.kind.reportsSubscriptionCount else {
            return
        }
        let isDue = time.milliseconds >= record.countSentMilliseconds + Self.countIntervalMilliseconds
        // Only the newest count matters, so a queue that is full gets it later.
        guard record.subscriberCount <= Self.countThrottleAbove || isDue, !shared.isOverloaded else {
            record.isCountPending = true
            return
        }
        postCount(&record, name: name, app: app)
    }

    private func postCount(_ record: inout ChannelRecord, name: Span<UInt8>, app: App) {
        record.isCountPending = false
        record.countSentMilliseconds = time.milliseconds
        scratch.json.removeAll(keepingCapacity: true)
        ServerFrame.subscriptionCount(channel: name, count: record.subscriberCount, to: &scratch.json)
        post(scratch.json, to: &record)
        tell(.subscriptionCount, in: app, channel: name, .subscriptionCount(record.subscriberCount))
    }

    /// Sends the counts of a shard that are due now, at most so many; the others stay owed.
    /// - Returns: whether those were all that are due.
    func sendPendingCounts(in state: inout ChannelShard, app: App, limit: inout Int) -> Bool {
        let candidates = state.owing
        state.owing.removeAll(keepingCapacity: true)
        for (place, id) in candidates.enumerated() where state.records[id].isQueued {
            guard state.records[id].isCountPending else {
                state.records[id].isQueued = false
                continue
            }
            let isDue = time.milliseconds >= state.records[id].countSentMilliseconds + Self.countIntervalMilliseconds
            if isDue, !shared.isOverloaded {
                guard limit > 0 else {
                    state.owing += candidates[place...]
                    return false
                }
                limit -= 1
                let name = state.name(of: id)
                state.records[id].isQueued = false
                postCount(&state.records[id], name: name.span, app: app)
            } else {
                state.owing.append(id)
            }
        }
        return true
    }

    private static let userChannelPrefix = Array(ChannelName.userPrefix.description.utf8)

    static func userChannel(_ userID: Span<UInt8>) -> [UInt8] { userChannelPrefix + ChannelTable.copy(userID) }

    static func userID(ofUserChannel name: Span<UInt8>) -> [UInt8] {
        Array(ChannelTable.copy(name).dropFirst(userChannelPrefix.count))
    }
}
