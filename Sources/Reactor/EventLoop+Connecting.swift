internal import CLinux
internal import Glibc

extension EventLoop {
    /// Begins an outgoing TCP connection without waiting for it. `opened` comes from the loop's next turn, before the peer has answered:
    /// what is queued then goes out when it does, and a refusal comes as `closed(.error(ECONNREFUSED))`.
    ///
    /// - Parameters:
    ///   - source: the local address, its port ignored; nil leaves it to the kernel. With several (127.0.0.x) more connections fit than one
    ///     address has ports.
    ///   - tag: what `opened` gets as `listener`.
    ///   - layer: what the bytes pass; `opened` then comes after its handshake.
    /// - Returns: the slot.
    @discardableResult
    public func connect(
        to target: PeerAddress, from source: PeerAddress? = nil, tag: Int = -1, layer: (any RecordLayer)? = nil
    ) throws(IOError) -> UInt32 {
        let family = target.family == .ipv6 ? AF_INET6 : AF_INET
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let raw = socket(family, kind, 0)
        guard raw >= 0 else { throw IOError(call: "socket", code: errno) }
        let descriptor = Descriptor(owning: raw)
        if let source {
            // The port is then chosen at connect, when the whole pair is known, so that one port serves several targets.
            var on: CInt = 1
            _ = setsockopt(raw, CInt(IPPROTO_IP), Self.bindAddressNoPort, &on, socklen_t(MemoryLayout<CInt>.size))
            let code = source.withSocketAddress(port: 0) { Glibc.bind(raw, $0, $1) == 0 ? 0 : errno }
            guard code == 0 else { throw IOError(call: "bind to \(source.host)", code: code) }
        }
        let code = target.withSocketAddress(port: target.port) { Glibc.connect(raw, $0, $1) == 0 ? 0 : errno }
        guard code == 0 || code == EINPROGRESS else { throw IOError(call: "connect to \(target)", code: code) }
        return try adopt(descriptor, tag: tag, layer: layer)
    }

    /// Whether the peer has taken an outgoing connection.
    public func isConnected(_ slot: UInt32) -> Bool {
        var address = clinux_address()
        return table[slot].isOpen() && clinux_peer_address(table[slot].descriptor, &address) == 0
    }

    /// Whether something waits for the kernel to take it: frames of this turn, a backlog, a layer's record.
    public func hasUnsent(_ slot: UInt32) -> Bool {
        table[slot].isOpen() && (outbox.hasEntry(slot) || table.isBehind(slot))
    }

    /// IP_BIND_ADDRESS_NO_PORT (linux/in.h); the C library's header is not in the Glibc module.
    private static let bindAddressNoPort: CInt = 24
}

extension PeerAddress {
    /// The address as the kernel wants it. `.none` stands for the IPv4 wildcard.
    fileprivate func withSocketAddress(
        port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        guard family == .ipv6 else {
            var four = sockaddr_in()
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            four.sin_addr.s_addr = UInt32(truncatingIfNeeded: low).bigEndian
            return withUnsafePointer(to: four) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &six.sin6_addr) {
            $0.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return withUnsafePointer(to: six) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }
}
