internal import Reactor
internal import Wire

/// What the API answers.
extension Worker {
    func receiveReplies(_ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ now: UInt64) -> Int {
        var at = 0
        do throws(HTTPResponseFailure) {
            while let outcome = try nextReply(slot, bytes, &at) {
                callEnded(slot, outcome, now)
                // What follows is no answer; `closed` dials anew.
                guard outcome.keepAlive else {
                    loop.abort(slot)
                    return bytes.count
                }
            }
            return at
        } catch {
            mailbox.complain(error.text)
            loop.abort(slot)
            return bytes.count
        }
    }

    private func nextReply(
        _ slot: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int
    ) throws(HTTPResponseFailure) -> APIReply.Outcome? {
        let isAwaited = connections[Int(slot)].phase == .busyCall
        return try connections[Int(slot)].reply.next(bytes, from: &at) { if isAwaited { mailbox.complain($0) } }
    }

    /// A response is whole. Nobody waits for one that comes unasked, as a server may say before it closes an idle connection.
    private func callEnded(_ slot: UInt32, _ outcome: APIReply.Outcome, _ now: UInt64) {
        let connection = connections[Int(slot)]
        guard connection.phase == .busyCall else { return }
        connections[Int(slot)].phase = .idleCall
        if outcome.keepAlive { idleCalls.append(slot) }
        if outcome.isSuccess { replied(connection, now) } else { callFailed(connection) }
    }

    func endOfStream(_ slot: UInt32) {
        if connections[Int(slot)].phase == .busyCall, let outcome = connections[Int(slot)].reply.endOfStream() {
            callEnded(slot, outcome, MonotonicTime.now().nanoseconds)
        }
        loop.abort(slot)
    }
}
