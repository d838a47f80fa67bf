internal import Glibc

/// One connection touched in this turn: its newest run, and the older ones if its frames had gaps.
struct DirtyEntry {
    var slot: UInt32
    /// The newest run, first..<end.
    var first: UInt32
    var end: UInt32
    /// The youngest of the older runs; the list is circular, so its `next` is the oldest. `OutboxState.none` without gaps.
    var tail: UInt32
}

/// An older run of one connection.
struct FrameRun {
    var first: UInt32
    var end: UInt32
    var next: UInt32
}

/// The arena and the dirty list as raw memory. Unsafe pointers because this is the profile's hottest place: the fan-out loop must be one
/// load, one compare and one store per subscriber. Every index is made here; debug builds assert the bounds.
struct OutboxState {
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
    private(set) var offsets: UnsafeMutablePointer<Int>
    private(set) var frameCount = 0
    private var offsetCapacity = 1_024
    private(set) var dirtyIndex: UnsafeMutablePointer<UInt32>
    private(set) var slotCapacity = 0
    private(set) var entries: UnsafeMutablePointer<DirtyEntry>
    private(set) var entryCount = 0
    private var entryCapacity = 1_024
    private(set) var runs: UnsafeMutablePointer<FrameRun>
    private(set) var runCount = 0
    private var runCapacity = 256
    private(set) var framesTotal: UInt64 = 0

    init() {
        arena = .allocate(byteCount: 64, alignment: 64)
        offsets = .allocate(capacity: offsetCapacity)
        offsets[0] = 0
        dirtyIndex = .allocate(capacity: 1)
        entries = .allocate(capacity: entryCapacity)
        runs = .allocate(capacity: runCapacity)
    }

    func free() {
        arena.deallocate()
        offsets.deallocate()
        dirtyIndex.deallocate()
        entries.deallocate()
        runs.deallocate()
    }

    /// Makes room for slots 0..<count; new ones refuse.
    mutating func growSlots(to count: Int) {
        guard count > slotCapacity else { return }
        dirtyIndex = Self.grown(dirtyIndex, used: slotCapacity, to: count)
        (dirtyIndex + slotCapacity).initialize(repeating: Self.refusing, count: count - slotCapacity)
        slotCapacity = count
    }

    /// Forgets slots from `count` on, and what crowded turns have allocated. Only between two turns.
    mutating func shrinkSlots(to count: Int) {
        precondition(entryCount == 0 && frameCount == 0, "slots are released between two turns")
        var fresh = OutboxState()
        fresh.growSlots(to: count)
        fresh.dirtyIndex.update(from: dirtyIndex, count: min(count, slotCapacity))
        fresh.framesTotal = framesTotal
        free()
        self = fresh
    }

    func mark(_ slot: UInt32, _ index: UInt32) {
        assert(slot < slotCapacity, "a slot the loop never made")
        dirtyIndex[Int(slot)] = index
    }

    func takes(_ slot: UInt32) -> Bool {
        assert(slot < slotCapacity, "a slot the loop never made")
        return dirtyIndex[Int(slot)] != Self.refusing
    }

    mutating func frame(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        if arenaCapacity - arenaCount < bytes.count { growArena(by: bytes.count) }
        if let base = bytes.baseAddress { (arena + arenaCount).copyMemory(from: base, byteCount: bytes.count) }
        arenaCount += bytes.count
        let index = frameCount
        frameCount += 1
        if frameCount == offsetCapacity {
            offsets = Self.grown(offsets, used: frameCount, to: offsetCapacity * 2)
            offsetCapacity *= 2
        }
        offsets[frameCount] = arenaCount
        return UInt32(truncatingIfNeeded: index)
    }

    mutating func queue(_ frame: UInt32, to slot: UInt32) {
        withUnsafePointer(to: slot) { queue(frame, to: UnsafeBufferPointer(start: $0, count: 1), except: .max) }
    }

    /// The hot loop. Everything it touches is in locals; growth happens before it, gaps leave it.
    mutating func queue(_ frame: UInt32, to slots: UnsafeBufferPointer<UInt32>, except: UInt32) {
        guard var slot = slots.baseAddress else { return }
        assert(frame < frameCount, "a frame of an earlier turn")
        reserveEntries(slots.count)
        let stop = slot + slots.count
        let dirty = dirtyIndex
        let list = entries
        let next = frame &+ 1
        var count = UInt32(truncatingIfNeeded: entryCount)
        while slot != stop {
            let number = slot.pointee
            slot += 1
            assert(number < slotCapacity, "a slot the loop never made")
            if number == except { continue }
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
        entryCount = Int(count)
    }

    /// Files the newest run among the older ones and begins another.
    @inline(never)
    private mutating func startRun(_ entry: UnsafeMutablePointer<DirtyEntry>, _ frame: UInt32) {
        if runCount == runCapacity {
            runs = Self.grown(runs, used: runCount, to: runCapacity * 2)
            runCapacity *= 2
        }
        let index = UInt32(truncatingIfNeeded: runCount)
        runCount += 1
        let tail = entry.pointee.tail
        let oldest = tail == Self.none ? index : runs[Int(tail)].next
        runs[Int(index)] = FrameRun(first: entry.pointee.first, end: entry.pointee.end, next: oldest)
        if tail != Self.none { runs[Int(tail)].next = index }
        entry.pointee.tail = index
        entry.pointee.first = frame
        entry.pointee.end = frame &+ 1
    }

    private mutating func reserveEntries(_ more: Int) {
        guard entryCapacity - entryCount < more else { return }
        let capacity = max(entryCapacity * 2, entryCount + more)
        entries = Self.grown(entries, used: entryCount, to: capacity)
        entryCapacity = capacity
    }

    private mutating func growArena(by count: Int) {
        let capacity = max(Self.arenaStartBytes, arenaCapacity * 2, arenaCount + count)
        let bigger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
        bigger.copyMemory(from: arena, byteCount: arenaCount)
        arena.deallocate()
        (arena, arenaCapacity) = (bigger, capacity)
    }

    /// Forgets the turn. Every entry's slot must have been marked clean or refusing before.
    mutating func reset() {
        framesTotal &+= UInt64(frameCount)
        (arenaCount, frameCount, entryCount, runCount) = (0, 0, 0, 0)
        guard arenaCapacity > Self.arenaKeptBytesMax else { return }
        arena.deallocate()
        arena = .allocate(byteCount: Self.arenaStartBytes, alignment: 64)
        arenaCapacity = Self.arenaStartBytes
    }

    private static func grown<Element: BitwiseCopyable>(
        _ old: UnsafeMutablePointer<Element>, used: Int, to capacity: Int
    ) -> UnsafeMutablePointer<Element> {
        let bigger = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        bigger.initialize(from: old, count: used)
        old.deallocate()
        return bigger
    }
}
