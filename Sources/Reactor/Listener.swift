internal import CLinux

/// A bound, listening stream socket that no loop serves yet: of TCP, or a Unix socket.
public struct Listener: ~Copyable, Sendable {
    let descriptor: Descriptor
    /// The bound port; the kernel's choice when 0 was asked for, and 0 of a Unix socket.
    public let port: UInt16
    /// Of a Unix socket whose file is this process's to remove.
    public let file: SocketFile?

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
        self.init(open: raw, file: nil)
    }

    /// Listens on a path. A socket file on which nobody listens any more is replaced; what else is there stays, and is an error.
    /// - Parameters:
    ///   - mode: permission bits of the file, whatever the umask.
    public init(path: String, mode: UInt32, backlog: Int) throws(IOError) {
        let raw = try IOError.check(
            clinux_unix_listen(path, mode, CInt(clamping: backlog)), "listen on \(path)")
        self.init(open: raw, file: SocketFile(path: path))
    }

    /// A listener that another process has opened: a supervisor, or a server that hands its own over. The descriptor is taken in any case.
    /// - Parameter path: of a Unix socket whose file becomes this process's to remove.
    public init(inherited raw: CInt, path: String? = nil) throws(IOError) {
        let owned = Descriptor(owning: raw)
        guard try IOError.check(clinux_is_listener(owned.raw), "descriptor \(raw)") == 1 else {
            throw IOError(call: "descriptor \(raw)", code: EINVAL)
        }
        _ = try IOError.check(clinux_take_listener(owned.raw), "fcntl")
        self.init(open: owned.release(), file: path.flatMap(SocketFile.init))
    }

    private init(open raw: CInt, file: SocketFile?) {
        descriptor = Descriptor(owning: raw)
        port = UInt16(truncatingIfNeeded: max(0, clinux_local_port(raw)))
        self.file = file
    }

    /// The number, to be handed to another process while a loop serves it; open as long as that loop listens.
    public var raw: CInt { descriptor.raw }

    /// What it is bound to: an address without the port, or the path of a Unix socket.
    public var place: String {
        var path = [CChar](repeating: 0, count: 128)
        if clinux_local_path(raw, &path, path.count) == 0, path[0] != 0 {
            return "unix:" + String(decoding: path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        var address = clinux_address()
        return clinux_local_address(raw, &address) == 0 ? PeerAddress(address).host : "-"
    }

    consuming func release() -> CInt { descriptor.release() }
}

/// The file of a Unix socket: it stays when its socket is closed, and may be another's by then.
public struct SocketFile: Sendable, Equatable {
    public let path: String
    private let device: UInt64
    private let inode: UInt64

    /// nil: there is none.
    public init?(path: String) {
        var (device, inode): (UInt64, UInt64) = (0, 0)
        guard clinux_file_identity(path, &device, &inode) == 0 else { return nil }
        (self.path, self.device, self.inode) = (path, device, inode)
    }

    /// Whether it is still the same that stands there.
    public var isThere: Bool { SocketFile(path: path) == self }

    /// Removes it, unless another has its place by now.
    public func remove() {
        if isThere { _ = clinux_unlink(path) }
    }

    /// Gives it another name, in place of what has that.
    public func moved(to path: String) throws(IOError) -> SocketFile {
        _ = try IOError.check(clinux_rename(self.path, path), "rename to \(path)")
        guard let moved = SocketFile(path: path) else { throw IOError(call: "rename to \(path)", code: ENOENT) }
        return moved
    }
}
