internal import Crypto
internal import PusherProtocol

/// Which keyed publishes there were lately, and what they were answered. Time is an argument; one owner.
///
///     claim ──▶ claimed ──settle(answer)──▶ answered ──120 s, or too many──▶ forgotten
///                  └─────abandon (the publish was refused)─────▶ forgotten
///
/// The lists are by age, so the oldest is found at once: of an app, and of all.
struct IdempotencyTable {
    struct Limits {
        /// How long a key is remembered, from its claim.
        var lifetimeMilliseconds: UInt64 = 120_000
        var keysPerAppMax = 10_000
        /// Keys and answers of one app, and of all together.
        var appBytesMax = 8 << 20, bytesMax = 32 << 20
    }

    struct Entry {
        let app: Int
        let key: IdempotencyKey
        let fingerprint: SHA256Digest
        let expiresMilliseconds: UInt64
        /// Nil while the publish is under way.
        var answer: [UInt8]?
        let ticket: UInt64
        var ofAll = AgeLinks()
        var ofApp = AgeLinks()

        /// An estimate: the entry, its place in the dictionary, two heads of arrays.
        var bytes: Int { 320 + key.bytes.count + (answer?.count ?? 0) }
    }

    private struct Name: Hashable {
        let app: Int
        let key: IdempotencyKey
    }

    let limits: Limits
    private var places: [Name: Int] = [:]
    private var entries: [Entry?] = []
    private var freePlaces: [Int] = []
    private var all = AgeList()
    private var ofApps: [Int: AgeList] = [:]
    private var lastTicket: UInt64 = 0
    private(set) var statistics = IdempotencyStatistics()

    init(limits: Limits = Limits()) { self.limits = limits }

    var count: Int { all.count }
    var bytes: Int { all.bytes }
    func count(ofApp app: Int) -> Int { ofApps[app]?.count ?? 0 }

    /// Claims keys that differ for a publish, all or none, so that two publishes with keys in common never wait for each other.
    mutating func claim(_ claims: [IdempotencyClaim], app: Int, milliseconds: UInt64) -> IdempotencyOutcome {
        expire(milliseconds: milliseconds, limit: 64)
        for (index, claim) in claims.enumerated() {
            guard let entry = entry(app, claim.key, milliseconds) else { continue }
            guard entry.fingerprint == claim.fingerprint else {
                statistics.conflicts += 1
                return .conflict(index: index)
            }
            if entry.answer == nil { return .underWay }
        }
        return .claimed(
            claims.map { claim in
                if let answer = entry(app, claim.key, milliseconds)?.answer {
                    statistics.replays += 1
                    return .answered(answer)
                }
                return .new(insert(claim, app, milliseconds))
            })
    }

    /// Keeps the answer of a publish that has been made.
    mutating func settle(_ ticket: IdempotencyTicket, answer: [UInt8]) {
        guard let place = place(of: ticket), let entry = entries[place] else { return }
        entries[place]?.answer = answer
        all.bytes += answer.count
        ofApps[entry.app]?.bytes += answer.count
        makeRoom(app: entry.app)
    }

    /// Forgets a claim whose publish was refused: the key is not used up.
    mutating func abandon(_ ticket: IdempotencyTicket) {
        if let place = place(of: ticket) { forget(place) }
    }

    /// Forgets the oldest whose time is over, at most `limit` of them.
    mutating func expire(milliseconds: UInt64, limit: Int) {
        for _ in 0..<limit {
            guard let oldest = all.oldest, let entry = entries[oldest], entry.expiresMilliseconds <= milliseconds else {
                break
            }
            forget(oldest)
        }
        // What a burst has left behind goes when the last of it does.
        if all.count == 0, !entries.isEmpty { (places, entries, freePlaces, ofApps) = ([:], [], [], [:]) }
    }

    // MARK: Entries

