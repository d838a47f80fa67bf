/// First in, first out; one that is never empty does not grow for ever.
struct SpoolQueue<Element> {
    private var elements: [Element] = []
    private var done = 0

    var count: Int { elements.count - done }
    var isEmpty: Bool { count == 0 }
    var first: Element? { done < elements.count ? elements[done] : nil }
    var waiting: ArraySlice<Element> { elements[done...] }

    mutating func append(_ element: Element) { elements.append(element) }

    /// Behind the last that does not come after it: for what is sorted, and nearly always comes in its order.
    mutating func insert(_ element: Element, _ isBefore: (Element, Element) -> Bool) {
        var place = elements.count
        while place > done, isBefore(element, elements[place - 1]) { place -= 1 }
        elements.insert(element, at: place)
    }

    /// Puts some before all others.
    mutating func putBack(_ others: [Element]) {
        elements.replaceSubrange(..<done, with: others)
        done = 0
    }

    mutating func popFirst() -> Element? {
        guard let element = first else { return nil }
        drop(1)
        return element
    }

    /// The first so many go.
    mutating func drop(_ number: Int) {
        done += number
        if done == elements.count {
            elements.removeAll(keepingCapacity: elements.capacity <= 4_096)
            done = 0
        } else if done >= 1_024, done * 2 >= elements.count {
            elements.removeFirst(done)
            done = 0
        }
    }

    mutating func keep(_ isKept: (Element) -> Bool) {
        elements = elements[done...].filter(isKept)
        done = 0
    }
}
