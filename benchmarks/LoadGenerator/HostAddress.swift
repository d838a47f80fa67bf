internal import Glibc
internal import Reactor

/// Finds the address that a name stands for. Blocks; for the command line.
enum HostAddress {
    struct Unknown: Error { var text: String }

    /// The first address that takes a connection, IPv4 before IPv6 (whose loopback is one address, and the clients need many); when none
    /// does, the first, so that the run says what is wrong.
    static func find(_ host: String, port: UInt16) throws(Unknown) -> PeerAddress {
        if let literal = PeerAddress.parse(host: host, port: port) { return literal }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0 else { throw Unknown(text: "\(host): \(String(cString: gai_strerror(status)))") }
        defer { freeaddrinfo(list) }
        var found: [PeerAddress] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            if let address = address(entry.pointee, port), !found.contains(address) { found.append(address) }
        }
        found = found.filter { $0.family == .ipv4 } + found.filter { $0.family != .ipv4 }
        guard let first = found.first else { throw Unknown(text: "\(host): no IP address") }
        return found.count == 1 ? first : found.first { accepts($0) } ?? first
    }

    private static func address(_ entry: addrinfo, _ port: UInt16) -> PeerAddress? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        return PeerAddress.parse(
            host: String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self), port: port)
    }

    private static func accepts(_ address: PeerAddress) -> Bool {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, String(address.port), &hints, &list) == 0, let entry = list else {
            return false
        }
        defer { freeaddrinfo(list) }
        let descriptor = socket(entry.pointee.ai_family, entry.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // SO_SNDTIMEO bounds connect too (socket(7)).
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        return connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0
    }
}
