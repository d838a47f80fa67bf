internal import BrokerCore

/// What lives in the spool: the events that somebody waits for and the dead letters, and in which segment each stands. All of it is in memory,
/// so that it can be written again: into a newer segment so that an old one may go, or after the disk failed. Values, no I/O.
struct SpoolLedger {
    /// The name of a living event; it names nothing when that is finished.
    struct Ticket: Equatable {
        fileprivate var slot: Int
        var id: WebhookEvent.ID
    }

    private struct Living {
        /// nil: the slot is free.
        var entry: SpoolEntry?
        /// Endpoints that are not done with it.
        var left = 0
        var place = SpoolPlace.nowhere
    }

    private struct Waiting {
        var number: UInt64
        var slot: Int
    }

    private var slots: [Living] = []
    private var free: [Int] = []
    private var queues: [WebhookEndpointID: SpoolQueue<Waiting>] = [:]
    private(set) var cursors: [WebhookEndpointID: UInt64] = [:]
    private(set) var letters = SpoolLetters()
    private var uses = SpoolUses()
    /// Of the events, as they count in a queue.
    private(set) var keptBytes = 0
    /// Living events that stand in no segment.
    private(set) var nowhereCount = 0
    /// Of the next event, as far as is known here.
    private(set) var nextNumber: UInt64

    init(nextNumber: UInt64, cursors: [WebhookEndpointID: UInt64]) {
        (self.nextNumber, self.cursors) = (nextNumber, cursors)
    }

    var count: Int { slots.count - free.count }
    /// Of the events that somebody waits for.
    var lowestNumber: UInt64? { queues.values.compactMap { $0.first?.number }.min() }

    /// What lives in a segment.
    func use(of segment: UInt64) -> SpoolUse { uses[segment] }

    // MARK: Events

    /// - Returns: nil: all its endpoints are done with that number.
    mutating func append(_ entry: SpoolEntry) -> Ticket? {
        let number = entry.event.id.number
        nextNumber = max(nextNumber, number < .max ? number + 1 : number)
        var living = entry
        living.endpoints = entry.endpoints.filter { cursors[$0] ?? 0 < number }
        guard !living.endpoints.isEmpty else { return nil }
        let slot = free.popLast() ?? slots.count
        if slot == slots.count { slots.append(Living()) }
        slots[slot] = Living(entry: living, left: living.endpoints.count)
        for endpoint in living.endpoints {
            queues[endpoint, default: SpoolQueue()].insert(Waiting(number: number, slot: slot)) {
                $0.number < $1.number
            }
        }
        keptBytes += entry.event.keptBytes
        nowhereCount += 1
        return Ticket(slot: slot, id: entry.event.id)
    }

    /// - Returns: whether that was news.
    mutating func finish(_ endpoint: WebhookEndpointID, through number: UInt64) -> Bool {
        guard cursors[endpoint] ?? 0 < number else { return false }
        cursors[endpoint] = number
        nextNumber = max(nextNumber, number < .max ? number + 1 : number)
        while let first = queues[endpoint]?.first, first.number <= number { leave(endpoint) }
        return true
    }

    /// The endpoint's oldest event is no longer waited for.
    private mutating func leave(_ endpoint: WebhookEndpointID) {
        guard let slot = queues[endpoint]?.popFirst()?.slot else { return }
        if queues[endpoint]?.isEmpty == true { queues[endpoint] = nil }
        slots[slot].left -= 1
        guard slots[slot].left == 0, let entry = slots[slot].entry else { return }
        move(slot, to: .nowhere)
        nowhereCount -= 1
        keptBytes -= entry.event.keptBytes
        slots[slot] = Living()
        free.append(slot)
    }

    func isLiving(_ ticket: Ticket) -> Bool { slots[ticket.slot].entry?.event.id == ticket.id }

    /// It as it is to be written, with those endpoints that are not done with it; nil: it is finished.
    func entry(_ ticket: Ticket) -> SpoolEntry? {
        guard isLiving(ticket), var entry = slots[ticket.slot].entry else { return nil }
        if slots[ticket.slot].left < entry.endpoints.count {
            let number = ticket.id.number
            entry.endpoints.removeAll { cursors[$0] ?? 0 >= number }
        }
        return entry.endpoints.isEmpty ? nil : entry
    }

    /// It stands there from now on.
    mutating func place(_ ticket: Ticket, _ place: SpoolPlace) {
        if isLiving(ticket) { move(ticket.slot, to: place) }
    }

    private mutating func move(_ slot: Int, to place: SpoolPlace) {
        let old = slots[slot].place
        slots[slot].place = place
        uses.move(from: old, to: place)
        nowhereCount += (place.isNowhere ? 1 : 0) - (old.isNowhere ? 1 : 0)
    }

    /// The living events of a segment, by number.
    func tickets(in segment: UInt64) -> [Ticket] {
        slots.enumerated().compactMap { slot, living in
            guard living.place.segment == segment, let id = living.entry?.event.id else { return nil }
            return Ticket(slot: slot, id: id)
        }.sorted { $0.id < $1.id }
    }

    // MARK: Dead letters

    /// The endpoint is done with the event, and with all before it, when that is the oldest for which it waits.
    ///
    /// - Returns: its name; and whether the endpoint has come further by it.
    mutating func bury(_ letter: DeadLetter) -> (SpoolLetterKey, isFurther: Bool) {
        let key = letters.insert(letter)
        place(key, .nowhere)
        let id = letter.event.id
        guard let first = queues[letter.endpoint]?.first, slots[first.slot].entry?.event.id == id else {
            return (key, false)
        }
        return (key, finish(letter.endpoint, through: id.number))
    }

    /// - Returns: whether there was such a letter that is on the disk.
    mutating func forget(_ key: SpoolLetterKey) -> Bool {
        guard let (place, wasWritten) = letters.remove(key) else { return false }
        uses.move(from: place, to: .nowhere)
        return wasWritten
    }

    /// The letter that came first goes.
    ///
    /// - Returns: its name; and whether it is on the disk.
    mutating func forgetOldestLetter() -> (SpoolLetterKey, Bool)? { letters.takeOldest().map { ($0, forget($0)) } }

    mutating func place(_ key: SpoolLetterKey, _ place: SpoolPlace) {
        guard let old = letters.place(key, place) else { return }
        uses.move(from: old, to: place)
    }

    // MARK: Cursors

    /// Those below `number` are forgotten: no event that is anywhere has such a number.
    mutating func forgetCursors(below number: UInt64) { cursors = cursors.filter { $0.value >= number } }
}
