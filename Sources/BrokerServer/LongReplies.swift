/// The lists of one loop that are under way, in the order in which they get their turn.
struct LongReplies {
    struct Entry {
        let slot: UInt32
        /// Tells it from a later reply of the same slot.
        var number: UInt32 = 0
        /// HTTP/1.1: the body can come in chunks. Otherwise the end of the connection is its end.
        let isChunked: Bool
        var keepAlive: Bool
        /// A HEAD: no body follows.
        var omitsBody = false
        /// The head has been sent, without a length. Until then the list may still turn out to be short.
        var isOpen = false
        var list: LongReply
    }

    private var entries: [Entry] = []
    private var lastNumber: UInt32 = 0
    /// Made and not sent, of all.
    private(set) var heldBytes = 0
    /// Memory for the next piece's text; those that wait without one hold none.
    private var spare: [UInt8] = []

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// - Returns: the reply's number, which is never 0.
    mutating func begin(_ one: consuming Entry) -> UInt32 {
        lastNumber = lastNumber == .max ? 1 : lastNumber + 1
        one.number = lastNumber
        heldBytes += one.list.heldBytes
        entries.append(one)
        return lastNumber
    }

    /// After this reply the connection ends.
    mutating func endConnection(after number: UInt32) {
        for at in entries.indices where entries[at].number == number { entries[at].keepAlive = false }
    }

    /// Takes every reply out once; those that go on come last in the next round, so that each gets its turn.
    mutating func take() -> [Entry] {
        defer { entries = [] }
        return entries
    }

    mutating func put(waiting: [Entry], served: [Entry]) {
        entries = waiting + served
        heldBytes = entries.reduce(0) { $0 + $1.list.heldBytes }
    }

    /// Lends a list that has no text the memory for one.
    mutating func lend(to list: inout LongReply) {
        if list.text.isEmpty { swap(&list.text, &spare) }
    }

    /// Takes the memory back from a list whose text has been sent.
    mutating func takeBack(from list: inout LongReply) {
        list.text.removeAll(keepingCapacity: true)
        spare = []
        swap(&list.text, &spare)
    }
}
