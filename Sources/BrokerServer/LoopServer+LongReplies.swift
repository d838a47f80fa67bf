internal import BrokerCore
internal import PusherProtocol
internal import Reactor
internal import Wire

/// Lists that may be long: made a slice a turn, each slice sent as soon as the peer has taken the last, so that neither the loop
/// nor its memory is held by one caller.
///
/// What fits into the allowance of one turn is answered with its length, as any call is; a list that finds the allowance used up
/// by others waits for the next turn's. What does not fit goes out in chunks. Until a reply is whole the peer's next requests
/// are not read.
extension LoopServer {
    /// Channels and users that lists may look at in one turn, all callers together: well below a millisecond.
    static let listWorkPerTurn = 4_000
    /// A piece is sent when it has so many bytes.
    static let pieceBytesMax = 64 << 10
    /// What the replies of one loop may hold that is not sent; above it none is begun, and those that are under way wait.
    static let longReplyBytesMax = 16 << 20

    /// Answers with a list.
    func respondList(_ slot: UInt32, for request: RequestView, _ source: LongReply.Source) throws(APIError) {
        var storage: [UInt8] = []
        swap(&storage, &reply)
        var list = LongReply(source, storage: storage)
        var isTooLong = false
        // Those that came before have the first claim on the allowance.
        if longReplies.isEmpty { isTooLong = make(&list) }
        if list.isWhole {
            swap(&reply, &list.text)
            return respondReply(slot, for: request)
        }
        guard longReplies.heldBytes + list.heldBytes <= Self.longReplyBytesMax else {
            throw APIError(status: 503, text: "Too many long lists are being sent; try again soon")
        }
        var one = LongReplies.Entry(
            slot: slot, isChunked: request.head.minorVersion >= 1, keepAlive: request.head.keepAlive,
            omitsBody: request.head.method == .head, list: list)
        if isTooLong, open(&one) { return endReply(slot, keepAlive: one.keepAlive) }
        sessions[slot].replyNumber = longReplies.begin(one)
    }

    /// Makes more of a list.
    /// - Returns: whether it is longer than one turn may make: it has had all of this one's allowance, or is a piece by now.
    private func make(_ list: inout LongReply) -> Bool {
        let isFirst = listWork == Self.listWorkPerTurn
        list.make(with: broker, textBytesMax: Self.pieceBytesMax, work: &listWork)
        return !list.isWhole && (isFirst || list.text.count >= Self.pieceBytesMax)
    }

    /// Sends the head of a reply whose length is not known.
    /// - Returns: whether that was all.
    private func open(_ one: inout LongReplies.Entry) -> Bool {
        one.isOpen = true
        one.keepAlive = one.keepAlive && one.isChunked
        response.removeAll(keepingCapacity: true)
        date.set(unixSeconds: unixSeconds)
        HTTPResponse.appendOpenHead(
            date: date, contentType: "application/json", extraHeaders: Self.crossOrigin, isChunked: one.isChunked,
            keepAlive: one.keepAlive, to: &response)
        loop.outbox.send(response, to: one.slot)
        readThrottle.answeredBytes += response.count
        return one.omitsBody
    }

    /// Makes and sends the next pieces.
    /// - Returns: whether there is more to do as soon as this turn is flushed.
    func advanceLongReplies() -> Bool {
        var mayAdvance = false
        var (waiting, served): ([LongReplies.Entry], [LongReplies.Entry]) = ([], [])
        let mayMake = longReplies.heldBytes <= Self.longReplyBytesMax
        for var one in longReplies.take() {
            guard sessions[one.slot].replyNumber == one.number, sessions[one.slot].phase == .http else { continue }
            switch advance(&one, mayMake: mayMake) {
            case .whole: mayAdvance = true
            case .sent:
                mayAdvance = true
                served.append(one)
            case .waits:
                if listWork <= 0 { mayAdvance = true }
                waiting.append(one)
            }
        }
        longReplies.put(waiting: waiting, served: served)
        return mayAdvance
    }

    private enum Advance { case waits, sent, whole }

    private func advance(_ one: inout LongReplies.Entry, mayMake: Bool) -> Advance {
        guard loop.backlogBytes(one.slot) == 0 else { return .waits }
        var isTooLong = false
        if mayMake {
            longReplies.lend(to: &one.list)
            isTooLong = make(&one.list)
        }
        if !one.isOpen {
            if one.list.isWhole { return respondWhole(one) }
            // Where all hold too much, what is made is sent.
            guard isTooLong || !mayMake else { return .waits }
            if open(&one) {
                endReply(one.slot, keepAlive: one.keepAlive)
                return .whole
            }
        }
        guard !one.list.text.isEmpty else { return .waits }
        guard sendPiece(&one) else { return .sent }
        endReply(one.slot, keepAlive: one.keepAlive)
        return .whole
    }

    /// A list that had to wait for its turn, and is short.
    private func respondWhole(_ one: LongReplies.Entry) -> Advance {
        sessions[one.slot].replyNumber = 0
        respond(
            one.slot, status: 200, contentType: "application/json", extraHeaders: Self.crossOrigin,
            body: one.list.text.span, keepAlive: one.keepAlive, omitBody: one.omitsBody)
        if one.keepAlive { readThrottle.pause(one.slot) }
        return .whole
    }

    /// - Returns: whether it was the last.
    private func sendPiece(_ one: inout LongReplies.Entry) -> Bool {
        let count = min(one.list.text.count, ReadThrottle.answerBytesMax)
        let isAll = count == one.list.text.count
        response.removeAll(keepingCapacity: true)
        if one.isChunked {
            HTTPResponse.appendChunk(one.list.text[..<count], to: &response)
            if isAll, one.list.isWhole { HTTPResponse.appendLastChunk(to: &response) }
        } else {
            response.append(contentsOf: one.list.text[..<count])
        }
        if isAll { longReplies.takeBack(from: &one.list) } else { one.list.text.removeFirst(count) }
        loop.outbox.send(response, to: one.slot)
        sessions[one.slot].sinceMilliseconds = milliseconds
        return isAll && one.list.isWhole
    }

    private func endReply(_ slot: UInt32, keepAlive: Bool) {
        sessions[slot].replyNumber = 0
        guard !keepAlive else { return readThrottle.pause(slot) }
        end(slot, .answered)
        loop.finish(slot, lingerNanoseconds: Self.second)
    }
}
