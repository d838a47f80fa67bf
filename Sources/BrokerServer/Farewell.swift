internal import Reactor

/// How a connection ends: what is still said, and how long its peer has.
enum Farewell {
    /// What is queued goes out, then the last words, then our FIN. The linger time covers all of it and the peer's own FIN.
    case finish(LastWords, lingerSeconds: UInt64)
    /// What is queued is dropped but for the frame that the peer has begun to receive. Without last words: a reset.
    case cutOff(LastWords)
    /// The kernel has ended it.
    case gone

    /// Long enough for a closing handshake, and for a caller who has not read the answer yet, because it is still sending.
    static func finish(_ words: LastWords) -> Farewell { .finish(words, lingerSeconds: 5) }
    /// For a peer that has its answer, or will send no more.
    static var finishSoon: Farewell { .finish(.none, lingerSeconds: 1) }
}
