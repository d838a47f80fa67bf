/// What one peer has been answered and has not taken: while it is too much, or an answer is still being made, nothing more is read from it.
struct AnswerDebt: Equatable {
    /// Bytes of answers since the kernel had last taken all of them.
    var owedBytes: UInt32 = 0
    /// The long reply that is under way; 0 for none. See `LongReplies`.
    var replyNumber: UInt32 = 0
    /// Input waits until the answers to what came before have been taken; see `ReadThrottle`.
    var isPaused = false

    /// A long reply to the peer is under way.
    var isReplying: Bool { replyNumber != 0 }

    /// Notes what the peer was answered.
    @inline(__always)
    mutating func add(_ bytes: Int) { owedBytes = UInt32(clamping: Int(owedBytes) + bytes) }
}
