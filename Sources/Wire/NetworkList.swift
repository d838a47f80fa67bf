/// Peers that are believed: nobody, everybody, or those of some networks. Parsed once; asking allocates nothing. Any thread.
///
/// A network is `10.0.0.0/8`, `2001:db8::/32`, a single address, or a name for several: `loopback`, `private`, `linklocal`.
public struct NetworkList: Sendable, Equatable {
    /// What is wrong with an element, as a sentence.
    public struct Fault: Error, Equatable {
        public let text: String
        /// It looks like a name and is none of ours.
        public var isUnknownName = false
    }

    struct Network: Sendable, Equatable {
        let first: IPAddress
        let prefixBits: Int

        func contains(_ address: IPAddress) -> Bool {
            guard address.family == first.family else { return false }
            if first.family == .ipv4 { return (address.low ^ first.low) >> UInt64(32 - prefixBits) == 0 }
            if prefixBits <= 64 { return (address.high ^ first.high) >> UInt64(64 - prefixBits) == 0 }
            return address.high == first.high && (address.low ^ first.low) >> UInt64(128 - prefixBits) == 0
        }
    }

    /// Whoever connects; what stands further away is then not known to be a proxy.
    public let isEveryone: Bool
    /// Each element in its one form, in the order in which they were given.
    public let elements: [String]
    private let networks: [Network]

    public static let nobody = NetworkList(isEveryone: false, elements: [], networks: [])
    public static let everyone = NetworkList(isEveryone: true, elements: [], networks: [])

    /// Asked one after the other, so there are not many.
    public static let elementsMax = 256

    /// RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3; RFC 1918 and RFC 4193; RFC 3927 and RFC 4291 §2.5.6.
    private static let names: [(name: String, networks: [Network])] = [
        ("loopback", [network(ipv4: 127, 0, 8), network(high: 0, low: 1, 128)]),
        (
            "private",
            [
                network(ipv4: 10, 0, 8), network(ipv4: 172, 16, 12), network(ipv4: 192, 168, 16),
                network(high: 0xFC << 56, 7),
            ]
        ),
        ("linklocal", [network(ipv4: 169, 254, 16), network(high: 0xFE80 << 48, 10)]),
    ]

    public static let nameList = names.map(\.name)

    private static func network(ipv4 first: UInt32, _ second: UInt32, _ prefixBits: Int) -> Network {
        Network(first: IPAddress(ipv4: first << 24 | second << 16), prefixBits: prefixBits)
    }

    private static func network(high: UInt64, low: UInt64 = 0, _ prefixBits: Int) -> Network {
        Network(first: IPAddress(high: high, low: low), prefixBits: prefixBits)
    }

    private init(isEveryone: Bool, elements: [String], networks: [Network]) {
        (self.isEveryone, self.elements, self.networks) = (isEveryone, elements, networks)
    }

    /// The networks of a list; an empty one is nobody. An element that is said again counts once.
    public init(_ texts: [String]) throws(Fault) {
        guard texts.count <= Self.elementsMax else {
            throw Fault(text: "\(texts.count) networks are more than \(Self.elementsMax)")
        }
        var (elements, networks): ([String], [Network]) = ([], [])
        for text in texts {
            let (element, more) = try Self.parse(text)
            guard !elements.contains(element) else { continue }
            elements.append(element)
            networks += more
        }
        self.init(isEveryone: false, elements: elements, networks: networks)
    }

    public var isNobody: Bool { !isEveryone && networks.isEmpty }

    /// Whether whoever connects from there is believed. `nil` is a peer without an address, over a Unix socket: `loopback` has it.
    public func believes(peer: IPAddress?) -> Bool {
        if isEveryone { return true }
        guard let peer else { return elements.contains("loopback") }
        return isInNetworks(peer)
    }

    /// Whether an address that a believed peer told is one of a further proxy of ours. With `isEveryone` only the peer itself is
    /// known to be one.
    public func isProxy(_ address: IPAddress) -> Bool { !isEveryone && isInNetworks(address) }

    private func isInNetworks(_ address: IPAddress) -> Bool {
        for network in networks where network.contains(address) { return true }
        return false
    }

    // MARK: Parsing

    private static func parse(_ text: String) throws(Fault) -> (element: String, networks: [Network]) {
        if let known = names.first(where: { $0.name == text.lowercased() }) { return (known.name, known.networks) }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { throw fault(text, parts[0]) }
        let isMapped = address.family == .ipv4 && parts[0].contains(":")
        guard parts.count == 2 else {
            return (address.description, [Network(first: address, prefixBits: address.family.bits)])
        }
        guard var bits = prefixBits(parts[1]) else {
            throw Fault(
                text:
                    "\"\(shown(text))\" must have a number of bits after the slash, such as \(address)/\(address.family.bits)"
            )
        }
        if isMapped {
            // The 96 bits in front say that it is IPv4.
            guard (96...128).contains(bits) else {
                throw Fault(
                    text:
                        "\"\(shown(text))\" is IPv4 written as IPv6, whose prefix has 96 to 128 bits; write \(address)/…"
                )
            }
            bits -= 96
        }
        guard bits <= address.family.bits else {
            let name = address.family == .ipv4 ? "IPv4" : "IPv6"
            throw Fault(text: "\"\(shown(text))\" has a prefix of \(bits) bits; \(name) has \(address.family.bits)")
        }
        let first = start(of: address, bits)
        guard first == address else {
            throw Fault(
                text: "\"\(shown(text))\" has bits set behind its prefix; write \(first)/\(bits), or the address alone")
        }
        return ("\(first)/\(bits)", [Network(first: first, prefixBits: bits)])
    }

    private static func prefixBits(_ text: Substring) -> Int? {
        guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private static func start(of address: IPAddress, _ bits: Int) -> IPAddress {
        func cleared(_ half: UInt64, _ kept: Int, of width: Int) -> UInt64 {
            (half >> UInt64(width - kept)) << UInt64(width - kept)
        }
        if address.family == .ipv4 {
            return IPAddress(ipv4: UInt32(truncatingIfNeeded: cleared(address.low, bits, of: 32)))
        }
        return IPAddress(
            high: cleared(address.high, min(bits, 64), of: 64), low: cleared(address.low, max(bits - 64, 0), of: 64))
    }

    private static func fault(_ text: String, _ address: Substring) -> Fault {
        if text.isEmpty { return Fault(text: "an element is empty") }
        if ["*", "all", "any", "true"].contains(text.lowercased()) {
            return Fault(text: "\"\(shown(text))\" is no network; true instead of a list believes every peer")
        }
        if address.contains("%") { return Fault(text: "\"\(shown(text))\" has a zone, and a network has none") }
        if text.hasPrefix("[") { return Fault(text: "\"\(shown(text))\" has brackets; write the address without them") }
        return Fault(
            text:
                "\"\(shown(text))\" is no address, no network such as 10.0.0.0/8, and none of \(nameList.joined(separator: ", "))",
            isUnknownName: text.utf8.allSatisfy { (0x61...0x7A).contains($0 | 0x20) })
    }

    private static func shown(_ text: String) -> String {
        let clean = String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(60).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
        return text.unicodeScalars.count > 60 ? clean + "…" : clean
    }
}
