/// An event in the queue of an endpoint.
struct WaitingEvent: Sendable, Equatable {
    var event: WebhookEvent
    /// From when on its time to be tried counts, in monotonic milliseconds: when it happened, or when it was taken up again.
    var sinceMilliseconds: UInt64
    /// When it was queued, which is what a batch waits from.
    var queuedMilliseconds: UInt64
    /// A dead letter that is tried again: its number is older than those around it, and the spool knows it as dead.
    var isAgain = false

    /// Of those that go in the order of their numbers.
    var orderNumber: UInt64? { isAgain ? nil : event.id.number }
}

/// What waits for one endpoint, oldest first: taken at the front, added at either end.
struct WaitingEvents {
    /// nil: taken.
    private var places: [WaitingEvent?] = []
    private var taken = 0
    private(set) var bytes = 0

    var count: Int { places.count - taken }
    var isEmpty: Bool { taken == places.count }
    var first: WaitingEvent? { isEmpty ? nil : places[taken] }

    /// The event at a place, counted from the front; it must be there.
    subscript(place: Int) -> WaitingEvent {
        guard let one = places[taken + place] else { preconditionFailure("what waits has not been taken") }
        return one
    }

    mutating func append(_ one: WaitingEvent) {
        bytes += one.event.keptBytes
        places.append(one)
    }

    /// Puts events before all others, in their order.
    mutating func prepend(_ all: [WaitingEvent]) {
        bytes += all.reduce(0) { $0 + $1.event.keptBytes }
        places.replaceSubrange(0..<taken, with: all)
        taken = 0
    }

    mutating func popFirst() -> WaitingEvent? {
        guard taken < places.count, let one = places[taken] else { return nil }
        places[taken] = nil
        taken += 1
        bytes -= one.event.keptBytes
        if taken == places.count {
            (places, taken) = ([], 0)
        } else if taken >= 64, taken * 2 >= places.count {
            places.removeFirst(taken)  // a queue that is never empty does not grow for ever
            taken = 0
        }
        return one
    }

    /// The place of the first that keeps the order of numbers.
    var firstInOrder: WaitingEvent? {
        for place in 0..<count where !self[place].isAgain { return self[place] }
        return nil
    }
}
