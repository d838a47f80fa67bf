internal import BrokerCore

/// What is still of use in the records of all segments, which come newest first: so the end of a thing is known before the thing, and no more
/// is held than what is of use and one segment. Values, no I/O.
struct SpoolHarvest {
    struct Waiting {
        var entry: SpoolEntry
        var segment: UInt64
        /// Of its record.
        var bytes: Int
    }

    struct Letter {
        var letter: DeadLetter
        var segment: UInt64
        var bytes: Int
    }

    /// Events whose records take more than this in all are left out, the oldest first.
    let bytesMax: Int
    private var segment: UInt64 = 0
    private var here: [Waiting] = []
    private var hereBytes = 0
    /// The last said of each letter in this segment; nil: forgotten.
    private var lettersHere: [SpoolLetterKey: Letter?] = [:]
    private var waiting: [Waiting] = []
    private var waitingBytes = 0
    private var letters: [Letter] = []
    /// Letters of which something was said: that endpoint does not wait for that event.
    private var settled: Set<SpoolLetterKey> = []
    private(set) var cursors: [WebhookEndpointID: UInt64] = [:]
    private(set) var nextNumber: UInt64 = 1
    private(set) var eventsDropped = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// The records that come are of this segment, which is older than those before.
    mutating func begin(_ segment: UInt64) { self.segment = segment }

    mutating func take(_ record: SpoolRecord, bytes: Int) {
        switch record {
        case .checkpoint(let next, let cursors):
            nextNumber = max(nextNumber, next)
            for cursor in cursors { take(cursor) }
        case .event(let entry):
            nextNumber = max(nextNumber, entry.event.id.number + 1)
            here.append(Waiting(entry: entry, segment: segment, bytes: bytes))
            hereBytes += bytes
            if hereBytes > bytesMax { prune() }
        case .finished(let cursor): take(cursor)
        case .buried(let letter):
            nextNumber = max(nextNumber, letter.event.id.number + 1)
            let key = SpoolLetterKey(endpoint: letter.endpoint, event: letter.event.id)
            lettersHere.updateValue(Letter(letter: letter, segment: segment, bytes: bytes), forKey: key)
        case .forgotten(let key): lettersHere.updateValue(nil, forKey: key)
        }
    }

    private mutating func take(_ cursor: SpoolCursor) {
        cursors[cursor.endpoint] = max(cursors[cursor.endpoint] ?? 0, cursor.through)
        nextNumber = max(nextNumber, cursor.through + 1)
    }

    /// A segment far larger than ours are: what its own records ended goes at once, and if that is not enough its older half.
    private mutating func prune() {
        here = here.compactMap { stillWaiting($0) }
        hereBytes = here.reduce(0) { $0 + $1.bytes }
        guard hereBytes > bytesMax / 2 else { return }
        let dropped = here.count / 2
        hereBytes -= here[..<dropped].reduce(0) { $0 + $1.bytes }
        here.removeFirst(dropped)
        eventsDropped += dropped
    }

    /// All records of the segment have come.
    mutating func endSegment() {
        for (key, letter) in lettersHere where settled.insert(key).inserted {
            if let letter { letters.append(letter) }
        }
        let found = here.compactMap { stillWaiting($0) }
        (here, hereBytes, lettersHere) = ([], 0, [:])
        for one in found.reversed() {
            guard waitingBytes + one.bytes <= bytesMax else {
                eventsDropped += 1
                continue
            }
            waitingBytes += one.bytes
            waiting.append(one)
        }
    }

    /// With the endpoints that are not done with it; nil: there is none.
    private func stillWaiting(_ one: Waiting) -> Waiting? {
        let id = one.entry.event.id
        // Nearly all: an array for each would be most of what a start costs.
        if settled.isEmpty, one.entry.endpoints.allSatisfy({ (cursors[$0] ?? 0) < id.number }) { return one }
        var rest = one
        rest.entry.endpoints = one.entry.endpoints.filter { endpoint in
            (cursors[endpoint] ?? 0) < id.number
                && !settled.contains(SpoolLetterKey(endpoint: endpoint, event: id))
        }
        return rest.entry.endpoints.isEmpty ? nil : rest
    }

    /// All segments have come: by number, several records of one event as one in the newest of their segments.
    mutating func takeWaiting() -> [Waiting] {
        var all = waiting.compactMap { stillWaiting($0) }
        waiting = []
        all.sort { ($1.entry.event.id, $0.segment) > ($0.entry.event.id, $1.segment) }
        var merged: [Waiting] = []
        merged.reserveCapacity(all.count)
        for one in all {
            guard let last = merged.last, last.entry.event.id == one.entry.event.id else {
                merged.append(one.unique())
                continue
            }
            let more = one.entry.endpoints.filter { !last.entry.endpoints.contains($0) }
            merged[merged.count - 1].entry.endpoints += more
        }
        return merged
    }

    /// Oldest first.
    mutating func takeLetters() -> [Letter] {
        defer { letters = [] }
        return letters.sorted { first, second in
            let (one, other) = (first.letter, second.letter)
            return (one.unixMilliseconds, one.event.id, one.endpoint)
                < (other.unixMilliseconds, other.event.id, other.endpoint)
        }
    }
}

extension SpoolHarvest.Waiting {
    /// No endpoint twice.
    fileprivate func unique() -> Self {
        guard entry.endpoints.count > 1 else { return self }
        var one = self
        var known: Set<WebhookEndpointID> = []
        one.entry.endpoints = entry.endpoints.filter { known.insert($0).inserted }
        return one
    }
}
