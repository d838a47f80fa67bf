/// Giving out the loop's deliveries (`DeliveryInbox`).
extension LoopBroker {
    /// One message, encoded once, and the connections that get it.
    public struct Delivery {
        /// Valid until the next `nextDelivery`.
        public let message: Message
        /// Slots of sessions of this loop, as the channel's list holds them; valid until the next command.
        public let recipients: UnsafeBufferPointer<UInt32>
        /// A slot among them that gets nothing; `.max` for none.
        public let except: UInt32
        /// Whose it is, by number.
        public let app: Int
        /// `BrokerTime.stamp` of the publish; 0 when it is no event.
        public let stamp: UInt32
        /// Where its app is counted; its owner counts who gets it.
        public internal(set) var meter: UnsafeMutablePointer<AppMeter>?
    }

    /// What a turn finds to do, in one look: most turns find nothing. A number, because to another module the constants of an option set
    /// are calls.
    public struct Waiting: Sendable {
        /// 0: nothing.
        public let rawValue: UInt8
        static let sweep: UInt8 = 1, other: UInt8 = 2

        /// `sweep` is due.
        @inlinable public var mustSweep: Bool { rawValue & 1 != 0 }
    }

    /// What waits for this turn: a sweep, or deliveries (if only a drain to end), departures, effects, loops to wake, notes.
    public var waiting: Waiting {
        let rests =
            inbox.isAtRest && owed.isEmpty && queue.pointee.isEmpty && memberships.departures.isEmpty && effects.areDone
            && queuedAnswerBytes == 0 && !hasNotes
        return Waiting(rawValue: (rests ? 0 : Waiting.other) | (housekeeping.isSweeping ? Waiting.sweep : 0))
    }

    /// True while deliveries or departures wait.
    public var hasWork: Bool {
        !inbox.isDrained || !queue.pointee.isEmpty || !memberships.departures.isEmpty || !owed.isEmpty
    }

    /// The same, or the last tick's sweep is not over.
    public var mustGoOn: Bool { hasWork || housekeeping.isSweeping }

    /// Deliveries to nobody that one call of `nextDelivery` passes over.
    private static let fruitlessMax = 4_096

    /// Bytes of deliveries that wait in the loop's queue.
    public var queuedBytes: Int { queue.pointee.queuedBytes }

    /// The next delivery with at least one recipient, or nil: the queue is empty, or this turn has done enough (`hasWork`).
    ///
    /// Deliveries that close connections become effects on the way, a bounded number at a time. Effects.
    public func nextDelivery() -> Delivery? {
        // Most turns bring nothing, and there is no join that waits for the end of a drain.
        if inbox.isAtRest, owed.isEmpty, queue.pointee.isEmpty { return nil }
        var terminations = slices.terminations
        for _ in 0..<Self.fruitlessMax {
            inbox.finishCurrent(of: queue, pool: &pool, &memberships)
            if inbox.isDrained, !owed.isEmpty { payOwed() }
            switch inbox.next(of: queue, &memberships) {
            case .deliver(var delivery):
                delivery.meter = appMeters.row(delivery.app)
                return delivery
            case .nobody: continue
            case .owed(let channel): owed.append(channel)
            case .terminate(let slots):
                guard terminateSome(slots, left: &terminations) else {
                    inbox.comeBack()
                    return nil
                }
            case .empty: return nil
            }
        }
        return nil
    }

    /// Closes the next of a user's connections.
    /// - Parameter left: how many may still be closed, this user's and those of others.
    /// - Returns: whether that were all.
    private func terminateSome(_ slots: UnsafeBufferPointer<UInt32>, left: inout Int) -> Bool {
        for slot in slots where !memberships[slot].isEnding {
            guard left > 0 else { return false }
            left -= 1
            terminate(slot: slot)
        }
        return true
    }
}
