internal import Glibc

/// The slab of connection states, and what happens to bytes the kernel did not take. No system calls but through a `ByteSink`, so
/// that tests replace the socket. Loop thread only.
///
/// Slots are raw memory addressed by number: they are touched once per event or flush, in any order, and an array of structs with
/// uniqueness and bounds checks doubled the cost of a flush without adding a proof (epoll's slot numbers are ours).
///
/// Large, because flush, backlog, overflow, offenders and transport are a file each, and all of them move one connection's state.
struct ConnectionTable: ~Copyable {
    private(set) var states: UnsafeMutablePointer<ConnectionState>
    private(set) var capacity = 0
    private(set) var used = 0
    private var numbers = SlotNumbers()
    /// Gathers several runs into one send; 64 KiB. Copying small frames together costs less than a vector of them does in writev.
    let cork: UnsafeMutableRawPointer
    static let corkBytes = 64 * 1_024
    /// The slab never gets smaller than this.
    static let slotsKept = 256

    let options: LoopOptions
    var statistics = LoopStatistics()
    var backlogs: BacklogShare
    /// The loop's part of `LoopOptions.inputBudget`.
    private(set) var inputShare: BudgetShare
    /// Whose handler has not yet been told that they overflowed.
    var overflowing = SlicedQueue<OverflowNotice>()
    /// Whose last answer the kernel has taken since their handler was last told.
    var caughtUp: [UInt32] = []
    /// The time in ticks of 100 ms, told by the loop; it orders what backlogs have done.
    var tick: UInt32 = 0

    /// Which numbers may be given out.
    private struct SlotNumbers {
        var free: [UInt32] = []
        /// Closed ones whose number may still stand in this turn's dirty list.
        var resting: [UInt32] = []
        /// The generation of a slot that is made anew: higher than any that a released slot of the same number has had.
        var firstGeneration: UInt32 = 0
        /// The last slot in use when `releaseUnused` looked for it. While it is, and lies late, the slab stays.
        var last = 0
    }

    init(_ options: LoopOptions) {
        self.options = options
        backlogs = BacklogShare(of: options.backlogs)
        inputShare = BudgetShare(of: options.inputBudget)
        states = .allocate(capacity: 1)
        cork = .allocate(byteCount: Self.corkBytes, alignment: 64)
    }

    /// A connection's state, in place.
    subscript(slot: UInt32) -> ConnectionState {
        unsafeAddress {
            assert(slot < used, "a slot the loop never made")
            return UnsafePointer(states + Int(slot))
        }
        nonmutating unsafeMutableAddress {
            assert(slot < used, "a slot the loop never made")
            return states + Int(slot)
        }
    }

    mutating func free() {
        for slot in 0..<used {
            releaseTransport(UInt32(slot))
            Glibc.free(states[slot].input)
            BacklogMemory.free(states[slot].backlog, capacity: Int(states[slot].backlogCapacity))
        }
        states.deallocate()
        cork.deallocate()
    }

    /// Takes a slot for a descriptor; its frames are accepted from now on.
    mutating func open(_ descriptor: CInt, _ outbox: Outbox) -> UInt32 {
        let slot = numbers.free.popLast() ?? newSlot(outbox)
        let (generation, filedTick) = (self[slot].generation, self[slot].filedTick)
        self[slot] = ConnectionState()
        (self[slot].generation, self[slot].filedTick) = (generation, filedTick)
        self[slot].descriptor = descriptor
        self[slot].inputBytesMax = UInt32(clamping: options.inputBytesMax)
        self[slot].flags = .open
        outbox.mark(slot, Outbox.clean)
        statistics.connections += 1
        return slot
    }

    private mutating func newSlot(_ outbox: Outbox) -> UInt32 {
        if used == capacity {
            let grownCapacity = max(Self.slotsKept, capacity * 2)
            let grown = UnsafeMutablePointer<ConnectionState>.allocate(capacity: grownCapacity)
            grown.moveInitialize(from: states, count: used)
            (grown + used).initialize(repeating: ConnectionState(), count: grownCapacity - used)
            states.deallocate()
            (states, capacity) = (grown, grownCapacity)
            outbox.growSlots(to: capacity)
        }
        states[used].generation = numbers.firstGeneration
        used += 1
        return UInt32(truncatingIfNeeded: used - 1)
    }

