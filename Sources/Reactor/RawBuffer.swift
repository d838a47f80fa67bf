/// Elements in raw memory that only grows: the first `count` of `capacity` are in use.
///
/// A pointer and two numbers, so that a hot loop can hold all of it in registers. Not owned: whoever has it calls `free`.
struct RawBuffer<Element: BitwiseCopyable> {
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var capacity: Int
    var count = 0

    init(capacity: Int) {
        base = .allocate(capacity: capacity)
        self.capacity = capacity
    }

    func free() { base.deallocate() }

    subscript(index: Int) -> Element {
        get {
            assert(index >= 0 && index < count, "an element that was never made")
            return base[index]
        }
        nonmutating set {
            assert(index >= 0 && index < count, "an element that was never made")
            base[index] = newValue
        }
    }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { grow(to: capacity * 2) }
        (base + count).initialize(to: element)
        count += 1
    }

    /// Room for so many more, at least doubled.
    @inline(__always)
    mutating func reserve(_ more: Int) {
        guard capacity - count < more else { return }
        grow(to: max(capacity * 2, count + more))
    }

    /// Moves what is in use to larger memory.
    @inline(never)
    mutating func grow(to wanted: Int) {
        let bigger = UnsafeMutablePointer<Element>.allocate(capacity: wanted)
        bigger.initialize(from: base, count: count)
        base.deallocate()
        (base, capacity) = (bigger, wanted)
    }
}
