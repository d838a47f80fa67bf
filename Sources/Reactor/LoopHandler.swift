/// Why a connection ended.
public enum TransportClose: Equatable, Sendable {
    /// The peer closed and nothing was left to say.
    case peerClosed
    /// The peer reset the connection.
    case reset
    /// The kernel gave up on unacknowledged bytes (TCP_USER_TIMEOUT), or the linger time of `finish` ran out.
    case timeout
    /// Buffered input passed `inputLimit`.
    case overflow
    /// Unsent output passed its limit, or there was no memory for it, and it could not be shortened to whole messages.
    case tooSlow
    /// `finish` was completed or `abort` was called.
    case local
    /// Another errno.
    case error(CInt)
}

/// Why a connection ended before it was opened.
public enum HandshakeFailure: Equatable, Sendable {
    /// It took longer than `LoopOptions.handshakeMilliseconds`.
    case timeout
    /// It waited for its peer while others waited for its place.
    case stalled
    /// The peer closed or reset the connection.
    case gone
    /// The layer says no.
    case broken

    /// Neither socket nor layer ended it, but the clock.
    var isOfTime: Bool { self == .timeout || self == .stalled }
}

/// What a loop tells its owner. Every call comes on the loop's own thread, and never from inside a call into the loop.
public protocol LoopHandler: AnyObject {
    /// A connection was accepted (`listener`: the tag given to `listen`) or adopted (the tag given to `adopt`).
    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int)

    /// Bytes buffered so far: what was left plus what is new. The buffer is writable (unmasking in place) and valid during the call.
    /// - Returns: how many were consumed, 0...count; the rest comes again, longer.
    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int

    /// The peer half-closed: nothing more will be read. Once, and not after `finish`; when many leave at once, some turns later, and until
    /// then the connection is like any other.
    func endOfStream(_ slot: UInt32)

    /// The connection's one timer went off; it is disarmed until the handler sets it again.
    func timerFired(_ slot: UInt32)

    /// What the connection may owe, if that is more than `LoopOptions.backlogBytesMax`. Asked when it owes more than that; the one call that
    /// comes from inside the flush, so it must not call the loop.
    func backlogAllowance(_ slot: UInt32) -> Int

    /// The connection owed too much: what waited for it has been dropped, later frames are dropped too, until the handler decides
    /// (`finishWithFrame` or `abort`). Once per connection; when many overflow at once, some turns later.
    func overflowed(_ slot: UInt32, _ why: Overflow)

    /// The kernel has taken the last answer of those that waited for the peer (`EventLoop.markAnswered`). In the turn after, so that there may
    /// be new ones; and not for answers that never waited.
    func answersTaken(_ slot: UInt32)

    /// The process's budget has no room for the connection's input: what of it was not consumed is dropped. The handler says so and
    /// ends the connection (`finish`, `abort`); one that it leaves open is closed with `.overflow`.
    func inputRefused(_ slot: UInt32)

    /// A connection that was accepted, and has said something, was not opened. No other call tells of it.
    /// - Parameter layer: nil: it had none yet.
    func handshakeFailed(_ why: HandshakeFailure, peer: PeerAddress, listener: Int, layer: (any RecordLayer)?)

    /// A connection ended in its preamble. No other call tells of it.
    func preambleFailed(_ why: PreambleFailure, peer: PeerAddress, listener: Int)

    /// The last call for the slot; the number may stand for another connection from the next turn on (see `EventLoop.holdSlot`).
    func closed(_ slot: UInt32, _ why: TransportClose)

    /// Once per turn after the events: drain the delivery queue (bounded). True: more is waiting, so do not sleep.
    func turn() -> Bool

    /// About each 100 ms.
    func tick()

    /// Asked just before sleeping, after the loop marked itself asleep; true keeps it awake. Closes the lost-wake race.
    func hasWork() -> Bool
}

extension LoopHandler {
    /// Says nothing, so that the connection is closed.
    public func inputRefused(_: UInt32) {}
    public func answersTaken(_: UInt32) {}
    public func handshakeFailed(_: HandshakeFailure, peer: PeerAddress, listener: Int, layer: (any RecordLayer)?) {}
    public func preambleFailed(_: PreambleFailure, peer: PeerAddress, listener: Int) {}
    public func backlogAllowance(_ slot: UInt32) -> Int { 0 }
}
