extension IPAddress {
    /// What the address is when it is not one that everybody can reach (RFC 6890 and the registries of IANA it made): `loopback`, `private` …;
    /// nil for all others. Whoever lets somebody else say where requests go sends none to such an address. Any thread.
    public var reservedKind: String? {
        if let address = carried { return address.reservedKind }
        for (network, kind) in Self.reserved where network.contains(self) { return kind }
        return nil
    }

    /// The IPv4 address to which IPv6 leads that a translator or a tunnel understands: NAT64 (RFC 6052 §2.1) and 6to4 (RFC 3056 §2).
    private var carried: IPAddress? {
        guard family == .ipv6 else { return nil }
        if high == 0x0064_FF9B << 32, low >> 32 == 0 { return IPAddress(ipv4: UInt32(truncatingIfNeeded: low)) }
        return high >> 48 == 0x2002 ? IPAddress(ipv4: UInt32(truncatingIfNeeded: high >> 16)) : nil
    }

    private static let reserved = rows.map { text, bits, kind in
        guard let first = IPAddress(text) else { preconditionFailure("\(text) is an address") }
        return (network: NetworkList.Network(first: first, prefixBits: bits), kind: kind)
    }

    private static let rows: [(text: String, bits: Int, kind: String)] = [
        ("127.0.0.0", 8, "loopback"), ("::1", 128, "loopback"),
        // Linux dials itself.
        ("0.0.0.0", 8, "of this host"), ("::", 96, "of this host"),
        ("10.0.0.0", 8, "private"), ("172.16.0.0", 12, "private"), ("192.168.0.0", 16, "private"),
        ("fc00::", 7, "private"), ("fec0::", 10, "private"), ("64:ff9b:1::", 48, "private"),
        ("100.64.0.0", 10, "a provider's own"),
        // Among them are the addresses under which clouds tell a machine its credentials.
        ("169.254.0.0", 16, "link-local"), ("fe80::", 10, "link-local"),
        ("168.63.129.16", 32, "the cloud's own"),
        ("224.0.0.0", 4, "multicast"), ("ff00::", 8, "multicast"),
        ("192.0.0.0", 24, "reserved"), ("192.88.99.0", 24, "reserved"), ("198.18.0.0", 15, "reserved"),
        ("240.0.0.0", 4, "reserved"), ("100::", 64, "reserved"), ("2001::", 23, "reserved"), ("5f00::", 16, "reserved"),
        ("192.0.2.0", 24, "for documentation"), ("198.51.100.0", 24, "for documentation"),
        ("203.0.113.0", 24, "for documentation"), ("2001:db8::", 32, "for documentation"),
        ("3fff::", 20, "for documentation"),
    ]
}
