internal import CLinux
internal import Telemetry

/// One thread, one epoll set, its connections, timers and turn arena. Everything but `handle` is for the loop's own thread.
///
/// A turn: wait → clock → accepts, reads, writes → posted jobs → input left over → ended streams → `handler.turn()` → timers →
/// `handler.tick()` → flush → closes → sleep?
/// Level-triggered, one `recv` per readable socket and turn, one `send` per connection and turn.
///
/// Large, because a turn's stages are its methods, a file for each; they share the table, the outbox and the handler's turn. What has rules of
/// its own is a value (`Acceptor`, `Handshakes`, `Epoll`, `TimerWheel`, `DueCalls`, `FlushProgress`, `BarrenTurns`).
public final class EventLoop {
    /// The door for other threads.
    public let handle: LoopHandle
    /// Where the handler puts what it has to say.
    public let outbox = Outbox()
    /// The monotonic clock, read once per turn.
    public internal(set) var now: MonotonicTime
    /// How it spends its time.
    public internal(set) var timings = LoopTimings()

    var table: ConnectionTable
    /// Every connection's bytes are received into it.
    let receiveBuffer: UnsafeMutablePointer<UInt8>
    let epoll: Epoll
    var acceptor = Acceptor()
    var handshakes = Handshakes()
    var told = ToldPeers()
    var watchers: [Watcher] = []
    var wheel: TimerWheel
    var due = DueCalls()
    var barren = BarrenTurns()
    /// Taken from the kernel and not served yet: the next turn begins with them.
    private var batch = 0..<0
    var isStopping = false

    /// Test seam: the time every turn takes instead of the clock's.
    var manualTime: MonotonicTime?

    /// Makes a loop on the calling thread, which must be the one that runs it.
    public init(_ options: LoopOptions) throws(IOError) {
        handle = try LoopHandle()
        epoll = try Epoll(capacity: options.eventsPerTurn)
        let start = MonotonicTime.now()
        (now, wheel) = (start, TimerWheel(origin: start))
        table = ConnectionTable(options)
        receiveBuffer = .allocate(capacity: options.receiveBufferBytes)
        _ = try IOError.check(epoll.add(handle.eventDescriptor, EPOLLIN.rawValue, .wake), "epoll_ctl")
    }

    deinit {
        for slot in 0..<table.used where table.states[slot].descriptor >= 0 {
            clinux_close(table.states[slot].descriptor)
        }
        table.free()
        for one in due.dealt { clinux_close(one.descriptor) }
        acceptor.close()
        wheel.free()
        receiveBuffer.deallocate()
    }

    /// Open connections.
    public var connectionCount: Int { table.statistics.connections }

    /// Slots 0..<slotCount are in use or have been since the slab last shrank; what the handler keeps for a later one it may forget.
    public var slotCount: Int { table.used }

    /// A copy of the counters.
    public var statistics: LoopStatistics {
        var copy = table.statistics
        copy.frames = outbox.framesTotal
        copy.backlogMemoryBytes = table.backlogs.usedBytes
        return copy
    }

    /// The longest turn since the last call, in nanoseconds: so long may a peer have waited for the loop to look at it.
    public func takeLongestTurn() -> UInt64 { timings.takeLongestTurn() }

    /// A message was queued that has been under way since the moment of a `LoopTimings.stamp`: it is measured when the last of this turn's
    /// messages are with the kernel, or in backlogs.
    public func noteQueued(since stamp: UInt32) { timings.noteQueued(stamp) }

    /// Whether the connection's bytes pass a layer.
    public func isSecured(_ slot: UInt32) -> Bool { table[slot].flags.contains(.secured) }

    /// The same, or its preamble says that they passed one before they came here.
    public func cameSecured(_ slot: UInt32) -> Bool { !table[slot].flags.isDisjoint(with: [.secured, .vouched]) }

    /// Unsent bytes of one connection (its backlog, without this turn's frames).
    public func backlogBytes(_ slot: UInt32) -> Int { table[slot].backlogCount }

    /// Who is at the other end of a Unix socket, by the kernel's word; nil: of other sockets it does not say. (SO_PEERCRED)
    public func peerProcess(_ slot: UInt32) -> (user: UInt32, process: Int32)? {
        var (user, process): (uid_t, pid_t) = (.max, 0)
        guard clinux_peer_credentials(table[slot].descriptor, &user, &process) == 0, user != .max else { return nil }
        return (user, process)
    }

