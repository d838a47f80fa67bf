internal import PusherProtocol

/// Puts a connection's place into its socket id, so that an excluded `socket_id` is found without a table.
///
/// `high` is (loop, slot) scrambled by a permutation with a secret of its own; `low` is random. The permutation is a Feistel
/// network whose rounds are SipHash-1-3: every client sees its ids, so they must not say anything about the secret.
///
///     left ──────────── ⊕ ── right         one round: the halves swap, and the left one is
///     right ── SipHash ─┘ ── left          masked by the hash of (round, right)
struct SocketIDCodec: Sendable {
    private static let slotBits: UInt32 = 26
    /// Four make a permutation that cannot be told from a random one in either direction (Luby and Rackoff). Halves of 16 bits let a
    /// patient peer foresee ids, which are no secret, but never the key.
    private static let rounds: UInt64 = 4
    private let key: SecretKey

    init(key: SecretKey) { self.key = key }

    /// - Parameters:
    ///   - loop: 0...63.
    ///   - slot: below 2²⁶.
    func socketID(loop: Int, slot: UInt32, random: UInt32) -> SocketID {
        SocketID(high: scramble(UInt32(loop) << Self.slotBits | slot), low: random)
    }

    func place(of id: SocketID) -> (loop: Int, connection: ConnectionTag) {
        let plain = unscramble(id.high)
        return (
            Int(plain >> Self.slotBits), ConnectionTag(slot: plain & ((1 << Self.slotBits) - 1), tag: id.low)
        )
    }

    private func scramble(_ plain: UInt32) -> UInt32 {
        var (left, right) = (plain >> 16, plain & 0xFFFF)
        for round in 0..<Self.rounds { (left, right) = (right, left ^ mask(right, round)) }
        return left << 16 | right
    }

    private func unscramble(_ scrambled: UInt32) -> UInt32 {
        var (left, right) = (scrambled >> 16, scrambled & 0xFFFF)
        for round in (0..<Self.rounds).reversed() { (left, right) = (right ^ mask(left, round), left) }
        return left << 16 | right
    }

    @inline(__always)
    private func mask(_ half: UInt32, _ round: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: SipHash.hash(number: round << 16 | UInt64(half), key: key)) & 0xFFFF
    }
}
