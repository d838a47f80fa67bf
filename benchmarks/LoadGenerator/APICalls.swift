internal import Wire

/// A call to the API that is under way.
struct APICall: Equatable {
    /// When it was due, and when it was sent.
    var scheduled: UInt64
    var sent: UInt64
    /// Its events, and the deliveries they will cause.
    var events: Int
    var expected: Int
}

/// The API connections of a worker: which are free, and what the others wait for. One call at a time on each.
struct APICalls {
    private struct Line {
        var reply = APIReply()
        var call: APICall?
    }

    /// A response, and the call it answers; nil: nobody waited for it, as when a server says why it closes an idle connection.
    struct Answer {
        var call: APICall?
        var outcome: APIReply.Outcome
    }

    private var lines: [UInt32: Line] = [:]
    private var free: [UInt32] = []

    var hasFree: Bool { !free.isEmpty }

    /// Whether the connection has been opened for calls.
    func contains(_ slot: UInt32) -> Bool { lines[slot] != nil }

    mutating func open(_ slot: UInt32) {
        lines[slot] = Line()
        free.append(slot)
    }

    mutating func takeFree() -> UInt32? { free.popLast() }

    mutating func begin(_ call: APICall, on slot: UInt32) { lines[slot]?.call = call }

    /// Ends the call of a server that answers otherwise than in HTTP, or not at all.
    mutating func finish(_ slot: UInt32) -> APICall? {
        guard let call = lines[slot]?.call else { return nil }
        lines[slot]?.call = nil
        free.append(slot)
        return call
    }

    /// Reads from `offset`, which moves, up to the end of one response; nil: it is not whole.
    mutating func next(
        _ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int, complaint: (String) -> Void
    ) throws(HTTPResponseFailure) -> Answer? {
        let isAwaited = lines[slot]?.call != nil
        guard
            let outcome = try lines[slot]?.reply.next(
                bytes, from: &offset, complaint: { if isAwaited { complaint($0) } })
        else { return nil }
        return answer(slot, outcome)
    }

    /// The answer that the end of the connection has made whole.
    mutating func endOfStream(_ slot: UInt32) -> Answer? {
        guard lines[slot]?.call != nil, let outcome = lines[slot]?.reply.endOfStream() else { return nil }
        return answer(slot, outcome)
    }

    /// Forgets a connection.
    /// - Returns: the call that will not be answered any more.
    mutating func close(_ slot: UInt32) -> APICall? {
        free.removeAll { $0 == slot }
        return lines.removeValue(forKey: slot)?.call
    }

    private mutating func answer(_ slot: UInt32, _ outcome: APIReply.Outcome) -> Answer {
        let call = lines[slot]?.call
        lines[slot]?.call = nil
        // A connection that ends must not be given another call; `close` comes.
        if call != nil, outcome.keepAlive { free.append(slot) }
        return Answer(call: call, outcome: outcome)
    }
}
