/// What a turn may deliver before it flushes and hears its peers again, however small the frames and however many get them.
///
/// What is left over waits in the loop's queue, once for all who get it. Taken at once it would wait in the backlog of each of them: while a
/// crowd is flushed in slices, publishes go on, and kernels take no more of a connection than its peer has room for.
struct TurnAllowance {
    /// Bytes in the turn's arena.
    static let bytesMax = 4 << 20
    /// Frames handed to connections: about a millisecond's work.
    static let framesMax = 1 << 19
    /// The bytes of those frames, by each connection that gets them: a quarter of what all backlogs may hold (`backlogTotalBytes`), so that a
    /// crowd that reads is not sent away for one turn's events.
    static let copiedBytesMax = 32 << 20
    /// What a delivery costs besides its recipients, in such frames.
    static let deliveryFrames = 32

    private(set) var frames = 0
    private(set) var copiedBytes = 0

    /// Whether one more delivery may be taken, however large it is.
    func isLeft(arenaBytes: Int) -> Bool {
        frames < Self.framesMax && copiedBytes < Self.copiedBytesMax && arenaBytes < Self.bytesMax
    }

    mutating func spend(recipients: Int, frameBytes: Int) {
        frames += recipients + Self.deliveryFrames
        copiedBytes += recipients * frameBytes
    }
}
