internal import BrokerCore
internal import Reactor
internal import Telemetry

/// Carries out what the owner asks, on the disk as far as the disk can. On one thread; takes time as argument.
///
///     orders ─▶ ledger, unwritten ─▶ one write of many records ─▶ unsynced ─▶ fdatasync ─▶ on the disk
///                    ▲                                             │ it failed: the segment is given up
///                    └─────────── what still lives ◀───────────────┘
///
/// While the disk takes nothing all goes on in memory, and each second it is tried again with what still lives then.
///
/// Large, because it is all that stands between a disk and the events: what is to be written, what was, and what is known of the files.
final class SpoolWriter {
    /// Something that is to be written, named so that what has ended meanwhile is not.
    enum Item {
        case event(SpoolLedger.Ticket)
        case letter(SpoolLetterKey)
        case forgotten(SpoolLetterKey)
        case finished(WebhookEndpointID)
    }

    /// The segment that is written to.
    struct Current {
        var file: CInt
        var number: UInt64
    }

    /// One write has so much, or a single record.
    static let batchBytes = 262_144

    let disk: any SpoolDisk
    let options: SpoolOptions
    var ledger: SpoolLedger
    /// Oldest first, the one that is written to among them.
    var segments: [SpoolSegment]
    var nextSegment: UInt64
    var current: Current?
    var unwritten = SpoolQueue<Item>()
    var unsynced: [Item] = []
    /// Endpoints whose cursor is among `unwritten`.
    var cursorsToWrite: Set<WebhookEndpointID> = []
    /// When what was written must be on the disk; nil: it is.
    var syncDue: UInt64?
    /// While the disk takes nothing: when it is tried again.
    var retryDue: UInt64?
    /// The oldest segment whose living parts are among `unwritten`, so that it may go.
    var rewriting: UInt64 = 0
    /// Some of what is unwritten was written before, perhaps into a newer segment than its own: until it is written again no segment goes.
    var hasRequeued = false
    /// So many segments may yet be written again in this step, so that it ends whatever the files look like.
    var rewritesLeft = 0
    /// There are more segments than when it was last looked whether some should go.
    var mayBeTooMany = true
    var facts = SpoolFacts()
    private var buffer: [UInt8] = []

    init(
        _ disk: any SpoolDisk, _ options: SpoolOptions, ledger: SpoolLedger, segments: [SpoolSegment],
        nextSegment: UInt64
    ) {
        (self.disk, self.options, self.ledger) = (disk, options, ledger)
        (self.segments, self.nextSegment) = (segments, nextSegment)
    }

    /// When it wants a step though nothing came.
    var nextDue: UInt64? { retryDue ?? syncDue }

    /// Carries out all; when it returns, what was given may be sent.
    func step(_ orders: SpoolOrders, now: UInt64) {
        note(orders)
        rewritesLeft = segments.count + 1
        guard retryDue ?? 0 <= now else { return tellFacts() }
        attempt(now, isLast: orders.isLast)
        tellFacts()
    }

    /// The last attempt, and the end.
    func close(now: UInt64) {
        attempt(now, isLast: true)
        if let current { disk.close(current.file) }
        current = nil
        tellFacts()
    }

    // MARK: Orders

    private func note(_ orders: SpoolOrders) {
        facts.eventsDropped += UInt64(orders.eventsRefused)
        facts.lettersDropped += UInt64(orders.lettersRefused)
        for operation in orders.operations {
            switch operation {
            case .append(let entry): append(entry)
            case .bury(let letter): bury(letter)
            case .forget(let key): forgotten(key, wasWritten: ledger.forget(key))
            }
        }
        for (endpoint, number) in orders.cursors where ledger.finish(endpoint, through: number) {
            writeCursor(of: endpoint)
        }
        purge()
    }

    private func append(_ entry: SpoolEntry) {
        guard ledger.keptBytes + entry.event.keptBytes <= options.memoryBytesMax,
            let ticket = ledger.append(entry)
        else {
            facts.eventsDropped += 1
            return
        }
        unwritten.append(.event(ticket))
    }

    private func bury(_ letter: DeadLetter) {
        let (key, isFurther) = ledger.bury(letter)
        unwritten.append(.letter(key))
        // Or a letter that is forgotten before it was written would leave its event waiting on the disk.
        if isFurther { writeCursor(of: letter.endpoint) }
        boundLetters()
    }

    /// The oldest letters go while they are too many.
    func boundLetters() {
        while ledger.letters.count > SpoolOptions.lettersMax || ledger.letters.keptBytes > options.letterBytesMax {
            guard let (key, wasWritten) = ledger.forgetOldestLetter() else { break }
            facts.lettersDropped += 1
            forgotten(key, wasWritten: wasWritten)
        }
    }

    private func forgotten(_ key: SpoolLetterKey, wasWritten: Bool) {
        if wasWritten { unwritten.append(.forgotten(key)) }
    }

    private func writeCursor(of endpoint: WebhookEndpointID) {
        if cursorsToWrite.insert(endpoint).inserted { unwritten.append(.finished(endpoint)) }
    }