    /// Serves until `stop` (or `LoopHandle.stop`); blocks the thread. Once: whoever posts a job afterwards is told that it does not run.
    /// Connections still open stay open until the loop is released.
    public func run(_ handler: any LoopHandler) {
        var mayWait = false
        while !isStopping && !handle.isStopRequested {
            mayWait = runTurn(handler, mayWait: mayWait)
        }
        for job in handle.end() { job(self) }
        if outbox.frameCount > 0 { flushOutbox(handler, sends: .max) }
    }

    /// Lets `run` return after this turn. From another thread: `handle.stop()`.
    public func stop() { isStopping = true }

    /// One turn.
    /// - Returns: whether the next turn may sleep.
    func runTurn(_ handler: any LoopHandler, mayWait: Bool) -> Bool {
        if batch.isEmpty { batch = 0..<wait(handler, mayWait: mayWait) }
        now = manualTime ?? MonotonicTime.now()
        timings.endTurn(at: now, isFlushed: !outbox.isFlushing)
        timings.beginTurn(at: now)
        table.statistics.turns &+= 1
        if !due.adopted.isEmpty { announceAdopted(handler) }
        if !due.rereads.isEmpty { rereadSecured(handler) }
        let count = batch.isEmpty || isFull ? 0 : serve(handler)
        if handle.hasJobs { for job in handle.takeJobs() { job(self) } }
        if !due.dealt.isEmpty { beginDealt(handler) }
        if !table.caughtUp.isEmpty { deliverCaughtUp(handler) }
        if !due.replays.isEmpty { replayInput(handler) }
        if !due.ended.isEmpty { deliverEnds(handler) }
        let hasMore = handler.turn()
        let isTick = fireTimers(handler)
        if isTick {
            table.tick = wheel.tick
            rearmListeners()
            if acceptor.isFinishing { finishListening(handler) }
            table.statistics.noteShortages(clinux_shortages())
            handler.tick()
        }
        if handshakes.areWaiting { renewPlaces(handler, isTick: isTick) }
        // Whoever is served between two slices costs about as much as four sends: a fan-out gets half of the time at least.
        if mustFlush {
            flushOutbox(handler, sends: table.options.sendsPerTurn + min(4 * count, table.options.sendsPerTurn))
        }
        // The dirty list is empty then, so a number retired in an earlier turn can no longer get somebody else's frames.
        if outbox.entryCount == 0 { table.endRest() }
        if !due.closing.isEmpty { deliverCloses(handler) }
        if isTick { releaseUnusedSlots() }
        // Handlers may have spoken or closed while they heard of overflows and closes: that belongs to a turn of its own, at once.
        let isOwing = outbox.entryCount > 0 || !table.overflowing.isEmpty || !table.caughtUp.isEmpty
        return !(hasMore || isOwing || due.areWaiting || wheel.hasDue || isStopping || !batch.isEmpty)
    }

    /// Decides about sleep and asks the kernel.
    private func wait(_ handler: any LoopHandler, mayWait: Bool) -> Int {
        var milliseconds: CInt = 0
        if mayWait {
            handle.fallAsleep()
            if !handler.hasWork() && !handle.isAsked { milliseconds = millisecondsToNextTick() }
        }
        let count = epoll.wait(milliseconds: milliseconds)
        if mayWait {
            handle.wakeUp()
            if count != 0, barren.add(table.statistics.progress) { rest() }
        }
        return count ?? 0
    }

    /// Events come and come, and nothing can be done about them.
    @inline(never)
    private func rest() {
        table.statistics.rests &+= 1
        Log.logOncePer(
            seconds: 10, .warning, "a loop gets nowhere",
            ("reason", "the kernel reports what it then does not let us do; the loop rests a millisecond each time"))
        clinux_rest(1_000)
    }

    private func millisecondsToNextTick() -> CInt {
        let time = manualTime ?? MonotonicTime.now()
        timings.endTurn(at: time, isFlushed: !outbox.isFlushing)
        guard manualTime == nil else { return 0 }
        var left = wheel.nextTickTime.nanosecondsSince(time)
        if handshakes.areWaiting { left = min(left, handshakes.untilInvitation(now: time) ?? .max) }
        return CInt(min(100, (left + 999_999) / 1_000_000))
    }

