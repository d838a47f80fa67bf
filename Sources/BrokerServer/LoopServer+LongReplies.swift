internal import BrokerCore
internal import PusherProtocol
internal import Reactor
internal import Wire

/// Lists that may be long: made a slice a turn, each slice sent as soon as the peer has taken the last, so that neither the loop
/// nor its memory is held by one caller.
///
/// What fits into the turn's allowance is answered as any call is. Otherwise the reply goes out in chunks; until it is whole the
/// peer's next requests are not read.
extension LoopServer {
    /// Channels and users that lists may look at in one turn, all callers together: well below a millisecond.
    static let listWorkPerTurn = 4_000
    /// A piece is sent when it has so many bytes.
    static let pieceBytesMax = 64 << 10
    /// What the replies of one loop may hold that is not sent; above it none is begun, and those that are under way wait.
    static let longReplyBytesMax = 16 << 20

    /// Answers with a list.
    func respondList(_ slot: UInt32, for request: RequestView, _ source: LongReply.Source) throws(APIError) {
        var list = LongReply(source)
        list.make(with: broker, textBytesMax: Self.pieceBytesMax, work: &listWork)
        if list.isWhole {
            swap(&reply, &list.text)
            return respondReply(slot, for: request)
        }
        guard longReplies.heldBytes + list.heldBytes <= Self.longReplyBytesMax else {
            throw APIError(status: 503, text: "Too many long lists are being sent; try again soon")
        }
        let isChunked = request.head.minorVersion >= 1
        let keepAlive = request.head.keepAlive && isChunked
        response.removeAll(keepingCapacity: true)
        date.set(unixSeconds: unixSeconds)
        HTTPResponse.appendOpenHead(
            date: date, contentType: "application/json", extraHeaders: Self.crossOrigin, isChunked: isChunked,
            keepAlive: keepAlive, to: &response)
        loop.outbox.send(response, to: slot)
        readThrottle.answeredBytes += response.count
        if request.head.method == .head { return endReply(slot, keepAlive: keepAlive) }
        sessions[slot].replyNumber = longReplies.begin(list, slot: slot, isChunked: isChunked, keepAlive: keepAlive)
    }

    /// Makes and sends the next pieces.
    /// - Returns: whether there is more to do as soon as this turn is flushed.
    func advanceLongReplies() -> Bool {
        var mayAdvance = false
        var (waiting, served): ([LongReplies.Entry], [LongReplies.Entry]) = ([], [])
        let mayMake = longReplies.heldBytes <= Self.longReplyBytesMax
        for var one in longReplies.take() {
            guard sessions[one.slot].replyNumber == one.number, sessions[one.slot].phase == .http else { continue }
            let hasTaken = loop.backlogBytes(one.slot) == 0
            if hasTaken, mayMake { one.list.make(with: broker, textBytesMax: Self.pieceBytesMax, work: &listWork) }
            guard hasTaken, !one.list.text.isEmpty else {
                waiting.append(one)
                if listWork <= 0 { mayAdvance = true }
                continue
            }
            mayAdvance = true
            if sendPiece(&one) { endReply(one.slot, keepAlive: one.keepAlive) } else { served.append(one) }
        }
        longReplies.put(waiting: waiting, served: served)
        return mayAdvance
    }

    /// - Returns: whether it was the last.
    private func sendPiece(_ one: inout LongReplies.Entry) -> Bool {
        let piece = one.list.text.prefix(ReadThrottle.answerBytesMax)
        let isLast = one.list.isWhole && piece.count == one.list.text.count
        response.removeAll(keepingCapacity: true)
        if one.isChunked {
            HTTPResponse.appendChunk(piece, to: &response)
            if isLast { HTTPResponse.appendLastChunk(to: &response) }
        } else {
            response.append(contentsOf: piece)
        }
        one.list.text.removeFirst(piece.count)
        loop.outbox.send(response, to: one.slot)
        sessions[one.slot].sinceMilliseconds = milliseconds
        return isLast
    }

    private func endReply(_ slot: UInt32, keepAlive: Bool) {
        sessions[slot].replyNumber = 0
        guard !keepAlive else { return readThrottle.pause(slot) }
        end(slot, .answered)
        loop.finish(slot, lingerNanoseconds: Self.second)
    }
}

/// The replies of one loop that are under way, in the order in which they get their turn.
struct LongReplies {
    struct Entry {
        let slot: UInt32
        /// Tells it from a later reply of the same slot.
        let number: UInt32
        let isChunked: Bool
        var keepAlive: Bool
        var list: LongReply
    }

    private var entries: [Entry] = []
    private var lastNumber: UInt32 = 0
    /// Made and not sent, of all.
    private(set) var heldBytes = 0

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

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
