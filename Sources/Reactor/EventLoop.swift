internal import CLinux

/// One thread, one epoll set, its connections, timers and turn arena. Everything but `handle` is for the loop's own thread.
///
/// A turn: wait → clock → accepts, reads, writes → posted jobs → input left over → ended streams → `handler.turn()` → timers →
/// `handler.tick()` → flush → closes → sleep?
/// Level-triggered, one `recv` per readable socket and turn, one `send` per connection and turn.
public final class EventLoop {
    /// The door for other threads.
    public let handle: LoopHandle
    /// Where the handler puts what it has to say.
    public let outbox = Outbox()
    /// The monotonic clock, read once per turn.
    public internal(set) var now: MonotonicTime

    let options: LoopOptions
    /// Behind a constant pointer, which spares an exclusivity check per access, as `Outbox.state` does.
    let table: UnsafeMutablePointer<ConnectionTable>
    let receiveBuffer: UnsafeMutablePointer<UInt8>
    let events: UnsafeMutablePointer<epoll_event>
    let epoll: Descriptor
    /// Given up to accept and refuse a client when the process is out of descriptors; -1 while it could not be reopened.
    var reserve: CInt = -1
    var listeners: [ListenerState] = []
    var watchers: [Watcher] = []
    var wheel: TimerWheel
    var isStopping = false

    /// Killed in this turn; `closed` comes at its end.
    var closing: [(slot: UInt32, why: TransportClose)] = []
    /// Adopted connections whose `opened` is due.
    var adopted: [(slot: UInt32, generation: UInt32, peer: PeerAddress, listener: Int)] = []
    /// Resumed connections with buffered input.
    var replays: [(slot: UInt32, generation: UInt32)] = []
    /// Connections whose peer will send no more; `endOfStream` is due from `endedDone` on.
    var ended: [(slot: UInt32, generation: UInt32)] = []
    var endedDone = 0
    /// Of `table.overflowing`, those whose handler has been told.
    var overflowsDone = 0

    /// Test seam: the time every turn takes instead of the clock's.
    var manualTime: MonotonicTime?

    /// Makes a loop on the calling thread, which must be the one that runs it.
    public init(_ options: LoopOptions) throws(IOError) {
        self.options = options
        handle = try LoopHandle()
        epoll = Descriptor(owning: try IOError.check(clinux_epoll_create(), "epoll_create1"))
        let start = MonotonicTime.now()
        (now, wheel) = (start, TimerWheel(origin: start))
        table = .allocate(capacity: 1)
        table.initialize(to: ConnectionTable(options))
        receiveBuffer = .allocate(capacity: options.receiveBufferBytes)
        events = .allocate(capacity: options.eventsPerTurn)
        let answer = clinux_epoll_add(epoll.raw, handle.eventDescriptor, EPOLLIN.rawValue, EventToken.wake.packed)
        _ = try IOError.check(answer, "epoll_ctl")
        reserve = clinux_open_null()
    }

    deinit {
        for slot in 0..<table.pointee.used where table.pointee.states[slot].descriptor >= 0 {
            clinux_close(table.pointee.states[slot].descriptor)
        }
        for listener in listeners where listener.descriptor >= 0 { clinux_close(listener.descriptor) }
        if reserve >= 0 { clinux_close(reserve) }
        table.pointee.free()
        table.deinitialize(count: 1)
        table.deallocate()
        receiveBuffer.deallocate()
        events.deallocate()
    }

    /// Open connections.
    public var connectionCount: Int { table.pointee.statistics.connections }

    /// Slots 0..<slotCount are in use or have been since the slab last shrank; what the handler keeps for a later one it may forget.
    public var slotCount: Int { table.pointee.used }

    /// A copy of the counters.
    public var statistics: LoopStatistics {
        var copy = table.pointee.statistics
        copy.frames = outbox.state.pointee.framesTotal
        return copy
    }

    /// Unsent bytes of one connection (its backlog, without this turn's frames).
    public func backlogBytes(_ slot: UInt32) -> Int { state(slot).pointee.backlogCount }

    /// Serves until `stop` (or `LoopHandle.stop`); blocks the thread. Connections still open stay open until the loop is released.
    public func run(_ handler: any LoopHandler) {
        var mayWait = false
        while !isStopping && !handle.isStopRequested {
            mayWait = runTurn(handler, mayWait: mayWait)
        }
    }

    /// Lets `run` return after this turn. From another thread: `handle.stop()`.
    public func stop() { isStopping = true }

