/// Tables that were large once give their memory back, and what is owed or over is looked after.
extension LoopBroker {
    /// Housekeeping of the shards this loop has listed: counts that are owed, cached events whose time is over, memory of records
    /// that are gone. Call it a few times a second. Effects: loops to wake.
    public func tick() {
        shared.idempotency.tick(time)
        housekeeping.beginSlice()
        if housekeeping.isSweeping { sweep() }
    }

    /// The last tick's sweep is not over: `sweep` goes on with it, once a turn.
    public var isSweeping: Bool { housekeeping.isSweeping }

    /// A bounded part of the tick's work: counts that are due are sent, events that are over go, and memory that records have left behind.
    /// Effects: loops to wake.
    public func sweep() {
        sendCounts()
        let now = time.milliseconds
        var work = slices.sweeps
        housekeeping.sweep { shard in
            guard work > 0 else { return .unfinished }
            work -= 1
            return door(to: shard).withLock { (state: inout ChannelShard) -> Housekeeping.Visit in
                work -= state.expireCache(nowMilliseconds: now, limit: work)
                if state.hasExpired(nowMilliseconds: now) { return .unfinished }
                state.releaseUnused()
                return state.endSweep() ? .over : .done
            }
        }
    }

    private func sendCounts() {
        var work = slices.counts
        housekeeping.visitOwing { shard in
            guard work > 0 else { return .unfinished }
            work -= 1
            return door(to: shard).withLock { (state: inout ChannelShard) -> Housekeeping.Visit in
                let app = directory.apps[Int(shard.app)]
                guard sendPendingCounts(in: &state, app: app, limit: &work) else { return .unfinished }
                return state.endOwing() ? .over : .done
            }
        }
    }

    private func door(to shard: Housekeeping.Shard) -> ShardDoor {
        directory.apps[Int(shard.app)].registry.shard(number: Int(shard.number))
    }

    /// Lists a shard that has something to do later. Under its lock.
    @inline(__always)
    func lookAfter(_ state: inout ChannelShard, hash: UInt64, app: App) {
        if state.mustQueue() { housekeeping.listOwing(Self.listed(hash: hash, app: app)) }
        if state.mustListForSweep() { housekeeping.listForSweep(Self.listed(hash: hash, app: app)) }
    }

    private static func listed(hash: UInt64, app: App) -> Housekeeping.Shard {
        Housekeeping.Shard(app: UInt32(app.index), number: UInt32(app.registry.shard(hash: hash).number))
    }

    /// Frees a channel's place on this loop if nobody needs it.
    func releasePlace(_ channel: ChannelIndex, app: Int) {
        if memberships.releasePlace(channel, app: app) { housekeeping.listTable(of: app) }
    }

    /// Gives back storage that is kept to be used again, unless what a command asked for has not been carried out. Between two commands.
    public func releaseScratch() {
        guard !effects.areWaiting else { return }
        scratch.release()
        effects = Effects(headroomBytes: shared.headroomBytes)
        pool.release()
    }

    /// Gives back the memory of places and connections that are gone; called once per tick.
    public func releaseUnused() {
        memberships.releaseConnections()
        housekeeping.visitTables { memberships.releaseUnused(app: $0) }
        inbox.releaseUnused()
    }
}
