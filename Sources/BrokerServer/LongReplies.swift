internal import BrokerCore
internal import Wire

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
        /// Of its app on this loop.
        var meter: UnsafeMutablePointer<AppMeter>?

        /// Counts what of it is sent.
        func count(_ bytes: Int) { meter?.pointee.responseBytes &+= UInt64(truncatingIfNeeded: bytes) }

        /// Writes the head of a reply whose length is not known.
        mutating func writeHead(_ date: HTTPDate, to out: inout [UInt8]) {
            isOpen = true
            keepAlive = keepAlive && isChunked
            HTTPResponse.appendOpenHead(
                date: date, contentType: "application/json", extraHeaders: HTTPReply.crossOrigin, isChunked: isChunked,
                keepAlive: keepAlive, to: &out)
        }

        /// Writes what is sent next of the text that is made.
        /// - Returns: whether it was the last.
        mutating func writePiece(bytesMax: Int, to out: inout [UInt8]) -> Bool {
            let count = min(bytesMax, list.text.count)
            let isLast = list.isWhole && count == list.text.count
            if isChunked {
                HTTPResponse.appendChunk(list.text[..<count], to: &out)
                if isLast { HTTPResponse.appendLastChunk(to: &out) }
            } else {
                out.append(contentsOf: list.text[..<count])
            }
            if count == list.text.count {
                list.text.removeAll(keepingCapacity: true)
            } else {
                list.text.removeFirst(count)
            }
            return isLast
        }
    }

    /// Channels and users that lists may look at in one turn, all callers together: well below a millisecond.
    static let workPerTurn = 4_000
    /// A piece is sent when it has so many bytes.
    static let pieceBytesMax = 64 << 10
    /// What the replies of one loop may hold that is not sent; above it none is begun, and those that are under way wait.
    static let heldBytesMax = 16 << 20

    private var entries: [Entry] = []
    /// Channels and users that lists may still look at in this turn.
    var workLeft = LongReplies.workPerTurn
    private var lastNumber: UInt32 = 0
    /// Made and not sent, of all.
    private(set) var heldBytes = 0
    /// Memory for the next piece's text; those that wait without one hold none.
    private var spare: [UInt8] = []

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// Whether one more may be begun.
    func hasRoom(for list: LongReply) -> Bool { heldBytes + list.heldBytes <= Self.heldBytesMax }

    /// Makes more of a list.
    /// - Returns: whether it is longer than one turn may make: it has had all of this one's allowance, or is a piece by now.
    mutating func make(_ list: inout LongReply, with broker: LoopBroker) -> Bool {
        if list.text.isEmpty { swap(&list.text, &spare) }
        let isFirst = workLeft == Self.workPerTurn
        list.make(with: broker, textBytesMax: Self.pieceBytesMax, work: &workLeft)
        return !list.isWhole && (isFirst || list.text.count >= Self.pieceBytesMax)
    }

    /// Ends a turn.
    mutating func endTurn() { workLeft = Self.workPerTurn }

    /// - Returns: the reply's number, which is never 0.
    mutating func begin(_ one: Entry) -> UInt32 {
        lastNumber = lastNumber == .max ? 1 : lastNumber + 1
        heldBytes += one.list.heldBytes
        entries.append(one)
        entries[entries.count - 1].number = lastNumber
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

    /// A list whose text has been sent lends its memory to the next.
    mutating func put(waiting: [Entry], served: [Entry]) {
        entries = waiting + served
        for at in entries.indices where entries[at].list.text.isEmpty {
            if spare.capacity == 0 { swap(&spare, &entries[at].list.text) } else { entries[at].list.text = [] }
        }
        heldBytes = entries.reduce(0) { $0 + $1.list.heldBytes }
        if entries.isEmpty { spare = [] }
    }
}
