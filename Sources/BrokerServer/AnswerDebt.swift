/// What one peer has been answered and has not taken: while it is too much, or an answer is still being made, nothing more is read from it.
struct AnswerDebt: Equatable {
    /// Bytes of answers since the kernel had last taken all of them.
    var owedBytes: UInt32 = 0
    /// The long reply that is under way; 0 for none. See `LongReplies`.
    var replyNumber: UInt32 = 0
    /// Input waits until the answers to what came before have been taken; see `ReadThrottle`.
    var isPaused = false
    /// By how much its publishes have gone ahead of the deliveries, in units of 256 bytes, and in which of their times.
    private var aheadUnits: UInt8 = 0
    private var aheadPeriod: UInt16 = 0

    /// A long reply to the peer is under way.
    var isReplying: Bool { replyNumber != 0 }

    init(owedBytes: UInt32 = 0, replyNumber: UInt32 = 0) {
        (self.owedBytes, self.replyNumber) = (owedBytes, replyNumber)
    }

    /// By how many bytes its publishes have gone ahead in this time of many deliveries; see `ReadThrottle`.
    func ahead(in period: UInt16) -> Int { aheadPeriod == period ? Int(aheadUnits) * 256 : 0 }

    mutating func goAhead(_ bytes: Int, in period: UInt16) {
        guard bytes > 0 else { return }
        aheadUnits = UInt8(clamping: (ahead(in: period) + bytes + 255) / 256)
        aheadPeriod = period
    }

    /// Notes what the peer was answered.
    @inline(__always)
    mutating func add(_ bytes: Int) { owedBytes = UInt32(clamping: Int(owedBytes) + bytes) }
}
