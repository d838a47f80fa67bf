/// The turn arena of one loop: every frame of a turn is written once, every connection remembers only which frames it gets.
///
/// ```
/// arena    | frame 0 | frame 1 | frame 2 | frame 3 |            bytes, reset at the end of the turn
/// entry    connection 17: 0..<2, 3..<4                          runs: consecutive frames are one piece of memory
/// flush    send(17, frame 0 and 1) + frame 3 gathered           what the kernel refuses goes to the connection's backlog
/// ```
/// When a turn has touched many connections, it is flushed in slices (`FlushProgress`), and the arena lives until the last of them.
///
/// Loop thread only. A frame's bytes are a whole message (a WebSocket frame with its header, or an HTTP response).
///
/// Raw memory, because this is the profile's hottest place: the fan-out loop must be one load, one compare and one store per subscriber. Every
/// index is made here; debug builds assert the bounds.
public final class Outbox {
    static let none = UInt32.max
    /// `dirtyIndex` of a connection without frames in this turn.
    static let clean = UInt32.max
    /// `dirtyIndex` of a slot that takes no frames: free, closed, finishing or overflowed. Smaller values are indexes of entries.
    static let refusing = UInt32.max - 1
    /// Above this the arena goes back to `arenaStartBytes` when the turn ends.
    static let arenaKeptBytesMax = 8 * 1_024 * 1_024
    static let arenaStartBytes = 256 * 1_024

    private(set) var arena: UnsafeMutableRawPointer
    private(set) var arenaCount = 0
    /// 0 until the first frame: an arena made while memory is being released would hold on to used pages.
    private(set) var arenaCapacity = 0
    /// frameCount + 1 numbers: frame i is arena[offsets[i]..<offsets[i + 1]].
    private(set) var offsets = RawBuffer<Int>(capacity: 1_024)
    /// By slot: its entry of this turn, `clean` or `refusing`.
    private(set) var dirtyIndex = RawBuffer<UInt32>(capacity: 1)
    private(set) var entries = RawBuffer<DirtyEntry>(capacity: 1_024)
    private(set) var runs = RawBuffer<FrameRun>(capacity: 256)
    private(set) var framesTotal: UInt64 = 0
    var progress = FlushProgress()
    /// Arena bytes when the bulk that is being flushed was taken.
    private(set) var bulkBytes = 0
    /// Connections that what was forgotten last went to.
    private(set) var lastEntryCount = 0

    init() {
        arena = .allocate(byteCount: 64, alignment: 64)
        offsets.append(0)
    }

    deinit {
        arena.deallocate()
        offsets.free()
        dirtyIndex.free()
        entries.free()
        runs.free()
    }

    var frameCount: Int { offsets.count - 1 }
    var entryCount: Int { entries.count }
    var slotCapacity: Int { dirtyIndex.count }

    /// Copies a message into the arena.
    /// - Returns: its index, valid until the turn ends (or until the next call of the handler, when the arena passed
    ///   `LoopOptions.arenaBytesSoftMax`).
    public func frame(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        if arenaCapacity - arenaCount < bytes.count { growArena(by: bytes.count) }
        if let base = bytes.baseAddress { (arena + arenaCount).copyMemory(from: base, byteCount: bytes.count) }
        arenaCount += bytes.count
        let index = frameCount
        offsets.append(arenaCount)
        return UInt32(truncatingIfNeeded: index)
    }

    /// Gives the frame to one connection. Closed, finishing and overflowed connections are skipped.
    public func queue(_ frame: UInt32, to slot: UInt32) {
        withUnsafePointer(to: slot) { _ = queue(frame, to: UnsafeBufferPointer(start: $0, count: 1), except: .max) }
    }

    /// Gives the frame to every connection of a dense list. About a nanosecond each; no allocation, no reference counting.
    public func queue(_ frame: UInt32, to slots: UnsafeBufferPointer<UInt32>) {
        queue(frame, to: slots, except: .max)
    }

    /// The same but for one connection (the publisher's `socket_id`).
    ///
    /// The hot loop: everything it touches is in locals; growth happens before it, gaps leave it.
    /// - Returns: whether the one was among them.
    @discardableResult
    public func queue(_ frame: UInt32, to slots: UnsafeBufferPointer<UInt32>, except: UInt32) -> Bool {
        guard var slot = slots.baseAddress else { return false }
        var hasSkipped = false
        assert(frame < frameCount, "a frame of an earlier turn")
        entries.reserve(slots.count)
        let stop = slot + slots.count
        let dirty = dirtyIndex.base
        let list = entries.base
        let next = frame &+ 1
        var count = UInt32(truncatingIfNeeded: entries.count)
        while slot != stop {
            let number = slot.pointee
            slot += 1
            assert(number < slotCapacity, "a slot the loop never made")
            if number == except {
                hasSkipped = true
                continue
            }
            let index = dirty[Int(number)]
            if index < Self.refusing {
                let entry = list + Int(index)
                if entry.pointee.end == frame {
                    entry.pointee.end = next
                } else {
                    startRun(entry, frame)
                }
            } else if index == Self.clean {
                list[Int(count)] = DirtyEntry(slot: number, first: frame, end: next, tail: Self.none)
                dirty[Int(number)] = count
                count &+= 1
            }
        }
        entries.count = Int(count)
        return hasSkipped
    }

