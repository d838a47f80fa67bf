/// Elements that are worked off in order, a bounded number in a turn. Its memory goes when it is empty after having been long.
struct SlicedQueue<Element> {
    private var elements: [Element] = []
    private var done = 0
    /// A larger array is freed when the last element has been taken; so many that are done may stay in front of what waits.
    static var keptMax: Int { 4_096 }

    var count: Int { elements.count - done }
    var isEmpty: Bool { done == elements.count }
    /// What has not been taken, oldest first.
    var waiting: ArraySlice<Element> { elements[done...] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard done < elements.count else { return nil }
        let element = elements[done]
        done += 1
        if done == elements.count {
            elements.removeAll(keepingCapacity: elements.capacity <= Self.keptMax)
            done = 0
        } else if done >= Self.keptMax, done * 2 >= elements.count {
            elements.removeFirst(done)  // one that is never empty does not grow for ever
            done = 0
        }
        return element
    }
}
