internal import PusherProtocol

/// What the registry's changes send to a channel's subscribers. Every function here runs under the shard's lock.
extension LoopBroker {
    /// Above this many connections a channel's count is sent at most every `countIntervalMilliseconds` (PW-181).
    static let countThrottleAbove = 100
    static let countIntervalMilliseconds: UInt64 = 5_000
    /// Cached events that a tick forgets in one shard, which is locked meanwhile.
    static let expiriesPerTick = 512

    func post(_ json: [UInt8], to record: inout ChannelRecord, except: ConnectionTag = .none, exceptLoop: Int = -1) {
        record.post(
            json: json.span, except: except, exceptLoop: exceptLoop, over: shared.queues, wakes: &effects.wakes,
            pool: &pool)
    }

    /// Puts `member_added` into `json`.
    func encodeMemberAdded(name: Span<UInt8>, userID: [UInt8], userInfo: [UInt8]?) {
        json.removeAll(keepingCapacity: true)
        if let userInfo {
            ServerFrame.memberAdded(channel: name, userID: userID.span, userInfoJSON: userInfo.span, to: &json)
        } else {
            ServerFrame.memberAdded(channel: name, userID: userID.span, userInfoJSON: nil, to: &json)
        }
    }

    /// Puts `member_removed` into `json`.
    func encodeMemberRemoved(name: Span<UInt8>, userID: [UInt8]) {
        json.removeAll(keepingCapacity: true)
        ServerFrame.memberRemoved(channel: name, userID: userID.span, to: &json)
    }

    /// Puts what those who watch a user are told of it into `json`.
    func encodeStatus(name: Span<UInt8>, online: Bool) {
        let userID = Self.userID(ofUserChannel: name)
        json.removeAll(keepingCapacity: true)
        ServerFrame.watchlistEvents(online: online ? [userID] : [], offline: online ? [] : [userID], to: &json)
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
        postCount(&record, name: name)
    }

    private func postCount(_ record: inout ChannelRecord, name: Span<UInt8>) {
        record.isCountPending = false
        record.countSentMilliseconds = time.milliseconds
        json.removeAll(keepingCapacity: true)
        ServerFrame.subscriptionCount(channel: name, count: record.subscriberCount, to: &json)
        post(json, to: &record)
    }

    /// Sends the counts of a shard that are due now; the others stay owed.
    func sendPendingCounts(in state: inout ChannelShard) {
        let candidates = state.owing
        state.owing.removeAll(keepingCapacity: true)
        for id in candidates where state.records[id].isQueued {
            guard state.records[id].isCountPending else {
                state.records[id].isQueued = false
                continue
            }
            let isDue = time.milliseconds >= state.records[id].countSentMilliseconds + Self.countIntervalMilliseconds
            if isDue, !shared.isOverloaded {
                let name = state.name(of: id)
                state.records[id].isQueued = false
                postCount(&state.records[id], name: name.span)
            } else {
                state.owing.append(id)
            }
        }
    }

    private static let userChannelPrefix = Array(ChannelName.userPrefix.description.utf8)

    static func userChannel(_ userID: Span<UInt8>) -> [UInt8] { userChannelPrefix + ChannelTable.copy(userID) }

    static func userID(ofUserChannel name: Span<UInt8>) -> [UInt8] {
        Array(ChannelTable.copy(name).dropFirst(userChannelPrefix.count))
    }
}
