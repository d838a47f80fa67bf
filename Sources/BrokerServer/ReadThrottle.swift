/// A peer whose answers are not with the kernel yet is read no further, so that asking without reading costs nothing: what one peer may
/// be answered in a turn, and who waits until the answers have been taken.
///
/// Requests and messages may come many at once, and their answers may be large. What others publish to the peer does not count: one that
/// is behind with its channels is still heard, so that it can answer a ping, leave a channel or close.
struct ReadThrottle {
    /// The answer that passes it is still given.
    static let answerBytesMax = 128 << 10
    /// The same for a peer that has not yet taken all earlier answers, those among them.
    static let owedBytesMax = 16 << 10

    /// Deliveries that a turn may leave behind: a hundred small events, which go out as one piece to each connection, or a few large ones.
    static let queuedBytesMax = 32 << 10
    /// When more is left behind, no publish is read until it has been taken: publishers who are answered while a crowd is flushed in slices
    /// would outrun it. One each let sixteen of them send 174 of 1,000 readers away. Who only asks is answered; a connection whose questions
    /// turned out to let the deliveries grow by so much is held back too.
    static let aheadBytesMax = 4 << 10

    private(set) var areDeliveriesBehind = false
    /// Tells what a connection went ahead in an earlier time of many deliveries from what it does in this one.
    private var period: UInt16 = 0
    /// Bytes answered to the peer whose input is being read.
    var answeredBytes = 0
    /// What it may be answered before it is paused.
    private var allowance = ReadThrottle.answerBytesMax
    /// Paused in this turn: their answers are in the outbox.
    private var new: [UInt32] = []
    /// Paused in the turn before: what the kernel has not taken of their answers is in their backlogs.
    private var flushed: [UInt32] = []

    /// Whether input of a peer may be looked at now; not while too many answers of earlier turns wait for it, or one is still being made.
    /// - Parameter hasUnsentAnswers: asked only about a peer that owes something.
    @inline(__always)
    mutating func canRead(_ debt: inout AnswerDebt, hasUnsentAnswers: @autoclosure () -> Bool) -> Bool {
        begin(owedBytes: 0)
        guard !debt.isReplying else { return false }
        guard debt.owedBytes > 0 else { return true }
        guard hasUnsentAnswers() else {
            debt.owedBytes = 0
            return true
        }
        begin(owedBytes: Int(debt.owedBytes))
        return !isExhausted(0)
    }

    /// Begins with the next peer, who still has to take so many bytes of answers.
    mutating func begin(owedBytes: Int) {
        answeredBytes = 0
        allowance = owedBytes == 0 ? Self.answerBytesMax : Self.owedBytesMax - owedBytes
    }

    /// Whether the peer has been answered enough, `more` bytes that are on their way among them.
    func isExhausted(_ more: Int) -> Bool { answeredBytes + more > allowance }

    // MARK: Publishing no faster than deliveries are taken

    /// What a turn has left behind.
    @inline(__always)
    mutating func noteDeliveries(queuedBytes: Int) {
        let wereBehind = areDeliveriesBehind
        areDeliveriesBehind = queuedBytes > Self.queuedBytesMax
        if wereBehind, !areDeliveriesBehind { period &+= 1 }
    }

    /// Whether an HTTP connection is not read for now.
    /// - Parameter isQuestion: what it sends begins with a request that does not publish.
    func holdsBack(_ debt: AnswerDebt, isQuestion: Bool) -> Bool {
        areDeliveriesBehind && !(isQuestion && debt.ahead(in: period) < Self.aheadBytesMax)
    }

    /// By how much a connection that was read has let the deliveries grow. What other loops do meanwhile may count for it, or against.
    func noteAhead(_ debt: inout AnswerDebt, bytes: Int) { debt.goAhead(bytes, in: period) }

    // MARK: Pauses

    mutating func pause(_ slot: UInt32) { new.append(slot) }

    var hasFlushed: Bool { !flushed.isEmpty }

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
