/// Work that is done in slices, first in, first out.
///
/// What is done is forgotten in time proportional to what was added, also where new work never stops coming.
struct SliceQueue<Element> {
    private var elements: [Element] = []
    private var done = 0

    /// So much that is done may stay in front of what waits.
    static var doneMax: Int { 4_096 }

    /// Elements that wait.
    var count: Int { elements.count - done }

    var isEmpty: Bool { done == elements.count }

    /// What waits, the next one first.
    var waiting: ArraySlice<Element> { elements[done...] }

    /// Places in memory, those of finished work among them.
    var heldCount: Int { elements.count }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard done < elements.count else { return nil }
        let next = elements[done]
        done += 1
        if done == elements.count {
            elements.removeAll(keepingCapacity: elements.capacity <= Self.doneMax)
            done = 0
        } else if done >= Self.doneMax, done * 2 > elements.count {
            elements.removeFirst(done)
            done = 0
        }
        return next
    }
}
