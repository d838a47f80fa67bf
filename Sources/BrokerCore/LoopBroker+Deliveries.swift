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
        chain != nil || isUnfinished || !shared.queues[loop].pointee.isEmpty || !departures.isEmpty || !owed.isEmpty
    }

    /// Deliveries to nobody that one call of `nextDelivery` passes over.
    private static let fruitlessMax = 4_096

    /// The next delivery with at least one recipient, or nil: the queue is empty, or this turn has done enough (`hasWork`).
    ///
    /// Deliveries that close connections become effects on the way, a bounded number at a time.
    public func nextDelivery() -> Delivery? {
        for _ in 0..<Self.fruitlessMax {
            if !isUnfinished {
                finishCurrent()
                guard takeNext() else { return nil }
            }
            guard let node = current else { preconditionFailure("a delivery was taken above, or is unfinished") }
            isUnfinished = false
            if let delivery = resolve(node) { return delivery }
            if isUnfinished { return nil }
        }
        return nil
    }

    private func finishCurrent() {
        guard let done = current else { return }
        current = nil
        shared.queues[loop].pointee.finished(done)
        pool.give(done)
        if chain == nil { settleJoins() }
    }

    /// Makes the oldest delivery the current one; false when there is none.
    private func takeNext() -> Bool {
        if chain == nil {
            if !owed.isEmpty { payOwed() }
            drainNumber += 1
            chain = shared.queues[loop].pointee.takeAll()
        }
        guard let node = chain else {
            settleJoins()
            return false
        }
        chain = node.pointee.next
        current = node
        return true
    }

    private func resolve(_ node: UnsafeMutablePointer<DeliveryNode>) -> Delivery? {
        let (table, index) = (tables[Int(node.pointee.channel.app)], Int(node.pointee.channel.index))
        // The place may have been emptied, and even used again, since the delivery was posted.
        guard table.channels[index].generation == node.pointee.channel.generation else { return nil }
        switch node.pointee.kind {
        case .fanOut:
            let recipients =
                table.channels[index].pendingJoins.isEmpty
                ? table.channels[index].subscribers.slots : joined(before: node)
            guard recipients.count > 0 else { return nil }
            return Delivery(
                bytes: DeliveryNode.bytes(of: node), recipients: recipients, except: slot(of: node.pointee.connection))
        case .member:
            let recipients = joined(before: node, butNotAs: node.pointee.connection.slot)
            guard recipients.count > 0 else { return nil }
            return Delivery(bytes: DeliveryNode.bytes(of: node), recipients: recipients, except: .max)
        case .single:
            let slot = slot(of: node.pointee.connection)
            guard slot != .max, let known = entry(of: slot, in: index, of: table) else { return nil }
            // It left and came back meanwhile: the answer is older than the one it got then.
            guard
                connections[Int(slot)].subscriptions[known].number == UInt32(truncatingIfNeeded: node.pointee.sequence)
            else { return nil }
            single.initialize(to: slot)
            return Delivery(
                bytes: DeliveryNode.bytes(of: node), recipients: UnsafeBufferPointer(start: single, count: 1),
                except: .max)
        case .owed:
            owed.append(node.pointee.channel)
            return nil
        case .terminate:
            terminateSome(node)
            return nil
        }
    }

    /// Closes the next of the user's connections. Whoever signed in afterwards stays (PW-118).
    private func terminateSome(_ node: UnsafeMutablePointer<DeliveryNode>) {
        var left = terminationsPerSlice
        for slot in joined(before: node) where !connections[Int(slot)].isEnding {
            guard left > 0 else {
                isUnfinished = true
                return
            }
            left -= 1
            terminate(slot: slot)
        }
    }

    /// The slot of a connection that is still the one that was meant; `.max` otherwise.
    private func slot(of connection: ConnectionTag) -> UInt32 {
        guard isOpen(connection.slot), connections[Int(connection.slot)].socketID.low == connection.tag else {
            return .max
        }
        return connection.slot
    }

    /// Leaves out subscribers that joined after the delivery was posted, and those that are there as one member.
    ///
    /// Joins are listed in the order of their sequence, and a fresh subscriber stands at the end of the list, so those that
    /// came too late are nearly always its last ones; only a leave in between can have moved them.
    private func joined(
        before node: UnsafeMutablePointer<DeliveryNode>, butNotAs member: UInt32 = .max
    ) -> UnsafeBufferPointer<UInt32> {
        let channel = node.pointee.channel
        let (table, index) = (tables[Int(channel.app)], Int(channel.index))
        let pending = table.channels[index].pendingJoins
        let list = table.channels[index].subscribers
        let first = Self.firstLate(of: pending, for: node.pointee.sequence)
        if member == .max {
            let settled = list.slots.count - (pending.count - first)
            if settled >= 0,
                (first..<pending.count).allSatisfy({ list.slots[settled + $0 - first] == pending[$0].slot })
            {
                return UnsafeBufferPointer(rebasing: list.slots[..<settled])
            }
            if filtered == FilteredRecipients(channel: channel, firstLate: first) { return filter.elements }
        }
        leftOut.removeAll(keepingCapacity: true)
        for join in pending[first...] { leftOut.append(join.slot) }
        if member != .max { leaveOut(member, of: list) }
        filter.select(from: list.slots, without: leftOut)
        filtered = member == .max ? FilteredRecipients(channel: channel, firstLate: first) : nil
        return filter.elements
    }

    private func leaveOut(_ member: UInt32, of list: SubscriberList) {
        for position in 0..<list.count {
            let slot = list.slot(at: position)
            let own = connections[Int(slot)].subscriptions
            if own[Int(list.entry(at: position))].member == member { leftOut.append(slot) }
        }
    }

    /// The index of the first join that came after a delivery.
    private static func firstLate(of pending: [LocalChannel.PendingJoin], for sequence: UInt64) -> Int {
        var (low, high) = (0, pending.count)
        while low < high {
            let middle = (low + high) / 2
            if pending[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Everything posted before the joins of an earlier take has now been carried out.
    private func settleJoins() {
        guard !unsettled.isEmpty else { return }
        filtered = nil
        var kept = 0
        for join in unsettled {
            guard join.drainNumber < drainNumber else {
                unsettled[kept] = join
                kept += 1
                continue
            }
            let (table, index) = (tables[Int(join.channel.app)], Int(join.channel.index))
            guard table.channels[index].generation == join.channel.generation else { continue }
            let now = drainNumber
            table.channels[index].pendingJoins.removeAll { $0.drainNumber < now }
            if table.channels[index].pendingJoins.isEmpty { table.channels[index].pendingJoins = [] }
        }
        unsettled.removeLast(unsettled.count - kept)
    }

    static let unsettledMin = 1_024

    /// Remembers that a channel's joins must be settled after the next take.
    func settleLater(_ channel: LocalChannelID) {
        if unsettled.count >= unsettledMax {
            unsettled.removeAll {
                tables[Int($0.channel.app)].channels[Int($0.channel.index)].generation != $0.channel.generation
            }
            unsettledMax = max(Self.unsettledMin, unsettled.count * 2)
        }
        unsettled.append(UnsettledJoin(channel: channel, drainNumber: drainNumber))
    }
}