    private func entry(_ app: Int, _ key: IdempotencyKey, _ milliseconds: UInt64) -> Entry? {
        guard let place = places[Name(app: app, key: key)], let entry = entries[place] else { return nil }
        return entry.expiresMilliseconds > milliseconds ? entry : nil
    }

    private func place(of ticket: IdempotencyTicket) -> Int? {
        guard ticket.place < entries.count, entries[ticket.place]?.ticket == ticket.number else { return nil }
        return ticket.place
    }

    private mutating func insert(_ claim: IdempotencyClaim, _ app: Int, _ milliseconds: UInt64) -> IdempotencyTicket {
        let name = Name(app: app, key: claim.key)
        if let stale = places[name] { forget(stale) }
        lastTicket += 1
        let entry = Entry(
            app: app, key: claim.key, fingerprint: claim.fingerprint,
            expiresMilliseconds: milliseconds + limits.lifetimeMilliseconds, ticket: lastTicket)
        let place = freePlaces.popLast() ?? entries.count
        if place == entries.count { entries.append(entry) } else { entries[place] = entry }
        places[name] = place
        link(place)
        return IdempotencyTicket(place: place, number: lastTicket)
    }

    /// Over a limit the oldest are forgotten: the app's own first, so that nobody fills the table for everybody. Claims do not count: there
    /// are no more of them than loops and events of a batch, and one that is abandoned has pushed out nobody.
    private mutating func makeRoom(app: Int) {
        while let list = ofApps[app], let oldest = list.oldest,
            list.count > limits.keysPerAppMax || list.bytes > limits.appBytesMax
        {
            statistics.forgotten += 1
            forget(oldest)
        }
        while all.bytes > limits.bytesMax, let oldest = all.oldest {
            statistics.forgotten += 1
            forget(oldest)
        }
    }

    private mutating func forget(_ place: Int) {
        guard let entry = entries[place] else { return }
        unlink(place)
        places[Name(app: entry.app, key: entry.key)] = nil
        entries[place] = nil
        freePlaces.append(place)
    }

    private mutating func link(_ place: Int) {
        guard let entry = entries[place] else { return }
        all.append(place, bytes: entry.bytes, \.ofAll, in: &entries)
        ofApps[entry.app, default: AgeList()].append(place, bytes: entry.bytes, \.ofApp, in: &entries)
    }

    private mutating func unlink(_ place: Int) {
        guard let entry = entries[place] else { return }
        all.remove(place, bytes: entry.bytes, \.ofAll, in: &entries)
        ofApps[entry.app]?.remove(place, bytes: entry.bytes, \.ofApp, in: &entries)
        if ofApps[entry.app]?.count == 0 { ofApps[entry.app] = nil }
    }
}

/// An entry's neighbours in one list.
struct AgeLinks {
    var older: Int?
    var newer: Int?
}

/// Entries from the oldest to the newest.
private struct AgeList {
    private(set) var oldest: Int?
    private(set) var newest: Int?
    private(set) var count = 0
    var bytes = 0

    typealias Links = WritableKeyPath<IdempotencyTable.Entry, AgeLinks>

    mutating func append(_ place: Int, bytes: Int, _ links: Links, in entries: inout [IdempotencyTable.Entry?]) {
        entries[place]?[keyPath: links] = AgeLinks(older: newest, newer: nil)
        if let newest { entries[newest]?[keyPath: links].newer = place } else { oldest = place }
        newest = place
        count += 1
        self.bytes += bytes
    }

    mutating func remove(_ place: Int, bytes: Int, _ links: Links, in entries: inout [IdempotencyTable.Entry?]) {
        guard let own = entries[place]?[keyPath: links] else { return }
        if let older = own.older { entries[older]?[keyPath: links].newer = own.newer } else { oldest = own.newer }
        if let newer = own.newer { entries[newer]?[keyPath: links].older = own.older } else { newest = own.older }
        count -= 1
        self.bytes -= bytes
    }
}