    /// Serves the batch, or the beginning of it that is work enough for a turn. What is left is stale at worst: a connection that has closed is
    /// told by its generation, one that has been read meanwhile by EAGAIN.
    /// - Returns: how many events were served.
    private func serve(_ handler: any LoopHandler) -> Int {
        let (first, end, framesMax) = (
            batch.lowerBound, batch.upperBound, outbox.frameCount + table.options.answersPerTurn
        )
        let goneMax = due.ended.count + table.options.closesPerTurn
        var index = first
        var (look, bytesLook) = nextLook(after: index)
        repeat {
            let (token, mask) = epoll.event(index)
            index += 1
            if token.slot < EventToken.firstWatcher {
                serveConnection(token, mask, handler)
            } else {
                serveOther(token, handler)
            }
            if index >= look || movedBytes >= bytesLook {
                if isServedEnough { break }
                (look, bytesLook) = nextLook(after: index)
            }
            if outbox.bytesThisTurn > table.options.arenaBytesSoftMax {
                if isFull { break }
                flushOutbox(handler, sends: .max)
            }
        } while index < end && outbox.frameCount < framesMax && due.closing.count + due.ended.count < goneMax
        batch = index..<end
        return index - first
    }

    /// Answers have filled the arena while deliveries wait for their slices. To send all of these at once would take as long as they are many
    /// (6,000 members of a room: 100 ms), so nobody is served before the last slice: some turns.
    private var isFull: Bool { outbox.isFlushing && outbox.bytesThisTurn > table.options.arenaBytesSoftMax }

    @inline(__always)
    private func nextLook(after index: Int) -> (index: Int, bytes: UInt64) {
        (index + table.options.eventsPerLook, movedBytes &+ table.options.bytesPerLook)
    }

    /// Read and written so far.
    private var movedBytes: UInt64 { table.statistics.bytesIn &+ table.statistics.bytesOut }

    /// Whether this turn has served its peers long enough. Looks at the clock.
    var isServedEnough: Bool {
        @inline(never) get {
            manualTime == nil && MonotonicTime.now().nanosecondsSince(now) >= serveNanoseconds
        }
    }

    /// Whether it has sent for long enough besides.
    var isLong: Bool {
        @inline(never) get {
            let long = serveNanoseconds + table.options.serveNanoseconds
            return manualTime == nil && MonotonicTime.now().nanosecondsSince(now) >= long
        }
    }

    /// How long this turn may serve. Where many hear of everything, what is served together is sent together: a turn may last as long as
    /// the sends of the last one did, about, so that publishers who come all at once cost few sends more than one of them.
    var serveNanoseconds: UInt64 {
        let least = table.options.serveNanoseconds
        return max(least, min(4 * least, UInt64(outbox.lastEntryCount) * Self.nanosecondsPerSend))
    }

    private static let nanosecondsPerSend: UInt64 = 4_000

    @inline(__always)
    private func serveConnection(_ token: EventToken, _ mask: UInt32, _ handler: any LoopHandler) {
        // The kernel may report a socket that an earlier event of this batch made us close, and whose number another may have now.
        guard isLive(token) else {
            table.statistics.staleEvents &+= 1
            return
        }
        if mask & EPOLLOUT.rawValue != 0 {
            writable(token.slot, handler)
            guard isLive(token) else { return }
        }
        if mask & (EPOLLIN.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
            readable(token.slot, mask, handler)
        }
    }

    /// What is no connection.
    @inline(never)
    private func serveOther(_ token: EventToken, _ handler: any LoopHandler) {
        switch token.slot {
        case EventToken.wake.slot:
            handle.drainEvent()
            table.statistics.wakeups &+= 1
        case EventToken.firstListener...: accept(Int(token.slot - EventToken.firstListener), handler)
        default: notifyWatcher(Int(token.slot - EventToken.firstWatcher))
        }
    }

    func token(_ slot: UInt32) -> EventToken { EventToken(slot: slot, generation: table[slot].generation) }

    /// Whether a token still means an open connection; its slot may have been given to another.
    func isLive(_ token: EventToken) -> Bool {
        token.slot < table.used && table[token.slot].generation == token.generation && table[token.slot].isOpen()
    }
}

@available(*, unavailable) extension EventLoop: Sendable {}

/// A foreign descriptor somebody wants to hear about.
struct Watcher {
    let descriptor: CInt
    let onReadable: () -> Void
}
