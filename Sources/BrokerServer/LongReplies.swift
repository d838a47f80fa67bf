internal import Wire

/// The replies of one loop that are under way, in the order in which they get their turn.
struct LongReplies {
    struct Entry {
        let slot: UInt32
        /// Tells it from a later reply of the same slot.
        let number: UInt32
        let isChunked: Bool
        var keepAlive: Bool
        var list: LongReply

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
            list.text.removeFirst(count)
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

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// Whether one more may be begun.
    func hasRoom(for list: LongReply) -> Bool { heldBytes + list.heldBytes <= Self.heldBytesMax }

    /// Ends a turn.
    mutating func endTurn() { workLeft = Self.workPerTurn }

    /// - Returns: the reply's number, which is never 0.
    mutating func begin(_ list: LongReply, slot: UInt32, isChunked: Bool, keepAlive: Bool) -> UInt32 {
        lastNumber = lastNumber == .max ? 1 : lastNumber + 1
        entries.append(
            Entry(slot: slot, number: lastNumber, isChunked: isChunked, keepAlive: keepAlive, list: list))
        heldBytes += list.heldBytes
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
}
