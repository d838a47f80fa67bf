/// A dense list of slots with, for each, where the connection's own list mentions this channel, so that leaving is a swap
/// with the last. Raw memory: fan-out hands the slots to the outbox as they lie, and `release` frees them.
struct SubscriberList {
    private var memory: UnsafeMutablePointer<UInt32>?
    private var storedCount: UInt32 = 0
    private var storedCapacity: UInt32 = 0

    private(set) var count: Int {
        get { Int(storedCount) }
        set { storedCount = UInt32(newValue) }
    }

    private var capacity: Int {
        get { Int(storedCapacity) }
        set { storedCapacity = UInt32(newValue) }
    }

    /// The subscribers' slots; valid until the list changes.
    var slots: UnsafeBufferPointer<UInt32> { UnsafeBufferPointer(start: memory, count: count) }

    func slot(at index: Int) -> UInt32 {
        guard let memory, index < count else { preconditionFailure("no subscriber at this index") }
        return memory[index]
    }

    /// Where the subscriber's connection mentions this channel.
    func entry(at index: Int) -> UInt32 {
        guard let memory, index < count else { preconditionFailure("no subscriber at this index") }
        return memory[capacity + index]
    }

    mutating func setEntry(at index: Int, to entry: UInt32) {
        guard let memory, index < count else { preconditionFailure("no subscriber at this index") }
        memory[capacity + index] = entry
    }

    mutating func append(slot: UInt32, entry: UInt32) {
        if count == capacity { resize(to: max(2, capacity * 2)) }
        guard let memory else { preconditionFailure("resize allocates") }
        memory[count] = slot
        memory[capacity + count] = entry
        count += 1
    }

    /// Removes one subscriber; the last takes its place.
    /// - Returns: true when another subscriber now stands at `index`.
    mutating func remove(at index: Int) -> Bool {
        guard let memory, index < count else { preconditionFailure("no subscriber at this index") }
        count -= 1
        memory[index] = memory[count]
        memory[capacity + index] = memory[capacity + count]
        let moved = index < count
        if count == 0 { release() } else if count * 4 <= capacity, capacity > 8 { resize(to: capacity / 2) }
        return moved
    }

    mutating func release() {
        PlainMemory.free(memory)
        (memory, count, capacity) = (nil, 0, 0)
    }

    /// Frees the memory when the owner ends.
    func deallocate() { PlainMemory.free(memory) }

    private mutating func resize(to wanted: Int) {
        let fresh: UnsafeMutablePointer<UInt32> = PlainMemory.allocate(capacity: wanted * 2)
        if let memory {
            fresh.update(from: memory, count: count)
            (fresh + wanted).update(from: memory + capacity, count: count)
            PlainMemory.free(memory)
        }
        (memory, capacity) = (fresh, wanted)
    }
}
