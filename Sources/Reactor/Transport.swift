internal import Glibc

/// A layer between a connection's bytes and its socket that works in records, as TLS does. It does no I/O: it is given what the socket said and
/// asked for what the socket shall take. Loop thread only.
///
/// ```
/// handler ◀── plaintext ── open ◀── feed ◀── recv(2)
/// backlog ─── plaintext ─▶ seal ─▶ outgoing ─▶ send(2)
/// ```
/// The backlog holds plaintext, because it is shortened to whole messages when a peer is too slow; of sealed records only the rest of the
/// last `seal` waits here. A plain connection has no layer and pays for none.
public protocol RecordLayer: AnyObject {
    /// Whether plaintext may pass: the handshake is done.
    var isEstablished: Bool { get }

    /// Takes bytes from the socket. Kept until opened: what one read brought, and the beginning of a record.
    func feed(_ bytes: UnsafeRawBufferPointer)

    /// Bytes fed and not opened; not those of a record that has only begun.
    var incomingCount: Int { get }

    /// Nothing more can be opened or sealed.
    var hasFailed: Bool { get }

    /// Opens what has been fed, and takes the handshake on. It may make records to send ("read wants write"), as the first of a handshake.
    func open(into plaintext: UnsafeMutableRawBufferPointer) -> RecordOpening

    /// Makes records, full ones but for the last. Is called when `outgoing` is empty; how much is sealed at once is the layer's to decide, and
    /// what the kernel then does not take waits in it.
    /// - Parameter plaintext: never empty.
    /// - Returns: bytes taken; 0 when nothing can be sealed before more is fed ("write wants read"), or ever (`hasFailed`).
    func seal(_ plaintext: UnsafeRawBufferPointer) -> Int

    /// Records made that the kernel has not taken, the first of them; valid until the next call of any layer of the loop.
    var outgoing: UnsafeRawBufferPointer { get }

    /// How many bytes of them there are in all.
    var outgoingCount: Int { get }

    /// The kernel has taken the first bytes of `outgoing`.
    func sent(_ count: Int)

    /// Makes the record that says that no more will come (TLS: close_notify).
    func sayGoodbye()
}

extension RecordLayer {
    public var hasFailed: Bool { false }
    public var outgoingCount: Int { outgoing.count }
}

/// What was opened.
public enum RecordOpening: Equatable, Sendable {
    /// So many bytes of plaintext, at least one.
    case bytes(Int)
    /// Nothing before more is fed.
    case needsInput
    /// The peer said goodbye.
    case ended
    /// What came is no record of this peer. An alert may be among `outgoing`.
    case failed
}

/// A connection's layer, and what the loop has to know of it: 48 bytes with the object's head, and there are as many as secured connections.
final class SecureTransport {
    /// What is told when the handshake is over, and then forgotten.
    final class Origin {
        let peer: PeerAddress
        let listener: Int
        init(_ peer: PeerAddress, listener: Int) { (self.peer, self.listener) = (peer, listener) }
    }

    let layer: any RecordLayer
    /// Nil once the connection was opened.
    private(set) var origin: Origin?
    /// Of `outgoing`, what the ledger of backlogs knows of.
    private var counted: UInt32 = 0
    /// The layer could not seal before it is fed: to wait for the socket to take bytes would be to wait for nothing.
    var awaitsInput = false
    var hasSaidGoodbye = false
    /// What was fed has not been opened to the point where it wants more; no event of the socket tells.
    var mayHoldMore = false

    init(_ layer: any RecordLayer, _ origin: Origin) { (self.layer, self.origin) = (layer, origin) }

    var countedBytes: Int {
        get { Int(counted) }
        set { counted = UInt32(newValue) }
    }

    /// For `opened`.
    func takeOrigin() -> Origin? {
        defer { origin = nil }
        return origin
    }

    var hasOutgoing: Bool { layer.outgoingCount > 0 }
}

@available(*, unavailable) extension SecureTransport: Sendable {}

/// A sink that makes records of what it is given; what it takes is sealed, and with the kernel but for the rest of the last record.
struct SecureSink<Base: ByteSink>: ByteSink {
    let transport: SecureTransport
    var base: Base

    mutating func send(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        let plaintext = UnsafeRawBufferPointer(start: bytes, count: count)
        var taken = 0
        while true {
            let code = push(descriptor)
            if code == -Int(EAGAIN) { return taken > 0 ? taken : code }
            if code < 0 { return code }
            guard taken < count else { return taken }
            let sealed = transport.layer.seal(UnsafeRawBufferPointer(rebasing: plaintext[taken...]))
            precondition(sealed >= 0 && sealed <= count - taken, "a layer sealed bytes that are not there")
            transport.awaitsInput = sealed == 0
            if sealed == 0 {
                if transport.layer.hasFailed { return -Int(EPROTO) }
                return taken > 0 ? taken : -Int(EAGAIN)
            }
            taken += sealed
        }
    }

    /// Sends records that were made earlier.
    /// - Returns: 0 when none is left, or a negative errno; EAGAIN: the kernel is full.
    mutating func push(_ descriptor: CInt) -> Int {
        while let base = transport.layer.outgoing.baseAddress, transport.hasOutgoing {
            let count = transport.layer.outgoing.count
            let taken = self.base.send(descriptor, base, count)
            guard taken >= 0 else { return taken }
            transport.layer.sent(taken)
            // The rest of it, or what stood behind it, is offered again when the socket takes bytes.
            if taken < count { return -Int(EAGAIN) }
        }
        return 0
    }

    func backlogAllowance(_ slot: UInt32) -> Int { base.backlogAllowance(slot) }
}
