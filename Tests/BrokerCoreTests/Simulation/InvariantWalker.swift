#if DEBUG
    @testable import BrokerCore
    import PusherProtocol

    /// Compares the two views of every membership: the loops' lists and the registry. O(everything); between commands only.
    enum InvariantWalker {
        /// The first contradiction, in words; nil when all is well.
        static func fault(in brokers: [LoopBroker]) -> String? {
            for broker in brokers {
                if let fault = connections(broker) { return "loop \(broker.loop): " + fault }
                for app in broker.shared.apps {
                    if let fault = places(broker, app) { return "loop \(broker.loop), app \(app.index): " + fault }
                }
            }
            for app in brokers[0].shared.apps {
                if let fault = records(app, brokers) { return "registry of app \(app.index): " + fault }
                let open = brokers.reduce(0) { sum, broker in
                    sum + broker.connections.indices.count { broker.connections[$0].app == app.index }
                }
                if app.connections.count != open { return "\(open) connections are open, not \(app.connections.count)" }
            }
            return nil
        }

        /// What a loop still remembers although it has taken and carried out everything; nil when there is nothing.
        static func leftover(in brokers: [LoopBroker]) -> String? {
            for broker in brokers {
                var joins = 0
                for app in broker.tables.indices {
                    let table = broker.tables[app]
                    for index in table.channels.indices { joins += table.channels[index].pendingJoins.count }
                }
                guard joins == 0, broker.unsettled.isEmpty else { return "loop \(broker.loop) keeps \(joins) joins" }
                guard broker.departuresWaiting == 0, broker.chain == nil, broker.current == nil, broker.owed.isEmpty
                else { return "loop \(broker.loop) keeps deliveries or departures" }
            }
            return nil
        }

        /// Each entry of a connection points at the place in the channel's list that points back.
        private static func connections(_ broker: LoopBroker) -> String? {
            for slot in 0..<broker.connections.count {
                let connection = broker.connections[slot]
                let own = connection.subscriptions
                guard broker.connections.isUsed(slot) == (connection.app >= 0) else {
                    return "slot \(slot) is half open"
                }
                if connection.app < 0, own.count > 0 || connection.user != nil {
                    return "the free slot \(slot) holds something"
                }
                for entry in 0..<own.count {
                    let list = broker.tables[connection.app].channels[Int(own[entry].channel)].subscribers
                    let position = Int(own[entry].position)
                    guard position < list.count, list.slot(at: position) == UInt32(slot),
                        list.entry(at: position) == UInt32(entry)
                    else { return "entry \(entry) of slot \(slot) and its channel disagree" }
                }
            }
            return nil
        }

        /// Each subscriber is in its connection's list, and the registry counts what the place says it counts.
        private static func places(_ broker: LoopBroker, _ app: App) -> String? {
            let table = broker.tables[app.index]
            for index in 0..<table.channels.count {
                let (channel, marked) = (table.channels[index], table.name(of: index))
                guard table.channels.isUsed(index) == !marked.isEmpty else { return "place \(index) is half free" }
                let list = channel.subscribers
                if marked.isEmpty {
                    guard channel.registered == 0, list.count == 0, channel.pendingJoins.isEmpty else {
                        return "the free place \(index) holds something"
                    }
                    continue
                }
                for at in 0..<list.count {
                    let own = broker.connections[Int(list.slot(at: at))].subscriptions
                    let entry = Int(list.entry(at: at))
                    guard entry < own.count, own[entry].channel == UInt32(index), own[entry].position == UInt32(at)
                    else {
                        return "subscriber \(at) of place \(index) is unknown to its connection"
                    }
                }
                let leaving = broker.departures.waiting.count {
                    $0.app == app.index && $0.channel == UInt32(index)
                }
                guard channel.registered == list.count + leaving, channel.registered > 0 else {
                    return "place \(index): \(channel.registered) counted, \(list.count) here, \(leaving) leaving"
                }
                let name = channel.role == .watch ? Array(marked.dropFirst()) : marked
                let fault = app.registry.shard(of: name.span).withLock { (state: inout ChannelShard) -> String? in
                    guard let id = state.find(name.span) else { return "has no record" }
                    let entries = channel.role == .watch ? state.records[id].watchers : state.records[id].loops
                    let wanted = LocalChannelID(
                        app: UInt16(app.index), index: UInt32(index), generation: channel.generation)
                    let own = entries.filter { $0.loop == broker.loop }
                    guard own.count == 1, own[0].channel == wanted, own[0].count == channel.registered else {
                        return "is counted as \(own)"
                    }
                    let joins = channel.pendingJoins.map(\.sequence)
                    guard joins == joins.sorted(), joins.last ?? 0 <= state.records[id].sequence else {
                        return "has joins \(joins)"
                    }
                    return nil
                }
                if let fault { return "place \(index) " + fault }
                guard !channel.hasTooManyJoins else {
                    return "place \(index) keeps \(channel.pendingJoins.count) joins"
                }
            }
            return nil
        }

        /// Only a loop with subscribers may be behind, and only about users that the roster or those subscribers have.
        private static func views(of roster: Roster, _ record: ChannelRecord) -> String? {
            for view in roster.views {
                guard record.loops.contains(where: { $0.loop == view.loop }) else {
                    return "the gone loop \(view.loop) is behind"
                }
                for (userID, held) in view.held where held == .nothing && roster.find(userID.span) == nil {
                    return "loop \(view.loop) is behind about nothing"
                }
            }
            return nil
        }

        /// No record counts what no loop holds, none lingers, and the quota counts the occupied ones.
        private static func records(_ app: App, _ brokers: [LoopBroker]) -> String? {
            var occupied = 0
            for shard in app.registry.shards {
                let fault = shard.withLock { (state: inout ChannelShard) -> String? in
                    for id in 0..<state.records.count {
                        let (record, name) = (state.records[id], state.name(of: id))
                        guard state.records.isUsed(id) == !name.isEmpty else { return "record \(id) is half free" }
                        if name.isEmpty {
                            guard record.isUnused, record.loops.isEmpty else { return "a free record holds something" }
                            continue
                        }
                        let text = String(decoding: name, as: UTF8.self)
                        guard !record.isUnused else { return "\(text) is needed by nobody and kept" }
                        guard record.loops.reduce(0, { $0 + $1.count }) == record.subscriberCount,
                            record.loops.allSatisfy({ $0.count > 0 }), record.watchers.allSatisfy({ $0.count > 0 })
                        else { return "\(text) counts \(record.subscriberCount) in \(record.loops)" }
                        if record.subscriberCount > 0, record.kind.access != .user { occupied += 1 }
                        for (entries, mark) in [(record.loops, ""), (record.watchers, "!")] {
                            for entry in entries {
                                let place = Array(mark.utf8) + name
                                let table = brokers[entry.loop].tables[app.index]
                                guard table.find(place.span) == Int(entry.channel.index) else {
                                    return "\(text) is not where loop \(entry.loop) has it"
                                }
                            }
                        }
                        guard let roster = record.roster else { continue }
                        if let fault = views(of: roster, record) { return "\(text): " + fault }
                        let connections = roster.connectionsByUser
                        guard connections.values.reduce(0, +) == record.subscriberCount,
                            roster.count == connections.count
                        else { return "\(text): the roster holds \(connections) of \(record.subscriberCount)" }
                    }
                    return nil
                }
                if let fault { return fault }
            }
            return app.channels.count == occupied ? nil : "\(occupied) are occupied, \(app.channels.count) are counted"
        }
    }
#endif
