internal import PusherProtocol

/// Taking deliveries from the loop's queue and saying who gets them.
extension LoopBroker {
    /// One encoded frame and the connections that get it.
    public struct Delivery {
        /// A whole WebSocket frame; valid until the next `nextDelivery`.
        public let bytes: UnsafeRawBufferPointer
        /// Slots of this loop, as the channel's list holds them; valid until the next command.
        public let recipients: UnsafeBufferPointer<UInt32>
        /// A slot among them that gets nothing; `.max` for none.
        public let except: UInt32
    }

    /// True while deliveries or departures wait.
    public var hasWork: Bool {
        chain != nil || !shared.queues[loop].pointee.isEmpty || departuresDone < departures.count
    }

    /// The next delivery with at least one recipient, or nil when the queue is empty.
    ///
    /// Deliveries that close connections become effects on the way.
    public func nextDelivery() -> Delivery? {
        while true {
            if let done = current {
                current = nil
                shared.queues[loop].pointee.finished(done)
                pool.give(done)
                if chain == nil { settleJoins() }
            }
            if chain == nil {
                takes += 1
                chain = shared.queues[loop].pointee.takeAll()
                if chain == nil {
                    settleJoins()
                    return nil
                }
            }
            guard let node = chain else { preconditionFailure("the chain was filled above") }
            chain = node.pointee.next
            current = node
            if let delivery = resolve(node) { return delivery }
        }
    }

    private func resolve(_ node: UnsafeMutablePointer<DeliveryNode>) -> Delivery? {
        let (app, index) = (Int(node.pointee.channel.app), Int(node.pointee.channel.index))
        // The place may have been emptied, and even used again, since the delivery was posted.
        guard tables[app].channels[index].generation == node.pointee.channel.generation else { return nil }
        let list = tables[app].channels[index].subscribers.slots
        switch node.pointee.kind {
        case .fanOut:
            let recipients =
                tables[app].channels[index].pendingJoins.isEmpty
                ? list : joinedBefore(node.pointee.sequence, list, tables[app].channels[index].pendingJoins)
            guard recipients.count > 0 else { return nil }
            return Delivery(
                bytes: DeliveryNode.bytes(of: node), recipients: recipients, except: slot(of: node.pointee.connection))
        case .single:
            let slot = slot(of: node.pointee.connection)
            guard slot != .max, entry(of: slot, in: index, app: app) != nil else { return nil }
            // It left and came back meanwhile: the answer is older than the one it got then.
            let sequence = node.pointee.sequence
            let isStale = tables[app].channels[index].pendingJoins.contains {
                $0.slot == slot && $0.sequence >= sequence
            }
            guard !isStale else { return nil }
            single.initialize(to: slot)
            return Delivery(
                bytes: DeliveryNode.bytes(of: node), recipients: UnsafeBufferPointer(start: single, count: 1),
                except: .max)
        case .terminate:
            // Whoever signed in afterwards stays (PW-118).
            let pending = tables[app].channels[index].pendingJoins
            for slot in joinedBefore(node.pointee.sequence, list, pending) { terminate(slot: slot) }
            return nil
        }
    }

    /// The slot of a connection that is still the one that was meant; `.max` otherwise.
    private func slot(of connection: ConnectionTag) -> UInt32 {
        guard isOpen(connection.slot), connections[Int(connection.slot)].socketID.low == connection.tag else {
            return .max
        }
        return connection.slot
    }

    /// Leaves out subscribers that joined after the delivery was posted.
    ///
    /// Joins are listed in the order of their sequence, and a fresh subscriber stands at the end of the list, so those that
    /// came too late are nearly always its last ones; only a leave in between can have moved them.
    private func joinedBefore(
        _ sequence: UInt64, _ list: UnsafeBufferPointer<UInt32>, _ pending: [LocalChannel.PendingJoin]
    ) -> UnsafeBufferPointer<UInt32> {
        var late = 0
        while late < pending.count, pending[pending.count - 1 - late].sequence >= sequence { late += 1 }
        guard late > 0 else { return list }
        let first = list.count - late
        if first >= 0, (0..<late).allSatisfy({ list[first + $0] == pending[pending.count - late + $0].slot }) {
            return UnsafeBufferPointer(rebasing: list[..<first])
        }
        let lateSlots = Set(pending.suffix(late).map(\.slot))
        filtered.removeAll()
        for slot in list where !lateSlots.contains(slot) { filtered.append(slot) }
        return filtered.elements
    }

    /// Everything posted before the joins of an earlier take has now been carried out.
    private func settleJoins() {
        guard !unsettled.isEmpty else { return }
        var kept = 0
        for join in unsettled {
            guard join.takes < takes else {
                unsettled[kept] = join
                kept += 1
                continue
            }
            let (app, index) = (Int(join.channel.app), Int(join.channel.index))
            guard tables[app].channels[index].generation == join.channel.generation else { continue }
            let now = takes
            tables[app].channels[index].pendingJoins.removeAll { $0.takes < now }
            if tables[app].channels[index].pendingJoins.isEmpty { tables[app].channels[index].pendingJoins = [] }
        }
        unsettled.removeLast(unsettled.count - kept)
    }
}