    /// Marks a connection dead: no event, frame or timer reaches it. Its input stays until `retire`, because the handler may be
    /// reading from it. The descriptor is the caller's to close.
    mutating func kill(_ slot: UInt32, _ outbox: Outbox) {
        freeBacklog(slot)
        if self[slot].flags.isSuperset(of: [.secured, .announced]) { statistics.secured -= 1 }
        releaseTransport(slot)
        self[slot].flags.remove([.open, .sealed])
        self[slot].generation &+= 1
        self[slot].descriptor = -1
        self[slot].deadlineTick = 0
        outbox.mark(slot, Outbox.refusing)
        statistics.connections -= 1
        statistics.closed += 1
    }

    /// Frees the memory of a killed connection after `closed` was delivered. The number rests until the next flush is over.
    mutating func retire(_ slot: UInt32) {
        freeInput(slot)
        numbers.resting.append(slot)
    }

    /// Called when the dirty list is empty: numbers that rested may stand for new connections now.
    mutating func endRest() {
        guard !numbers.resting.isEmpty else { return }
        numbers.free.append(contentsOf: numbers.resting)
        numbers.resting.removeAll(keepingCapacity: numbers.resting.count < 4_096)
    }

    /// Gives back the end of the slab when at most a quarter of it is needed. Costs one load while a late slot stays in use, and
    /// the copy is paid for by the closes that emptied the slots.
    ///
    /// Only between two turns: nothing is queued, and every killed slot has been retired.
    mutating func releaseUnused(_ outbox: Outbox) {
        guard capacity > Self.slotsKept, statistics.connections * 4 <= capacity, numbers.resting.isEmpty else { return }
        if numbers.last < used, states[numbers.last].descriptor >= 0, (numbers.last + 1) * 4 > capacity { return }
        var needed = used
        while needed > 0, states[needed - 1].descriptor < 0 { needed -= 1 }
        numbers.last = max(0, needed - 1)
        guard max(needed, Self.slotsKept) * 4 <= capacity else { return }
        for slot in needed..<used { numbers.firstGeneration = max(numbers.firstGeneration, states[slot].generation) }
        let kept = max(needed * 2, Self.slotsKept)
        let smaller = UnsafeMutablePointer<ConnectionState>.allocate(capacity: kept)
        smaller.moveInitialize(from: states, count: needed)
        (smaller + needed).initialize(repeating: ConnectionState(), count: kept - needed)
        states.deallocate()
        (states, capacity, used) = (smaller, kept, needed)
        numbers.free = numbers.free.filter { $0 < needed }
        outbox.shrinkSlots(to: kept)
    }

    // MARK: Input that was not consumed

    /// What became of a request for room.
    enum Reservation { case made, overBudget, outOfMemory }

    /// Room for at least `more` bytes behind the buffered input.
    mutating func reserveInput(_ slot: UInt32, more: Int) -> Reservation {
        let needed = Int(self[slot].inputCount) + more
        let capacity = Int(self[slot].inputCapacity)
        guard needed > capacity else { return .made }
        // Doubled, but not far beyond what the connection may have.
        let wanted = max(needed, min(capacity * 2, needed + 1_048_576, Int(self[slot].inputBytesMax)))
        guard wanted < UInt32.max else { return .outOfMemory }
        guard inputShare.acquire(wanted - capacity, withinGrace: wanted <= options.inputGraceBytes) else {
            return .overBudget
        }
        guard resizeInput(slot, to: wanted) else {
            inputShare.give(wanted - capacity)
            return .outOfMemory
        }
        return .made
    }

    /// Gives back most of a buffer that has become much larger than what is in it: a peer that dribbles holds what it sent.
    mutating func shrinkInput(_ slot: UInt32) {
        let (count, capacity) = (Int(self[slot].inputCount), Int(self[slot].inputCapacity))
        guard count > 0, capacity > options.inputGraceBytes, count * 4 < capacity, resizeInput(slot, to: count) else {
            return
        }
        inputShare.give(capacity - count)
    }

    private func resizeInput(_ slot: UInt32, to bytes: Int) -> Bool {
        guard let resized = realloc(self[slot].input, bytes) else { return false }
        self[slot].input = resized.assumingMemoryBound(to: UInt8.self)
        self[slot].inputCapacity = UInt32(bytes)
        return true
    }

    mutating func freeInput(_ slot: UInt32) {
        guard let input = self[slot].input else { return }
        statistics.inputBytes -= Int(self[slot].inputCount)
        inputShare.give(Int(self[slot].inputCapacity))
        Glibc.free(input)
        self[slot].input = nil
        self[slot].inputCount = 0
        self[slot].inputCapacity = 0
    }
}
