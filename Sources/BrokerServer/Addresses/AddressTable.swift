/// How many connections addresses have, and how many they have lately made. A value: time is an argument, in nanoseconds that never go back
/// by more than what two loops' clocks differ.
///
/// An address has an entry while it has connections or its allowance is not whole. Every step is O(1): an entry that has become idle goes when
/// its last connection does, or when later newcomers look at it (`entriesLookedAt` each). There are at most `entriesMax`; of a newcomer beyond
/// that nothing is kept, and he is let in, because to refuse him would give whoever fills the table the power to keep all others out.
///
/// New connections are counted as a bucket that fills evenly (GCRA): an entry keeps when it will be full again.
struct AddressTable: Sendable {
    struct Entry: Sendable, Equatable {
        let block: AddressBlock
        /// Open connections that were let in while there was a limit for them.
        var open: UInt32 = 0
        /// Open ones that wait to be told that they are too many.
        var waiting: UInt32 = 0
        /// Refused so far.
        var refused: UInt32 = 0
        /// When the allowance is whole again.
        var wholeAt: UInt64 = 0

        func isIdle(_ now: UInt64) -> Bool { open == 0 && waiting == 0 && wholeAt <= now }
    }

    enum Verdict: Equatable {
        case admitted
        /// Above a limit.
        case over(AddressLimit)
        /// There was no room to count it.
        case uncounted
    }

    /// So many of an address may wait to be told why they are refused; more are closed without a word.
    static let waitingMax: UInt32 = 1_024
    static let entriesLookedAt = 2
    /// When the table is full.
    static let entriesLookedAtFull = 16
    private static let second: UInt64 = 1_000_000_000

    let entriesMax: Int
    private(set) var entries: [Entry] = []
    private var places: [AddressBlock: Int] = [:]
    /// The next entry that a newcomer looks at.
    private var hand = 0
    /// Newcomers of which nothing could be kept.
    private(set) var uncounted: UInt64 = 0

    init(entriesMax: Int) { self.entriesMax = entriesMax }

    subscript(block: AddressBlock) -> Entry? { places[block].map { entries[$0] } }

    // MARK: Steps

    /// A connection has come. If it is admitted and `limits.connections` is there, it is counted until `leave`.
    mutating func claim(_ block: AddressBlock, _ limits: AddressLimits, now: UInt64) -> Verdict {
        guard let place = place(of: block, now) else {
            uncounted &+= 1
            return .uncounted
        }
        if let most = limits.connections, entries[place].open >= most { return .over(.connections) }
        if let rate = limits.perSecond {
            let interval = Self.interval(rate)
            let start = max(entries[place].wholeAt, now)
            guard start - now <= Self.second - interval else { return .over(.rate) }
            entries[place].wholeAt = start + interval
        }
        if limits.connections != nil { entries[place].open += 1 }
        return .admitted
    }

    /// One that is above a limit stays until it is told; until `endWait`.
    /// - Returns: false: too many do.
    mutating func wait(_ block: AddressBlock, now: UInt64) -> Bool {
        guard let place = place(of: block, now), entries[place].waiting < Self.waitingMax else { return false }
        entries[place].waiting += 1
        return true
    }

    mutating func endWait(_ block: AddressBlock, now: UInt64) {
        guard let place = places[block] else { return }
        entries[place].waiting -= entries[place].waiting > 0 ? 1 : 0
        removeIfIdle(place, now)
    }

    /// One that was counted has gone.
    mutating func leave(_ block: AddressBlock, now: UInt64) {
        guard let place = places[block] else { return }
        entries[place].open -= entries[place].open > 0 ? 1 : 0
        removeIfIdle(place, now)
    }

    /// What one has taken of its address's allowance is given back.
    mutating func forgive(_ block: AddressBlock, _ limits: AddressLimits, now: UInt64) {
        guard let rate = limits.perSecond, let place = places[block] else { return }
        entries[place].wholeAt -= min(entries[place].wholeAt, Self.interval(rate))
        removeIfIdle(place, now)
    }

    /// One is refused.
    /// - Returns: how many were so far, since its address was last unknown.
    mutating func refuse(_ block: AddressBlock) -> Int {
        guard let place = places[block] else { return 1 }
        entries[place].refused += entries[place].refused < .max ? 1 : 0
        return Int(entries[place].refused)
    }

    /// What is wrong with the two views; nil: nothing. O(entries): for tests.
    var fault: String? {
        guard places.count == entries.count else { return "\(places.count) places of \(entries.count) entries" }
        for (place, entry) in entries.enumerated() where places[entry.block] != place { return "\(entry) is lost" }
        return entries.count > entriesMax ? "too many entries" : nil
    }

    // MARK: Entries

    private static func interval(_ rate: Int) -> UInt64 { second / UInt64(clamping: max(1, rate)) }

    private mutating func place(of block: AddressBlock, _ now: UInt64) -> Int? {
        if let place = places[block] { return place }
        tidy(now)
        guard entries.count < entriesMax else { return nil }
        entries.append(Entry(block: block))
        places[block] = entries.count - 1
        return entries.count - 1
    }

    private mutating func tidy(_ now: UInt64) {
        for _ in 0..<(entries.count < entriesMax ? Self.entriesLookedAt : Self.entriesLookedAtFull) {
            guard !entries.isEmpty else { return }
            if hand >= entries.count { hand = 0 }
            // What takes the place of one that is removed is the newest, which is seldom idle.
            removeIfIdle(hand, now)
            hand += 1
        }
    }

    private mutating func removeIfIdle(_ place: Int, _ now: UInt64) {
        guard entries[place].isIdle(now) else { return }
        places[entries[place].block] = nil
        let last = entries.removeLast()
        if place < entries.count {
            entries[place] = last
            places[last.block] = place
        }
        // After a flood of addresses their memory goes back.
        if entries.isEmpty { (entries, places) = ([], [:]) }
    }
}
