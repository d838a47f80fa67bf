/// What a loop has to do at its next ticks. Only what has something to do is listed, so that an app costs a tick nothing while it
/// rests; each shard is on one loop's list, that of the loop that gave it something to do.
struct Housekeeping {
    /// A shard of an app's registry.
    struct Shard {
        var app: UInt32
        var number: UInt32
    }

    /// A sweep comes to a shard once in so many ticks, in slices of equal size.
    static let ticksPerSweep = 32

    /// Shards that owe counts: visited with every tick.
    var owing: [Shard] = []
    /// Shards with cached events, or with memory to give back.
    var sweeping: [Shard] = []
    /// Where the next slice of `sweeping` begins.
    var next = 0
    /// Shards in one slice of this round.
    var slice = 0
    /// Apps whose table of this loop has memory to give back.
    var tables: [Int] = []

    /// Sets `slice` for this tick: it does not shrink while shards leave the list, and grows with those that come.
    mutating func beginSlice() {
        if next >= sweeping.count { (next, slice) = (0, 0) }
        slice = max(slice, (sweeping.count + Self.ticksPerSweep - 1) / Self.ticksPerSweep)
    }
}

/// Tables that were large once give their memory back, and what is owed or over is looked after.
extension LoopBroker {
    /// Housekeeping of the shards this loop has listed: counts that are owed, cached events whose time is over, memory of records
    /// that are gone. Call it a few times a second.
    public func tick() {
        shared.idempotency.tick(time)
        let all = housekeeping.owing
        housekeeping.owing.removeAll(keepingCapacity: all.count < 1_024)
        for shard in all {
            let isDone = door(to: shard).withLock { (state: inout ChannelShard) -> Bool in
                sendPendingCounts(in: &state, app: shared.apps[Int(shard.app)])
                return state.endOwing()
            }
            if !isDone { housekeeping.owing.append(shard) }
        }
        sweep()
    }

    private func sweep() {
        let now = time.milliseconds
        housekeeping.beginSlice()
        for _ in 0..<housekeeping.slice where housekeeping.next < housekeeping.sweeping.count {
            let isDone = door(to: housekeeping.sweeping[housekeeping.next]).withLock { (state: inout ChannelShard) in
                state.expireCache(nowMilliseconds: now, limit: Self.expiriesPerTick)
                state.releaseUnused()
                return state.endSweep()
            }
            guard isDone else {
                housekeeping.next += 1
                continue
            }
            housekeeping.sweeping.swapAt(housekeeping.next, housekeeping.sweeping.count - 1)
            housekeeping.sweeping.removeLast()
        }
        if housekeeping.sweeping.isEmpty, housekeeping.sweeping.capacity > 1_024 { housekeeping.sweeping = [] }
    }

    private func door(to shard: Housekeeping.Shard) -> ShardDoor {
        shared.apps[Int(shard.app)].registry.shard(number: Int(shard.number))
    }

    /// Lists a shard that has something to do later. Under its lock.
    @inline(__always)
    func lookAfter(_ state: inout ChannelShard, hash: UInt64, app: App) {
        if state.mustQueue() { housekeeping.owing.append(Self.listed(hash: hash, app: app)) }
        if state.mustListForSweep() { housekeeping.sweeping.append(Self.listed(hash: hash, app: app)) }
    }

    private static func listed(hash: UInt64, app: App) -> Housekeeping.Shard {
        Housekeeping.Shard(app: UInt32(app.index), number: UInt32(app.registry.shard(hash: hash).number))
    }

    /// Frees a channel's place on this loop if nobody needs it.
    func releasePlace(_ local: Int, app: Int, hash: UInt64) {
        let table = tables[app]
        table.releaseIfUnused(local, hash: hash)
        guard !table.isListed, table.hasUnused else { return }
        table.isListed = true
        housekeeping.tables.append(app)
    }

    /// Gives back storage that is kept to be used again, unless what a command asked for has not been carried out. Between two commands.
    public func releaseScratch() {
        guard effects.actions.isEmpty else { return }
        json = []
        decoded = []
        literal = []
        effects = Effects()
        pool.release()
    }

    /// Gives back the memory of places and connections that are gone; called once per tick.
    public func releaseUnused() {
        connections.releasePages()
        for app in housekeeping.tables {
            tables[app].releaseUnused()
            tables[app].isListed = false
        }
        housekeeping.tables.removeAll(keepingCapacity: housekeeping.tables.count < 1_024)
        if unsettled.isEmpty, unsettled.capacity > 1_024 { unsettled = [] }
    }
}