    /// One turn.
    /// - Returns: whether the next turn may sleep.
    func runTurn(_ handler: any LoopHandler, mayWait: Bool) -> Bool {
        let count = wait(handler, mayWait: mayWait)
        now = manualTime ?? MonotonicTime.now()
        table.pointee.statistics.turns &+= 1
        announceAdopted(handler)
        serve(count, handler)
        for job in handle.takeJobs() { job(self) }
        deliverCaughtUp(handler)
        replayInput(handler)
        deliverEnds(handler)
        var hasMore = handler.turn()
        let isTick = fireTimers(handler)
        if isTick {
            table.pointee.tick = wheel.tick
            rearmListeners()
            handler.tick()
        }
        flushOutbox(handler)
        deliverCloses(handler)
        if isTick { releaseUnusedSlots() }
        // Handlers may have spoken or closed while they heard of overflows and closes: that belongs to a turn of its own, at once.
        hasMore = hasMore || outbox.state.pointee.entryCount > 0 || !closing.isEmpty
        hasMore = hasMore || !table.pointee.overflowing.isEmpty || !table.pointee.caughtUp.isEmpty
        return !(hasMore || !adopted.isEmpty || !replays.isEmpty || !ended.isEmpty || isStopping)
    }

    /// Decides about sleep and asks the kernel.
    private func wait(_ handler: any LoopHandler, mayWait: Bool) -> Int {
        var milliseconds: CInt = 0
        if mayWait {
            handle.fallAsleep()
            if !handler.hasWork() && !handle.hasJobs() { milliseconds = millisecondsToNextTick() }
        }
        let count = clinux_epoll_wait(epoll.raw, events, CInt(options.eventsPerTurn), milliseconds)
        if mayWait { handle.wakeUp() }
        precondition(count >= 0 || count == -EINTR, "epoll_wait refused our own arguments")
        return Int(max(0, count))
    }

    private func millisecondsToNextTick() -> CInt {
        guard manualTime == nil else { return 0 }
        let left = wheel.nextTickTime.nanosecondsSince(MonotonicTime.now())
        return CInt(min(100, (left + 999_999) / 1_000_000))
    }

    private func serve(_ count: Int, _ handler: any LoopHandler) {
        for index in 0..<count {
            let mask = events[index].events
            let token = EventToken(packed: events[index].data.u64)
            switch token.slot {
            case EventToken.wake.slot:
                handle.drainEvent()
                table.pointee.statistics.wakeups &+= 1
            case EventToken.firstListener...: accept(Int(token.slot - EventToken.firstListener), handler)
            case EventToken.firstWatcher...: notifyWatcher(Int(token.slot - EventToken.firstWatcher))
            default: serveConnection(token, mask, handler)
            }
            if outbox.bytesThisTurn > options.arenaBytesSoftMax { flushOutbox(handler) }
        }
    }

    private func serveConnection(_ token: EventToken, _ mask: UInt32, _ handler: any LoopHandler) {
        // The kernel may report a socket that an earlier event of this batch made us close, and whose number another may have now.
        guard isLive(token.slot, token.generation) else {
            table.pointee.statistics.staleEvents &+= 1
            return
        }
        if mask & EPOLLOUT.rawValue != 0 { writable(token.slot, handler) }
        if mask & (EPOLLIN.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
            guard isLive(token.slot, token.generation) else { return }
            readable(token.slot, mask, handler)
        }
    }

    func state(_ slot: UInt32) -> UnsafeMutablePointer<ConnectionState> {
        assert(slot < table.pointee.used, "a slot the loop never made")
        return table.pointee.states + Int(slot)
    }

    func isLive(_ slot: UInt32, _ generation: UInt32) -> Bool {
        slot < table.pointee.used && state(slot).pointee.generation == generation && state(slot).pointee.isOpen()
    }
}

@available(*, unavailable) extension EventLoop: Sendable {}

/// What epoll hands back: a slot and its generation, never a bare descriptor number, which may already belong to the next client.
struct EventToken {
    var slot: UInt32
    var generation: UInt32

    static let wake = EventToken(slot: .max, generation: 0)
    static let firstListener = UInt32.max - 0x1000
    static let firstWatcher = UInt32.max - 0x2000

    init(slot: UInt32, generation: UInt32) { (self.slot, self.generation) = (slot, generation) }

    init(packed: UInt64) {
        (slot, generation) = (UInt32(truncatingIfNeeded: packed), UInt32(truncatingIfNeeded: packed >> 32))
    }

    var packed: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// A foreign descriptor somebody wants to hear about.
struct Watcher {
    let descriptor: CInt
    let onReadable: () -> Void
}
