/// Reads what may stand before a connection's own bytes and tells whom it comes from, as a proxy's PROXY header does. The loop knows no such
/// format; it waits for it, takes exactly its bytes from the socket, and then begins as if the connection had just been accepted.
/// Loop thread only.
public protocol Preamble: AnyObject {
    /// The longest there is; not more than `LoopOptions.inputGraceBytes`.
    var bytesMax: Int { get }

    /// Whether whoever connects from there must begin with one. Others cannot: what they say is the connection's own.
    func isDue(from peer: PeerAddress) -> Bool

    /// - Parameter bytes: all that is here, from the first byte on; never empty, and a part of it may not be the preamble's.
    func read(_ bytes: UnsafeRawBufferPointer) -> PreambleReading
}

/// What was found where a preamble is due.
public enum PreambleReading: Sendable {
    /// The rest is not here. Is not the answer to `Preamble.bytesMax` bytes.
    case needsMore
    /// - Parameters:
    ///   - peer: nil: it leaves open whom it comes from.
    ///   - isSecured: whoever wrote it says that the peer's bytes reached him over a layer of his own.
    case whole(bytes: Int, peer: PeerAddress?, isSecured: Bool = false)
    case refused(StaticString)
}

/// Why a connection ended in its preamble.
public enum PreambleFailure: Sendable {
    /// It was not whole within `LoopOptions.handshakeMilliseconds`.
    case timeout
    /// The peer closed or reset the connection within it.
    case gone
    case refused(StaticString)
}

/// Whom preambles told of, by the slot, until the connection is opened. No more than connections that were not opened yet.
struct ToldPeers {
    private var peers: [UInt32: PeerAddress] = [:]

    var isEmpty: Bool { peers.isEmpty }
    subscript(slot: UInt32) -> PeerAddress? { peers[slot] }
    mutating func note(_ peer: PeerAddress?, _ slot: UInt32) { peers[slot] = peer }
    mutating func forget(_ slot: UInt32) { if !peers.isEmpty { peers[slot] = nil } }
}