    /// While the disk takes nothing, what has ended does not wait for it.
    private func purge() {
        guard unwritten.count > 4_096 + 2 * (ledger.count + ledger.letters.count + cursorsToWrite.count) else { return }
        let (ledger, letters) = (ledger, ledger.letters)
        var known: Set<SpoolLetterKey> = []
        unwritten.keep { item in
            switch item {
            case .event(let ticket): ledger.isLiving(ticket)
            case .letter(let key): letters[key] != nil && known.insert(key).inserted
            case .forgotten(let key): letters[key] == nil
            case .finished: true
            }
        }
    }

    // MARK: Writing

    private func attempt(_ now: UInt64, isLast: Bool) {
        for _ in 0..<2 {  // a disk that lost something gets a new segment at once
            do throws(SpoolFault) {
                repeat {
                    try writeAll(now)
                    if options.sync == .each || isLast || retryDue != nil || syncDue ?? .max <= now { try sync() }
                    try clean()
                } while !unwritten.isEmpty
                return recovered()
            } catch {
                guard fail(error, now) else { return }
            }
        }
    }

    /// Writes what waits, a batch with each call.
    func writeAll(_ now: UInt64) throws(SpoolFault) {
        if current == nil { try begin() }
        while !unwritten.isEmpty {
            let batch = encode()
            if !buffer.isEmpty { try writeBuffer() }
            settle(batch, now)
            guard let last = segments.last, last.bytes >= UInt64(options.segmentBytes) else { continue }
            try sync()
            close()
            mayBeTooMany = true
            try clean()
            if current == nil { try begin() }
        }
    }

    /// Fills the buffer from what waits.
    ///
    /// - Returns: what is in it, with the bytes of each; 0: it has ended, or cannot be written.
    private func encode() -> [(item: Item, bytes: Int)] {
        buffer.removeAll(keepingCapacity: buffer.capacity <= 4 * Self.batchBytes)
        guard let current, let last = segments.last else { return [] }
        var batch: [(item: Item, bytes: Int)] = []
        for item in unwritten.waiting {
            let hasRoom = buffer.count < Self.batchBytes && last.bytes + UInt64(buffer.count) < options.segmentBytes
            // One always goes, or a segment whose cursors fill it would be followed by others like it for ever.
            guard hasRoom || batch.isEmpty else { break }
            let before = buffer.count
            if let record = record(for: item), !record.append(to: &buffer, segment: current.number) { refuse(item) }
            batch.append((item, buffer.count - before))
        }
        return batch
    }

    /// What is to be written for it; nil: nothing any more.
    private func record(for item: Item) -> SpoolRecord? {
        switch item {
        case .event(let ticket): return ledger.entry(ticket).map { .event($0) }
        case .letter(let key):
            guard ledger.letters.place(of: key)?.segment != current?.number else { return nil }
            return ledger.letters[key].map { .buried($0) }
        case .forgotten(let key): return ledger.letters[key] == nil ? .forgotten(key) : nil
        case .finished(let endpoint):
            return ledger.cursors[endpoint].map { .finished(SpoolCursor(endpoint: endpoint, through: $0)) }
        }
    }

    /// It is larger than a record can be.
    private func refuse(_ item: Item) {
        if case .event = item { facts.eventsDropped += 1 } else { facts.lettersDropped += 1 }
    }

    private func writeBuffer() throws(SpoolFault) {
        guard let current, let start = segments.last?.bytes else { return }
        var done = 0
        while done < buffer.count {
            do throws(IOError) {
                let answer = buffer.withUnsafeBytes { bytes in
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                    return Result { () throws(IOError) in try disk.write(current.file, rest, at: start + UInt64(done)) }
                }
                let count = try answer.get()
                guard count > 0 else { throw IOError(call: "write", code: SpoolFault.noSpace) }
                done += count
            } catch {
                disk.truncate(current.file, to: start)
                throw SpoolFault(.write, error)
            }
        }
        segments[segments.count - 1].bytes += UInt64(buffer.count)
    }

    /// The batch stands in the segment.
    private func settle(_ batch: [(item: Item, bytes: Int)], _ now: UInt64) {
        unwritten.drop(batch.count)
        for (item, bytes) in batch {
            if case .finished(let endpoint) = item { cursorsToWrite.remove(endpoint) }
            guard bytes > 0, let current else { continue }
            let place = SpoolPlace(segment: current.number, bytes: bytes)
            switch item {
            case .event(let ticket):
                ledger.place(ticket, place)
                segments[segments.count - 1].noteEvent(ticket.id.number)
                facts.eventsWritten += 1
            case .letter(let key): ledger.place(key, place)
            case .forgotten, .finished: break
            }
            unsynced.append(item)
        }
        if !unsynced.isEmpty, syncDue == nil { syncDue = now + SpoolOptions.syncNanoseconds }
    }

    /// What was written and is not known to be on the disk is to be written again, as far as it still lives.
    func requeueUnsynced() {
        var again: [Item] = []
        for item in unsynced {
            switch item {
            case .event(let ticket): ledger.place(ticket, .nowhere)
            case .letter(let key): ledger.place(key, .nowhere)
            case .forgotten: break
            case .finished(let endpoint): guard cursorsToWrite.insert(endpoint).inserted else { continue }
            }
            again.append(item)
        }
        (unsynced, syncDue, hasRequeued) = ([], nil, true)
        unwritten.putBack(again)
    }
}
