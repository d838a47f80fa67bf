internal import Wire

/// Which addresses a webhook may be sent to. Who can name an URL must not reach what only this machine or its network should (SSRF): not the
/// metadata of a cloud, not a database that trusts its network.
///
/// ```
/// address ─▶ the first row that has it ─▶ never            multicast, broadcast, "this network": no server is there
///                     │                 ─▶ local           only with `allowPrivate`
///                     │                 ─▶ carries IPv4    a form of IPv4 in IPv6: judged as that, too
///                     └─ none: global
/// ```
/// Pure. The table follows IANA's special-purpose registries (RFC 6890), and is stricter where those call something global that no web server
/// has.
enum AddressGuard {
    /// Why not.
    struct Refusal: Equatable {
        /// `a loopback address`.
        var what: String
        /// `allowPrivate` changes nothing.
        var isForGood: Bool
    }

    /// Nil: it may be called.
    static func refusal(of address: IPAddress, allowsPrivate: Bool) -> Refusal? {
        let rows = address.family == .ipv4 ? ipv4Rows : ipv6Rows
        guard let row = rows.first(where: { $0.contains(address) }) else {
            // What is not given to anybody yet (RFC 4291 §2.4) may be given to something special.
            let isGlobal = address.family == .ipv4 || address.high >> 61 == 1
            return isGlobal || allowsPrivate ? nil : Refusal(what: "an address that nobody has yet", isForGood: false)
        }
        let carried = row.carries.flatMap { IPAddress(ipv4: $0(address)) }
            .flatMap { refusal(of: $0, allowsPrivate: allowsPrivate) }
        if let carried { return Refusal(what: "\(row.what) \(carried.what)", isForGood: carried.isForGood) }
        switch row.rule {
        case .never: return Refusal(what: row.what, isForGood: true)
        case .local:
            return allowsPrivate
                ? nil : Refusal(what: row.what + (row.carries == nil ? "" : " an address"), isForGood: false)
        case .asCarried: return nil
        }
    }

    // MARK: The table

    private enum Rule { case never, local, asCarried }

    private struct Row: Sendable {
        let first: IPAddress
        let bits: Int
        let rule: Rule
        let what: String
        /// The IPv4 address that is in it.
        var carries: (@Sendable (IPAddress) -> UInt32)?

        init(
            _ network: String, _ bits: Int, _ rule: Rule, _ what: String,
            carries: (@Sendable (IPAddress) -> UInt32)? = nil
        ) {
            guard let first = IPAddress(network) else { preconditionFailure("\(network) is an address") }
            (self.first, self.bits, self.rule, self.what, self.carries) = (first, bits, rule, what, carries)
        }

        func contains(_ address: IPAddress) -> Bool {
            if first.family == .ipv4 { return (address.low ^ first.low) >> UInt64(32 - bits) == 0 }
            if bits <= 64 { return (address.high ^ first.high) >> UInt64(64 - bits) == 0 }
            return address.high == first.high && (address.low ^ first.low) >> UInt64(128 - bits) == 0
        }
    }

    private static let ipv4Rows = [
        Row("0.0.0.0", 8, .never, "an address of \"this network\", which is this machine (RFC 1122)"),
        Row("127.0.0.0", 8, .local, "a loopback address"),
        Row("169.254.169.254", 32, .local, "where clouds keep a machine's secrets (metadata)"),
        Row("169.254.0.0", 16, .local, "a link-local address (RFC 3927)"),
        Row("10.0.0.0", 8, .local, "a private address (RFC 1918)"),
        Row("172.16.0.0", 12, .local, "a private address (RFC 1918)"),
        Row("192.168.0.0", 16, .local, "a private address (RFC 1918)"),
        Row("100.64.0.0", 10, .local, "a provider's internal address (RFC 6598)"),
        Row("168.63.129.16", 32, .local, "where Azure serves its machines (metadata)"),
        Row("192.0.0.0", 24, .local, "an address of a protocol (RFC 6890)"),
        Row("192.0.2.0", 24, .local, "an address for documentation (RFC 5737)"),
        Row("198.51.100.0", 24, .local, "an address for documentation (RFC 5737)"),
        Row("203.0.113.0", 24, .local, "an address for documentation (RFC 5737)"),
        Row("192.88.99.0", 24, .local, "a relay's address (RFC 7526)"),
        Row("198.18.0.0", 15, .local, "an address for benchmarks (RFC 2544)"),
        Row("224.0.0.0", 4, .never, "a multicast address"),
        Row("255.255.255.255", 32, .never, "the broadcast address"),
        Row("240.0.0.0", 4, .local, "a reserved address (RFC 1112)"),
    ]

    private static let ipv6Rows = [
        Row("::", 128, .never, "the unspecified address, which is this machine"),
        Row("::1", 128, .local, "a loopback address"),
        // IPv4 as IPv6 (`::ffff:…`) is IPv4 already, see `IPAddress`.
        Row("::", 96, .local, "an IPv6 form of", carries: { UInt32(truncatingIfNeeded: $0.low) }),
        Row("::ffff:0:0:0", 96, .local, "an IPv6 form of", carries: { UInt32(truncatingIfNeeded: $0.low) }),
        Row("64:ff9b::", 96, .asCarried, "the NAT64 form of", carries: { UInt32(truncatingIfNeeded: $0.low) }),
        Row("64:ff9b:1::", 48, .local, "an address of a network's own NAT64 (RFC 8215)"),
        Row("100::", 64, .local, "an address that discards (RFC 6666)"),
        Row("2001::", 32, .local, "the Teredo form of", carries: { ~UInt32(truncatingIfNeeded: $0.low) }),
        Row("2001::", 23, .local, "an address of a protocol (RFC 2928)"),
        Row("2001:db8::", 32, .local, "an address for documentation (RFC 3849)"),
        Row("2002::", 16, .local, "the 6to4 form of", carries: { UInt32(truncatingIfNeeded: $0.high >> 16) }),
        Row("3fff::", 20, .local, "an address for documentation (RFC 9637)"),
        Row("5f00::", 16, .local, "an address of segment routing (RFC 9602)"),
        Row("fd00:ec2::", 32, .local, "where clouds keep a machine's secrets (metadata)"),
        Row("fc00::", 7, .local, "a private address (RFC 4193)"),
        Row("fe80::", 10, .local, "a link-local address (RFC 4291)"),
        Row("fec0::", 10, .local, "a site-local address (RFC 3879)"),
        Row("ff00::", 8, .never, "a multicast address"),
    ]
}
