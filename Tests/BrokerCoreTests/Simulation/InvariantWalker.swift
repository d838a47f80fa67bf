#if DEBUG
    @testable import BrokerCore
    import PusherProtocol

    /// Compares the two views of every membership: the loops' lists and the registry. O(everything); between commands only.
    enum InvariantWalker {
        /// The first contradiction, in words; nil when all is well.
        static func fault(in brokers: [LoopBroker]) -> String? {
            for broker in brokers {
                if let fault = broker.memberships.fault { return "loop \(broker.loop): " + fault }
                for app in broker.shared.apps {
                    if let fault = places(broker, app) { return "loop \(broker.loop), app \(app.index): " + fault }
                }
            }
            for app in brokers[0].shared.apps {
                if let fault = records(app, brokers) { return "registry of app \(app.index): " + fault }
                let open = brokers.reduce(0) { sum, broker in
                    sum
                        + broker.memberships.connections.indices.count {
                            broker.memberships.connections[$0].app == app.index
                        }
                }
                if app.connections.count != open { return "\(open) connections are open, not \(app.connections.count)" }
                var meter = AppMeter()
                for broker in brokers { meter += broker.meter(of: app.index).pointee }
                if meter.opened != meter.closed + UInt64(open) { return "the meter counts \(meter) for \(open)" }
            }
            return meters(brokers)
        }

        /// The loops' meters together count the subscriptions and channels that the registry has.
        private static func meters(_ brokers: [LoopBroker]) -> String? {
            var sum = BrokerMeter()
            for broker in brokers { sum += broker.meter }
            var counted = [(subscriptions: Int, channels: Int)](repeating: (0, 0), count: 2 * accesses.count)
            for app in brokers[0].shared.apps {
                for shard in app.registry.shards {
                    shard.withLock { (state: inout ChannelShard) in
                        for id in 0..<state.records.count where state.records[id].subscriberCount > 0 {
                            let (kind, count) = (state.records[id].kind, state.records[id].subscriberCount)
                            guard kind.access != .user else { continue }
                            counted[Int(kind.access.rawValue) * 2 + (kind.isCache ? 1 : 0)].subscriptions += count
                            counted[Int(kind.access.rawValue) * 2 + (kind.isCache ? 1 : 0)].channels += 1
                        }
                    }
                }
            }
            for (number, counts) in counted.enumerated() {
                let kind = ChannelKind(access: accesses[number / 2], isCache: number % 2 == 1)
                let meter = (subscriptions: sum.subscriptions(kind), channels: sum.channels(kind))
                if meter != counts { return "\(kind): the meters count \(meter), the registry \(counts)" }
            }
            return nil
        }

        private static let accesses = ChannelKind.Access.allCases

        /// What a loop still remembers although it has taken and carried out everything; nil when there is nothing.
        static func leftover(in brokers: [LoopBroker]) -> String? {
            for broker in brokers {
                var joins = 0
                for app in broker.memberships.tables.indices {
                    for index in broker.memberships[app: app].channels.indices {
                        joins += broker.memberships[app: app].channels[index].pendingJoins.count
                    }
                }
                guard joins == 0, broker.inbox.unsettledCount == 0 else {
                    return "loop \(broker.loop) keeps \(joins) joins"
                }
                guard broker.departuresWaiting == 0, broker.inbox.isAtRest, broker.owed.isEmpty
                else { return "loop \(broker.loop) keeps deliveries or departures" }
            }
            return nil
        }

        /// The registry counts what the place says it counts.
        private static func places(_ broker: LoopBroker, _ app: App) -> String? {
            for number in broker.memberships[app: app.index].channels.indices {
                let index = ChannelIndex(UInt32(number))
                let channel = broker.memberships[app: app.index][index]
                let marked = broker.memberships[app: app.index].name(of: index)
                let name = channel.role == .watch ? Array(marked.dropFirst()) : marked
                let fault = app.registry.shard(of: name.span).withLock { (state: inout ChannelShard) -> String? in
                    guard let id = state.find(name.span) else { return "has no record" }
                    let entries = channel.role == .watch ? state.records[id].watchers : state.records[id].loops
                    let wanted = LocalChannelID(
                        app: UInt16(app.index), index: index, generation: channel.generation)
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
                if let fault { return "place \(number) " + fault }
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
                        guard record.loops.reduce(0, { $0 + Int($1.count) }) == record.subscriberCount,
                            record.loops.allSatisfy({ $0.count > 0 }), record.watchers.allSatisfy({ $0.count > 0 })
                        else { return "\(text) counts \(record.subscriberCount) in \(record.loops)" }
                        if record.subscriberCount > 0, record.kind.access != .user { occupied += 1 }
                        for (entries, mark) in [(record.loops, ""), (record.watchers, "!")] {
                            for entry in entries {
                                let place = Array(mark.utf8) + name
                                let found = brokers[entry.loop].memberships[app: app.index].find(place.span)
                                guard found == entry.channel.index else {
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
