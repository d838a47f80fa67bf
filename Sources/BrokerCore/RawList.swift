/// A short list of plain values that costs nothing when empty. Its owner releases it.
struct RawList<Element: BitwiseCopyable> {
    private var memory: UnsafeMutablePointer<Element>?
    private(set) var storedCount: UInt32 = 0
    private var capacity: UInt32 = 0

    var count: Int { Int(storedCount) }

    subscript(index: Int) -> Element {
        get {
            guard let memory, index < count else { preconditionFailure("index past the end") }
            return memory[index]
        }
        set {
            guard let memory, index < count else { preconditionFailure("index past the end") }
            memory[index] = newValue
        }
    }

    mutating func append(_ element: Element) {
        if storedCount == capacity { resize(to: capacity == 0 ? 2 : capacity * 2) }
        guard let memory else { preconditionFailure("resize allocates") }
        (memory + count).initialize(to: element)
        storedCount += 1
    }

    /// Removes by putting the last element in the place.
    mutating func swapRemove(at index: Int) {
        guard let memory, index < count else { preconditionFailure("index past the end") }
        storedCount -= 1
        memory[index] = memory[count]
        if storedCount == 0 { release() } else if storedCount * 4 <= capacity, capacity > 8 { resize(to: capacity / 2) }
    }

    /// Empties the list and keeps its memory.
    mutating func removeAll() { storedCount = 0 }

    /// The elements where they lie; valid until the list changes.
    var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: memory, count: count) }

    mutating func release() {
        PlainMemory.free(memory)
        (memory, storedCount, capacity) = (nil, 0, 0)
    }

    /// Frees the memory when the owner ends.
    func deallocate() { PlainMemory.free(memory) }

    private mutating func resize(to wanted: UInt32) {
        let fresh: UnsafeMutablePointer<Element> = PlainMemory.allocate(capacity: Int(wanted))
        if let memory {
            fresh.update(from: memory, count: count)
            PlainMemory.free(memory)
        }
        (memory, capacity) = (fresh, wanted)
    }
}
