internal import BrokerCore
internal import Reactor
internal import Wire

/// A peer whose answers are not with the kernel yet is read no further, so that asking without reading costs nothing.
///
/// Requests and messages may come many at once, and their answers may be large. What others publish to the peer does not count: one that
/// is behind with its channels is still heard, so that it can answer a ping, leave a channel or close.
extension LoopServer {
    /// Whether input of a peer may be looked at now. If too many answers of earlier turns still wait for it, or one is still being made, it
    /// is paused instead.
    @inline(__always)
    func canRead(_ slot: UInt32, waiting: Int) -> Bool {
        readThrottle.begin(owedBytes: 0)
        if !isReplying(slot) {
            guard sessions[slot].owedBytes > 0 else { return true }
            guard loop.hasUnsentAnswers(slot) else {
                sessions[slot].owedBytes = 0
                return true
            }
            readThrottle.begin(owedBytes: Int(sessions[slot].owedBytes))
            guard readThrottle.isExhausted(0) else { return true }
        }
        pause(slot, waiting: waiting)
        return false
    }

    /// Whether the peer may be answered once more in this turn. If not, it is paused; `waiting` bytes of its input are left.
    func canAnswerMore(_ slot: UInt32, waiting: Int) -> Bool {
        guard waiting > 0, isReplying(slot) || readThrottle.isExhausted(broker.answeredBytes) else { return true }
        pause(slot, waiting: waiting)
        return false
    }

    /// Notes what the peer has been answered in this turn.
    @inline(__always)
    func countAnswers(_ slot: UInt32) {
        guard readThrottle.answeredBytes > 0 else { return }
        sessions[slot].owedBytes = UInt32(clamping: Int(sessions[slot].owedBytes) + readThrottle.answeredBytes)
        loop.markAnswered(slot)
    }
    /// A long reply to the peer is under way.
    func isReplying(_ slot: UInt32) -> Bool { sessions[slot].replyNumber != 0 }

    @inline(never)
    private func pause(_ slot: UInt32, waiting: Int) {
        loop.inputLimit(slot, bytes: waiting + httpLimits.headBytesMax)
        loop.pauseReading(slot)
        sessions[slot].isPaused = true
        readThrottle.pause(slot)
    }

    /// Looks once at those who were paused in the turn before: the answers of most are with the kernel. Of the others `answersTaken` tells.
    func resumePaused() {
        for slot in readThrottle.takeFlushed() { resumeIfDue(slot) }
    }

    func answersTaken(_ slot: UInt32) { resumeIfDue(slot) }

    private func resumeIfDue(_ slot: UInt32) {
        // Another connection may have the slot by now.
        guard sessions[slot].isPaused, !isReplying(slot), !loop.hasUnsentAnswers(slot) else { return }
        sessions[slot].isPaused = false
        loop.resumeReading(slot)
    }
}

/// What one peer may be answered in a turn, and who waits until the answers have been taken.
struct ReadThrottle {
    /// The answer that passes it is still given.
    static let answerBytesMax = 128 << 10
    /// The same for a peer that has not yet taken all earlier answers, those among them.
    static let owedBytesMax = 16 << 10

    /// Bytes answered to the peer whose input is being read.
    var answeredBytes = 0
    /// What it may be answered before it is paused.
    private var allowance = ReadThrottle.answerBytesMax
    /// Paused in this turn: their answers are in the outbox.
    private var new: [UInt32] = []
    /// Paused in the turn before: what the kernel has not taken of their answers is in their backlogs.
    private var flushed: [UInt32] = []

    /// Begins with the next peer, who still has to take so many bytes of answers.
    mutating func begin(owedBytes: Int) {
        answeredBytes = 0
        allowance = owedBytes == 0 ? Self.answerBytesMax : Self.owedBytesMax - owedBytes
    }

    /// Whether the peer has been answered enough, `more` bytes that are on their way among them.
    func isExhausted(_ more: Int) -> Bool { answeredBytes + more > allowance }

    mutating func pause(_ slot: UInt32) { new.append(slot) }

    /// Those who were paused in the turn before, once.
    mutating func takeFlushed() -> [UInt32] {
        defer { flushed = [] }
        return flushed
    }

    /// Ends a turn: what was answered in it is about to be flushed.
    /// - Returns: whether somebody was paused in it, who may be resumed right after the flush.
    mutating func endTurn() -> Bool {
        guard !new.isEmpty else { return false }
        flushed += new
        new = []
        return true
    }
}
