/// What a turn may deliver before it flushes and hears its peers again, however small the frames and however many get them.
struct TurnAllowance {
    /// Bytes in the turn's arena.
    static let bytesMax = 4 << 20
    /// Frames handed to connections: about a millisecond's work.
    static let framesMax = 1 << 19
    /// What a delivery costs besides its recipients, in such frames.
    static let deliveryFrames = 32

    private(set) var frames = 0

    func isLeft(arenaBytes: Int) -> Bool { frames < Self.framesMax && arenaBytes < Self.bytesMax }

    mutating func spend(recipients: Int) { frames += recipients + Self.deliveryFrames }
}
