/// Tables that were large once give their memory back.
extension LoopBroker {
    /// Shrinks what has become mostly empty; called once per tick. Bounded: a table is copied only after three quarters of it fell free.
    /// - Parameter slots: connections have slots below this number; what is kept for later ones is forgotten.
    public func releaseUnused(slots: Int) { releaseUnused(slots: slots, placesKept: ChannelTable.placesKept) }

    /// - Parameter placesKept: a smaller number lets tests shrink small tables.
    func releaseUnused(slots: Int, placesKept: Int) {
        if connections.count > slots { connections = Array(connections[..<slots]) }
        // A delivery or a departure that is on its way names its channel's place by number.
        if !hasWork, current == nil, unsettled.isEmpty {
            for app in tables.indices { tables[app].releaseUnused(kept: placesKept) }
        }
        for app in shared.apps {
            let sweep = (loop + releaseSweep * shared.loopCount) % ChannelRegistry.shardCount
            app.registry.shards[sweep].withLock { $0.releaseUnused() }
        }
        releaseSweep += 1
    }
}
