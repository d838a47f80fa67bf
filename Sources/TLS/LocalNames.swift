/// What a development certificate is for.
public struct LocalNames: Sendable, Equatable {
    /// Lower-case host names, also `*.app.test`; without a comma, which would end one in OpenSSL's language.
    public var hosts: [String]
    /// 4 or 16 bytes each, in the order of the network.
    public var addresses: [[UInt8]]

    public init(hosts: [String], addresses: [[UInt8]]) {
        (self.hosts, self.addresses) = (hosts, addresses)
    }

    /// Every machine's own.
    public static let ownMachine = LocalNames(
        hosts: ["localhost"], addresses: [[127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1]])

    /// All of both, each once, in the order in which they were first said.
    public func adding(_ others: LocalNames) -> LocalNames {
        LocalNames(
            hosts: hosts + others.hosts.filter { !hosts.contains($0) },
            addresses: addresses + others.addresses.filter { !addresses.contains($0) })
    }

    func contains(_ others: LocalNames) -> Bool {
        others.hosts.allSatisfy(hosts.contains) && others.addresses.allSatisfy(addresses.contains)
    }

    /// For people.
    public var all: [String] { hosts + addresses.map(Self.text) }

    /// As OpenSSL's configuration writes them (x509v3_config(5)).
    var alternativeNames: String {
        (hosts.map { "DNS:" + $0 } + addresses.map { "IP:" + Self.text($0) }).joined(separator: ",")
    }

    // MARK: What an authority may sign for

    /// Names that no public authority gives away: RFC 6761, RFC 6762, RFC 8375, and ICANN's `internal`.
    private static let localDomains = ["localhost", "test", "local", "internal", "home.arpa", "lan", "example"]
    /// Loopback, RFC 1918, RFC 3927; loopback, RFC 4193 and link-local in IPv6.
    private static let localNetworks = [
        "127.0.0.0/255.0.0.0", "10.0.0.0/255.0.0.0", "172.16.0.0/255.240.0.0", "192.168.0.0/255.255.0.0",
        "169.254.0.0/255.255.0.0", "::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fc00::/fe00::", "fe80::/ffc0::",
    ]

    /// The local ones, and these; a name allows all below it.
    var constraints: String {
        let bare = hosts.map { $0.hasPrefix("*.") ? String($0.dropFirst(2)) : $0 }
        let others = bare.filter { host in !Self.localDomains.contains { host == $0 || host.hasSuffix("." + $0) } }
        let hosts = Self.localDomains + others
        let networks =
            Self.localNetworks
            + addresses.filter { !Self.ownMachine.addresses.contains($0) }.map { address in
                let mask = [UInt8](repeating: 0xFF, count: address.count)
                return Self.text(address) + "/" + Self.text(mask)
            }
        return (hosts.map { "permitted;DNS:" + $0 } + networks.map { "permitted;IP:" + $0 }).joined(separator: ",")
    }

    /// Not shortened: OpenSSL reads this form too.
    private static func text(_ address: [UInt8]) -> String {
        if address.count == 4 { return address.map { String($0) }.joined(separator: ".") }
        if address == [UInt8](repeating: 0, count: 15) + [1] { return "::1" }
        return stride(from: 0, to: address.count - 1, by: 2).map { index in
            String(Int(address[index]) << 8 | Int(address[index + 1]), radix: 16)
        }.joined(separator: ":")
    }
}
