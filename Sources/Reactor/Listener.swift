internal import CLinux

/// A bound, listening TCP socket that no loop serves yet.
public struct Listener: ~Copyable, Sendable {
    let descriptor: Descriptor
    /// The bound port; the kernel's choice when 0 was asked for.
    public let port: UInt16

    /// Resolves `host` (a literal, a name, or "" for any address) and listens. Blocks while a name is resolved: call it at start.
    ///
    /// - Parameters:
    ///   - port: 0 picks a free one.
    ///   - reusePort: SO_REUSEPORT, so that each loop may have its own socket on the port and the kernel spreads clients.
    ///   - backlog: connections the kernel holds before `accept`.
    public init(host: String, port: UInt16, reusePort: Bool, backlog: Int) throws(IOError) {
        let bare = host.utf8.first == 0x5B && host.utf8.last == 0x5D ? String(host.dropFirst().dropLast()) : host
        let raw = try IOError.check(
            clinux_listen(bare, port, reusePort, CInt(clamping: backlog)), "listen on \(host):\(port)")
        let bound = clinux_local_port(raw)
        descriptor = Descriptor(owning: raw)
        self.port = UInt16(truncatingIfNeeded: max(0, bound))
    }

    consuming func release() -> CInt { descriptor.release() }
}
