internal import PusherProtocol

/// One loop's way from the queue of deliveries to those who get them.
///
/// It takes everything that was posted at once (a drain, counted by `drainNumber`) and gives it out one by one, oldest first. Who
/// joined after a delivery was posted must not get it: such joins stay in `LocalChannel.pendingJoins` until everything posted
/// before them has been given out, which is after the drain that follows the join.
///
///     posted    d1 d2 │ join │ d3            d1 and d2 are not for the newcomer, d3 is
///     drains    ──────┴──n───┴─── n+1 ──▶    the join is settled at the end of drain n+1
///
/// It cannot be copied, because it owns the nodes it has taken. Touched by its loop only.
struct DeliveryInbox: ~Copyable {
    /// What the next delivery asks for.
    enum Step {
        /// There is none.
        case empty
        /// It is for nobody.
        case nobody
        case deliver(LoopBroker.Delivery)
        /// The channel's subscribers were not told everything.
        case owed(LocalChannelID)
        /// Close these connections; who cannot close all of them now calls `comeBack`.
        case terminate(UnsafeBufferPointer<UInt32>)
    }

    /// Taken and not given out, oldest first.
    private var chain: UnsafeMutablePointer<DeliveryNode>?
    /// Given out last; its frame is still looked at.
    private var current: UnsafeMutablePointer<DeliveryNode>?
    /// `current` is given out once more.
    private var isUnfinished = false
    private(set) var drainNumber: UInt64 = 0
    private var unsettled = UnsettledJoins()
    private var late = LateJoiners()
    private let single = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    deinit {
        var node = chain
        while let next = node {
            node = next.pointee.next
            next.deallocate()
        }
        current?.deallocate()
        single.deallocate()
    }

    /// Everything that was taken has been given out.
    var isDrained: Bool { chain == nil && !isUnfinished }

    /// Nothing of it is in use, and no join waits for the end of a drain.
    var isAtRest: Bool { isDrained && current == nil && unsettled.count == 0 }

    /// Joins that wait for the next drain: for tests.
    var unsettledCount: Int { unsettled.count }

    /// Ends the delivery that was given out last, unless it comes back.
    mutating func finishCurrent(
        of queue: UnsafeMutablePointer<DeliveryQueue>, pool: inout DeliveryPool, _ memberships: inout Memberships
    ) {
        guard !isUnfinished, let done = current else { return }
        current = nil
        queue.pointee.finished(done)
        pool.give(done)
        if chain == nil { settleJoins(in: &memberships) }
    }

    /// Gives out the next delivery. `finishCurrent` comes before.
    mutating func next(
        of queue: UnsafeMutablePointer<DeliveryQueue>, _ memberships: inout Memberships
    ) -> Step {
        if isUnfinished {
            isUnfinished = false
        } else {
            if chain == nil {
                drainNumber += 1
                chain = queue.pointee.takeAll()
            }
            guard let node = chain else {
                settleJoins(in: &memberships)
                return .empty
            }
            chain = node.pointee.next
            current = node
        }
        guard let node = current else { preconditionFailure("a delivery was taken above, or came back") }
        return resolve(node, in: memberships)
    }

    /// The delivery that was given out last is given out again.
    mutating func comeBack() { isUnfinished = true }

    private mutating func resolve(
        _ node: UnsafeMutablePointer<DeliveryNode>, in memberships: borrowing Memberships
    ) -> Step {
        let channel = node.pointee.channel
        guard let listed = memberships[channel].listed(at: channel.generation) else { return .nobody }
        switch node.pointee.kind {
        case .fanOut:
            let recipients = listed.areSettled ? listed.slots : late.recipients(of: node, in: memberships)
            return Self.deliver(node, to: recipients, except: Self.slot(of: node.pointee.connection, in: memberships))
        case .member:
            let member = node.pointee.connection.slot
            return Self.deliver(node, to: late.recipients(of: node, butNotAs: member, in: memberships))
        case .single:
            let slot = Self.slot(of: node.pointee.connection, in: memberships)
            guard slot != .max, let known = memberships.entry(of: slot, in: channel.index) else { return .nobody }
            // It left and came back meanwhile: the answer is older than the one it got then.
            guard memberships[slot].subscriptions[known].number == UInt32(truncatingIfNeeded: node.pointee.sequence)
            else { return .nobody }
            single.initialize(to: slot)
            return Self.deliver(node, to: UnsafeBufferPointer(start: single, count: 1))
        case .owed: return .owed(channel)
        // Whoever signed in afterwards stays (PW-118).
        case .terminate: return .terminate(late.recipients(of: node, in: memberships))
        }
    }

    @inline(__always)
    private static func deliver(
        _ node: UnsafeMutablePointer<DeliveryNode>, to recipients: UnsafeBufferPointer<UInt32>, except: UInt32 = .max
    ) -> Step {
        guard recipients.count > 0 else { return .nobody }
        return .deliver(
            LoopBroker.Delivery(
                message: DeliveryNode.message(of: node), recipients: recipients, except: except,
                app: Int(node.pointee.channel.app), stamp: node.pointee.stamp))
    }

    /// The slot of a connection that is still the one that was meant; `.max` otherwise.
    private static func slot(of connection: ConnectionTag, in memberships: borrowing Memberships) -> UInt32 {
        memberships[connection.slot].isMeant(by: connection) ? connection.slot : .max
    }

    // MARK: Joins

    /// Remembers that a connection joined a channel after the delivery of this number was posted.
    mutating func remember(
        _ slot: UInt32, joined channel: LocalChannelID, after sequence: UInt64, in memberships: inout Memberships
    ) {
        let isFirst = memberships[channel].pendingJoins.last?.drainNumber != drainNumber
        memberships[channel].pendingJoins.append(.init(slot: slot, sequence: sequence, drainNumber: drainNumber))
        if isFirst { unsettled.append(channel, drainNumber: drainNumber, in: memberships) }
        guard memberships[channel].hasTooManyJoins else { return }
        memberships[channel].pendingJoins = late.newest(in: memberships[channel])
    }

    /// Everything posted before the joins of an earlier drain has now been given out.
    private mutating func settleJoins(in memberships: inout Memberships) {
        guard unsettled.count > 0 else { return }
        late.forget()
        unsettled.settle(before: drainNumber, in: &memberships)
    }

    /// Gives back storage that nothing is in.
    mutating func releaseUnused() { unsettled.releaseUnused() }
}
