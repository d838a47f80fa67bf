internal import CLinux

/// A connection over a Unix socket whose bytes may bring descriptors along. Blocking, with patience for each call; for the talk of two
/// processes, never on a loop.
public final class UnixStream: Sendable {
    private let descriptor: Descriptor
    /// Who is at the other end, by the kernel's word (SO_PEERCRED).
    public let user: UInt32
    public let process: Int32

    /// Connects to a path.
    public convenience init(path: String, patienceMilliseconds: Int32) throws(IOError) {
        try self.init(try Self.connect(to: path), patienceMilliseconds: patienceMilliseconds)
    }

    /// A plain blocking connection.
    public static func connect(to path: String) throws(IOError) -> Descriptor {
        Descriptor(owning: try IOError.check(clinux_unix_connect(path), "connect to \(path)"))
    }

    /// The next connection that waits at a listener; nil: none does.
    public static func accept(
        from listener: borrowing Listener, patienceMilliseconds: Int32
    ) throws(IOError) -> UnixStream? {
        var address = clinux_address()
        let raw = clinux_accept(listener.raw, &address)
        guard raw != -EAGAIN else { return nil }
        return try UnixStream(
            Descriptor(owning: try IOError.check(raw, "accept")), patienceMilliseconds: patienceMilliseconds)
    }

    private init(_ open: consuming Descriptor, patienceMilliseconds: Int32) throws(IOError) {
        var (user, process): (uid_t, pid_t) = (.max, 0)
        _ = try IOError.check(clinux_peer_credentials(open.raw, &user, &process), "SO_PEERCRED")
        _ = try IOError.check(clinux_set_patience(open.raw, patienceMilliseconds), "SO_RCVTIMEO")
        descriptor = open
        (self.user, self.process) = (user, process)
    }

    /// To wait for.
    public var raw: CInt { descriptor.raw }

    /// Sends a whole text, and a descriptor with it; this process keeps its own.
    public func send(_ text: String, with sent: CInt? = nil) throws(IOError) {
        var (rest, extra) = (Array(text.utf8)[...], sent ?? -1)
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                clinux_send_descriptor(descriptor.raw, $0.baseAddress, $0.count, extra)
            }
            guard count > 0 else { throw IOError(call: "sendmsg", code: count == 0 ? EPIPE : CInt(-count)) }
            (rest, extra) = (rest.dropFirst(count), -1)
        }
    }

    /// Waits for what comes next; nil: the other end has closed.
    public func receive() throws(IOError) -> (bytes: [UInt8], descriptor: CInt?)? {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        var came: CInt = -1
        let count = bytes.withUnsafeMutableBytes {
            clinux_receive_descriptor(descriptor.raw, $0.baseAddress, $0.count, &came)
        }
        guard count >= 0 else { throw IOError(call: "recvmsg", code: CInt(-count)) }
        guard count > 0 else { return nil }
        return (Array(bytes[..<count]), came >= 0 ? came : nil)
    }
}