    /// `frame` and `queue` for a message of one connection.
    public func send(_ bytes: UnsafeRawBufferPointer, to slot: UInt32) {
        guard takes(slot) else { return }
        queue(frame(bytes), to: slot)
    }

    /// The same from an array.
    public func send(_ bytes: [UInt8], to slot: UInt32) { bytes.withUnsafeBytes { send($0, to: slot) } }

    /// Arena bytes used in this turn and by answers since an unfinished flush began; stop draining deliveries above 4 MiB so that the turn
    /// flushes.
    public var bytesThisTurn: Int { arenaCount - bulkBytes }

    /// Frames of an earlier turn wait for their slice. Answers may be queued, and are sent before them; deliveries to many should wait, so that
    /// the arena stays what one turn may fill.
    public var isFlushing: Bool { progress.isUnfinished }
}

@available(*, unavailable) extension Outbox: Sendable {}

// MARK: For the loop
extension Outbox {
    /// Makes room for slots 0..<count; new ones refuse.
    func growSlots(to count: Int) {
        guard count > slotCapacity else { return }
        dirtyIndex.grow(to: count)
        while dirtyIndex.count < count { dirtyIndex.append(Self.refusing) }
    }

    /// Forgets slots from `count` on, and what crowded turns have allocated. Only between two turns.
    func shrinkSlots(to count: Int) {
        precondition(entryCount == 0 && frameCount == 0, "slots are released between two turns")
        var fresh = RawBuffer<UInt32>(capacity: count)
        for slot in 0..<count { fresh.append(slot < slotCapacity ? dirtyIndex[slot] : Self.refusing) }
        dirtyIndex.free()
        dirtyIndex = fresh
        releaseArena()
    }

    func mark(_ slot: UInt32, _ index: UInt32) {
        assert(slot < slotCapacity, "a slot the loop never made")
        dirtyIndex[Int(slot)] = index
    }

    func takes(_ slot: UInt32) -> Bool {
        assert(slot < slotCapacity, "a slot the loop never made")
        return dirtyIndex[Int(slot)] != Self.refusing
    }

    /// Whether frames of this turn, or of an unfinished flush, wait for the connection.
    func hasEntry(_ slot: UInt32) -> Bool { dirtyIndex[Int(slot)] < Self.refusing }

    /// Files the newest run among the older ones and begins another.
    @inline(never)
    private func startRun(_ entry: UnsafeMutablePointer<DirtyEntry>, _ frame: UInt32) {
        let index = UInt32(truncatingIfNeeded: runs.count)
        let tail = entry.pointee.tail
        let oldest = tail == Self.none ? index : runs[Int(tail)].next
        runs.append(FrameRun(first: entry.pointee.first, end: entry.pointee.end, next: oldest))
        if tail != Self.none { runs.base[Int(tail)].next = index }
        entry.pointee.tail = index
        entry.pointee.first = frame
        entry.pointee.end = frame &+ 1
    }

    private func growArena(by count: Int) {
        let capacity = max(Self.arenaStartBytes, arenaCapacity * 2, arenaCount + count)
        let bigger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
        bigger.copyMemory(from: arena, byteCount: arenaCount)
        arena.deallocate()
        (arena, arenaCapacity) = (bigger, capacity)
    }

    /// What was queued since the last slice and goes out now, whole; when nothing waits from an earlier turn, it waits as the bulk instead.
    func takeFresh() -> Range<Int> {
        let fresh = progress.takeFresh(entryCount: entries.count)
        if progress.isNew { bulkBytes = arenaCount }
        return fresh
    }

    private func releaseArena() {
        arena.deallocate()
        offsets.free()
        entries.free()
        runs.free()
        (arena, arenaCapacity) = (.allocate(byteCount: 64, alignment: 64), 0)
        (offsets, entries, runs) = (RawBuffer(capacity: 1_024), RawBuffer(capacity: 1_024), RawBuffer(capacity: 256))
        offsets.append(0)
    }

    /// Forgets the turn. Every entry's slot must have been marked clean or refusing before.
    func reset() {
        framesTotal &+= UInt64(frameCount)
        lastEntryCount = entries.count
        (arenaCount, offsets.count, entries.count, runs.count) = (0, 1, 0, 0)
        if progress.freshStart > 0 { (progress, bulkBytes) = (FlushProgress(), 0) }
        guard arenaCapacity > Self.arenaKeptBytesMax else { return }
        arena.deallocate()
        arena = .allocate(byteCount: Self.arenaStartBytes, alignment: 64)
        arenaCapacity = Self.arenaStartBytes
    }
}
