internal import Reactor
internal import Wire

/// One request, whole or as far as its head: the head's bytes and the body, where they lie, valid while it is answered.
struct RequestView {
    enum Stage: Equatable {
        /// All of it is here.
        case whole
        /// The body is still to come. What the head decides is answered now; `Answer.body` asks for the rest.
        case head
        /// All of it is here, and its head was asked about before.
        case admitted
    }

    var bytes = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    var head = HTTPRequestHead()
    var body = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    var stage = Stage.whole
    /// Who connected: the client, or a proxy in front.
    var peer = PeerAddress()
    /// When it is answered: seconds since 1970, and milliseconds of the loop's clock.
    var unixSeconds = 0
    var milliseconds: UInt64 = 0

    /// The head's own bytes, for the log.
    var headBytes: UnsafeBufferPointer<UInt8> { bytes.extracting(0..<head.headBytes) }

    /// Part of the head's bytes.
    func slice(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> { bytes.extracting(range) }

    func text(_ range: Range<Int>?) -> String? {
        range.map { String(decoding: bytes.extracting($0), as: UTF8.self) }
    }
}
