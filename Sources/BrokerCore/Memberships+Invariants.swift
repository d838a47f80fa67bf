/// What must hold between any two commands. The simulation asks after every step.
extension Memberships {
    /// Whether one entry of a connection and the channel's list point at each other.
    func isLinked(_ slot: UInt32, entry: Int) -> Bool {
        let own = self[slot].subscriptions
        guard entry < own.count else { return false }
        let list = self[app: self[slot].app][own[entry].channel].subscribers
        let position = Int(own[entry].position)
        return position < list.count && list.slot(at: position) == slot && list.entry(at: position) == UInt32(entry)
    }

    /// The first contradiction between the two views, or in what is free, in words; nil when all is well. O(everything).
    var fault: String? {
        if let fault = connectionFault { return fault }
        for app in tables.indices {
            if let fault = tableFault(app) { return "app \(app): " + fault }
        }
        return nil
    }

    private var connectionFault: String? {
        for slot in 0..<UInt32(connections.count) {
            let own = self[slot].subscriptions
            guard connections.isUsed(Int(slot)) == isOpen(slot) else { return "slot \(slot) is half open" }
            if !isOpen(slot), own.count > 0 || self[slot].user != nil { return "the free slot \(slot) holds something" }
            for entry in 0..<own.count where !isLinked(slot, entry: entry) {
                return "entry \(entry) of slot \(slot) and its channel disagree"
            }
        }
        return nil
    }

    private func tableFault(_ app: Int) -> String? {
        for number in 0..<UInt32(self[app: app].channels.count) {
            let index = ChannelIndex(number)
            if let fault = channelFault(index, app: app) { return "channel \(number) " + fault }
        }
        return nil
    }

    private func channelFault(_ index: ChannelIndex, app: Int) -> String? {
        let channel = self[app: app][index]
        let isNamed = !self[app: app].name(of: index).isEmpty
        guard self[app: app].channels.isUsed(Int(index.number)) == isNamed else { return "is half free" }
        let list = channel.subscribers
        guard isNamed else {
            let isEmpty = channel.registered == 0 && list.count == 0 && channel.pendingJoins.isEmpty
            return isEmpty ? nil : "is free and holds something"
        }
        for at in 0..<list.count {
            let (own, entry) = (self[list.slot(at: at)].subscriptions, Int(list.entry(at: at)))
            guard entry < own.count, own[entry].channel == index, own[entry].position == UInt32(at),
                self[list.slot(at: at)].app == app
            else { return "has subscriber \(at), whose connection knows nothing of it" }
        }
        let leaving = departures.waiting.count { $0.app == app && $0.channel == index }
        guard Int(channel.registered) == list.count + leaving, channel.registered > 0 else {
            return "has \(channel.registered) counted, \(list.count) here, \(leaving) leaving"
        }
        return channel.hasTooManyJoins ? "keeps \(channel.pendingJoins.count) joins" : nil
    }
}
