internal import COpenSSL

/// What the TLS connections of one loop share: the buffers that records pass, and the BIO by which OpenSSL reaches them. So a connection that
/// rests holds none, and one `send` takes all the records of a turn. Loop thread only; it outlives its layers.
///
/// One connection at a time has the buffers (`enter`); what another left in them is moved to that one first.
///
/// ```
/// recv ─feed─▶ input ──BIO read──▶ SSL_read ─▶ plaintext
/// send ◀────── output ◀─BIO write── SSL_write ◀─ plaintext      never refuses, so no call has to be repeated
/// ```
public final class TLSRoom {
    /// Refers to the room; every SSL of it holds a reference.
    let bio: OpaquePointer
    var input = ByteRoom()
    var output = ByteRoom()
    /// Who has the buffers. Not counted: a layer leaves before it goes.
    private var current: Unmanaged<TLSLayer>?
    private let keeper: TLSKeeper?
    /// What handshakes begin with now, and its number.
    private var newest: (context: TLSContext, number: Int)?

    /// - Parameter keeper: nil: for clients only.
    public init(_ keeper: TLSKeeper?) {
        self.keeper = keeper
        newest = keeper?.newest
        guard let bio = BIO_new(Self.method) else { preconditionFailure("BIO_new: out of memory") }
        self.bio = bio
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
    }

    deinit {
        BIO_free(bio)
        input.free()
        output.free()
    }

    /// The layer of a client that was accepted, with the newest certificates; nil without memory.
    public func accept() -> TLSLayer? {
        if newest?.number != keeper?.number { newest = keeper?.newest }
        return newest.flatMap { TLSLayer(accepting: $0.context, in: self) }
    }

    @inline(__always)
    func isCurrent(_ layer: TLSLayer) -> Bool { current?.toOpaque() == Unmanaged.passUnretained(layer).toOpaque() }

    /// Gives a layer the buffers, empty.
    @inline(__always)
    func enter(_ layer: TLSLayer) {
        if !isCurrent(layer) { change(to: layer) }
    }

    private func change(to layer: TLSLayer) {
        current?._withUnsafeGuaranteedRef { $0.takeOver() }
        current = Unmanaged.passUnretained(layer)
    }

    /// A layer goes.
    func leave(_ layer: TLSLayer) {
        guard isCurrent(layer) else { return }
        current = nil
        input.drop(input.count)
        output.drop(output.count)
    }

    // MARK: The BIO

    fileprivate func read(_ target: UnsafeMutableRawPointer, _ count: Int) -> Int {
        current?._withUnsafeGuaranteedRef { $0.readRecords(target, count) } ?? 0
    }

    // SAFETY: made once, complete; OpenSSL only reads it.
    nonisolated(unsafe) private static let method: OpaquePointer = {
        guard let method = copenssl_new_method(readFromRoom, writeToRoom, controlRoom) else {
            preconditionFailure("BIO_meth_new: out of memory")
        }
        return method
    }()
}

@available(*, unavailable) extension TLSRoom: Sendable {}

// Global functions, because a C callback has no context of its own.

private func room(_ bio: OpaquePointer?) -> Unmanaged<TLSRoom> { Unmanaged.fromOpaque(BIO_get_data(bio)) }

private func readFromRoom(
    _ bio: OpaquePointer?, _ target: UnsafeMutablePointer<CChar>?, _ count: Int, _ taken: UnsafeMutablePointer<Int>?
) -> CInt {
    guard let target, let taken else { return 0 }
    copenssl_clear_retry(bio)
    taken.pointee = room(bio)._withUnsafeGuaranteedRef { $0.read(target, count) }
    if taken.pointee > 0 { return 1 }
    copenssl_retry_read(bio)
    return 0
}

private func writeToRoom(
    _ bio: OpaquePointer?, _ bytes: UnsafePointer<CChar>?, _ count: Int, _ taken: UnsafeMutablePointer<Int>?
) -> CInt {
    guard let taken else { return 0 }
    copenssl_clear_retry(bio)
    room(bio)._withUnsafeGuaranteedRef {
        $0.output.append(UnsafeRawBufferPointer(start: bytes, count: count), slack: true)
    }
    taken.pointee = count
    return 1
}

private func controlRoom(_: OpaquePointer?, _ command: CInt, _: Int, _: UnsafeMutableRawPointer?) -> Int {
    // What is written is with the loop.
    command == BIO_CTRL_FLUSH ? 1 : 0
}
