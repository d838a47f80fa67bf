internal import CLinux
internal import Glibc

/// An IPv4 or IPv6 address and a port, as a plain value (24 bytes, no heap).
public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Family: UInt8, Sendable {
        /// Not an IP socket (a socketpair, a Unix socket).
        case none = 0
        case ipv4 = 4
        case ipv6 = 6
    }

    public let family: Family
    /// 0 when unknown.
    public let port: UInt16
    /// The address bits as big-endian numbers; IPv4 sits in the low 32 bits of `low`.
    public let high: UInt64
    public let low: UInt64

    /// No address.
    public init() { (family, port, high, low) = (.none, 0, 0, 0) }

    init(_ raw: clinux_address) {
        (family, port, high, low) = (Family(rawValue: raw.family) ?? .none, raw.port, raw.high, raw.low)
    }

    /// - Parameters:
    ///   - high, low: the address bits, as in the properties.
    public init(family: Family, port: UInt16, high: UInt64, low: UInt64) {
        (self.family, self.port, self.high, self.low) = (family, port, high, low)
    }

    /// Reads an IP literal (`192.0.2.1`, `2001:db8::1`, with or without brackets); nil when it is not one. IPv4 written as
    /// IPv6 (`::ffff:192.0.2.1`) becomes IPv4, so that one client has one address.
    public static func parse(host: String, port: UInt16 = 0) -> PeerAddress? {
        var four = in_addr()
        if inet_pton(AF_INET, host, &four) == 1 {
            return PeerAddress(family: .ipv4, port: port, high: 0, low: UInt64(UInt32(bigEndian: four.s_addr)))
        }
        let isBracketed = host.utf8.first == 0x5B && host.utf8.last == 0x5D
        let bare = isBracketed ? String(host.dropFirst().dropLast()) : host
        var six = in6_addr()
        guard inet_pton(AF_INET6, bare, &six) == 1 else { return nil }
        let (high, low) = withUnsafeBytes(of: six) { bytes in
            (
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        if high == 0 && low >> 32 == 0xFFFF {
            return PeerAddress(family: .ipv4, port: port, high: 0, low: low & 0xFFFF_FFFF)
        }
        return PeerAddress(family: .ipv6, port: port, high: high, low: low)
    }

    /// The address without the port: `192.0.2.1`, `2001:db8::1` (RFC 5952), or `-` when there is none.
    public var host: String {
        switch family {
        case .none: return "-"
        case .ipv4: return "\(low >> 24 & 255).\(low >> 16 & 255).\(low >> 8 & 255).\(low & 255)"
        case .ipv6:
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            var bits = (high.bigEndian, low.bigEndian)
            guard inet_ntop(AF_INET6, &bits, &text, socklen_t(text.count)) != nil else { return "-" }
            return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    /// `192.0.2.1:443`, `[2001:db8::1]:443`.
    public var description: String {
        switch family {
        case .none: "-"
        case .ipv4: "\(host):\(port)"
        case .ipv6: "[\(host)]:\(port)"
        }
    }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        switch family {
        case .none: false
        case .ipv4: low >> 24 == 127
        case .ipv6: high == 0 && low == 1
        }
    }
}
