internal import CLinux
internal import Configuration
internal import Reactor
internal import Telemetry

/// Looks at the memory of the process, and carries out what `MemoryGuard` decides. Main thread only.
struct MemoryWatch {
    private let state: ServerState
    private let backlogs: BacklogLedger
    private var memoryGuard = MemoryGuard()
    private var reader = MemoryReader()
    private var known: MemoryLimit?
    /// Refused by the time of the last line.
    private var told = MemoryPressure.Facts()

    init(_ state: ServerState, _ backlogs: BacklogLedger) { (self.state, self.backlogs) = (state, backlogs) }

    func wait(milliseconds now: UInt64) -> UInt64? { memoryGuard.wait(milliseconds: now) }

    /// Looks, when it is time to or the limit has changed.
    mutating func look(milliseconds now: UInt64) {
        let limit = state.newest.snapshot.settings.memoryLimit
        guard limit != known || wait(milliseconds: now) == 0 else { return }
        known = limit
        guard var reading = read(limit, now) else { return memoryGuard.postpone(milliseconds: now) }
        if memoryGuard.wantsTrim(reading, milliseconds: now) {
            clinux_trim_heap()
            reading = read(limit, now) ?? reading
        }
        let outcome = memoryGuard.look(reading, milliseconds: now)
        backlogs.squeeze(stalled: outcome.stalledBytesMax, all: outcome.backlogBytesMax)
        state.memory.set(outcome.level, reading)
        if let news = outcome.news { tell(news, reading) }
    }

    private mutating func read(_ limit: MemoryLimit, _ now: UInt64) -> MemoryGuard.Reading? {
        reader.read(limit, milliseconds: now, ProcessMemory.file).map {
            MemoryGuard.Reading(usedBytes: $0.used, limitBytes: $0.limit, backlogBytes: backlogs.reservedBytes)
        }
    }

    private mutating func tell(_ news: MemoryGuard.News, _ reading: MemoryGuard.Reading) {
        let facts = state.memory.facts
        var fields: [LogField] = [
            ("used_bytes", reading.usedBytes), ("limit_bytes", reading.limitBytes ?? 0),
            ("backlog_bytes", reading.backlogBytes),
            ("refused_connections", facts.refusedConnections - told.refusedConnections),
            ("refused_calls", facts.refusedCalls - told.refusedCalls),
        ]
        told = facts
        switch news {
        case .short, .stillShort:
            fields.append(("reason", "memory.limit: new clients and calls are refused, the largest backlogs go"))
            Log.write(.warning, "memory is short", fields)
        case .enough(let milliseconds):
            fields.append(("seconds", milliseconds / 1_000))
            Log.write(.info, "memory suffices again", fields)
        }
    }
}

/// Measures what `memory.limit` is about.
struct MemoryReader {
    /// A group is looked for again so often: its limit may be changed, and it may get one.
    private static let groupMilliseconds: UInt64 = 10_000
    private var group: (found: MemoryGroup?, milliseconds: UInt64)?

    /// - Returns: bytes in use, and the most that may be (nil: nobody wants to know); nil when nothing can be read.
    mutating func read(
        _ limit: MemoryLimit, milliseconds now: UInt64, _ files: MemoryGroup.Files
    ) -> (used: Int, limit: Int?)? {
        if limit == .off { return (0, nil) }
        guard let resident = ProcessMemory.residentBytes(files) else { return nil }
        let share: Int
        switch limit {
        case .off: return (0, nil)
        case .bytes(let bytes): return (resident, bytes)
        case .percent(let percent): share = percent
        }
        if group.map({ now >= $0.milliseconds + Self.groupMilliseconds }) ?? true { group = (MemoryGroup(files), now) }
        let machine = ProcessMemory.machineBytes
        guard let group = group?.found, group.limitBytes < machine else { return (resident, machine / 100 * share) }
        var used = resident
        // Where others of the group hold most of it, they are who the kernel will end, and to refuse clients helps nobody.
        if let use = group.use(files), (resident + use.socketBytes) * 2 >= use.bytes { used = max(used, use.bytes) }
        return (used, group.limitBytes / 100 * share)
    }
}
