import TestSupport
import Testing
import Wire

@Suite("Networks that are believed") struct NetworkListTests {
    // MARK: Addresses

    static let addresses: [(text: String, form: String?)] = [
        ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("0:0:0:1:0:0:0:0", "0:0:0:1::"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:201", "192.0.2.1"),
        ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
        ("1.2.3", nil), ("1.2.3.4.5", nil), ("256.1.1.1", nil), ("01.2.3.4", nil), ("1.2.3.", nil), ("1..2.3", nil),
        ("1.2.3.4 ", nil), ("+1.2.3.4", nil), ("", nil), (":", nil), (":::", nil), ("1::2::3", nil),
        ("1:2:3:4:5:6:7", nil),
        ("1:2:3:4:5:6:7:8:9", nil), ("1:2:3:4:5:6:7::8", nil), ("12345::", nil), ("g::", nil), ("1.2.3.4::", nil),
        ("::1.2.3.4:5", nil), ("1:2:3:4:5:6:7:1.2.3.4", nil), ("[::1]", nil), ("fe80::1%eth0", nil), ("::1/128", nil),
    ]

    @Test(arguments: addresses) func anAddressHasOneForm(_ text: String, _ form: String?) {
        #expect(IPAddress(text)?.description == form)
    }

    @Test("any bits are written and read again", arguments: 1...20) func roundTrip(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<500 {
            // Zeros come in runs.
            var bits: [UInt64] = [0, 0]
            for index in 0..<8 where random.oneIn(2) {
                bits[index / 4] |= UInt64(random.int(0...0xFFFF)) << UInt64(16 * (index % 4))
            }
            let six = IPAddress(high: bits[0], low: bits[1])
            let four = IPAddress(ipv4: UInt32(truncatingIfNeeded: bits[1]))
            for address in [six, four] {
                #expect(IPAddress(address.description) == address, "seed \(seed): \(address)")
                #expect(address.bytes.count == address.family.bits / 8)
            }
        }
    }

    // MARK: Lists

    static let members: [(element: String, isIn: [String], isOut: [String])] = [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["9.255.255.255", "11.0.0.0", "::a00:1"]),
        ("192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "::1"]),
        ("::/0", ["::", "::1", "ffff::"], ["1.2.3.4", "::ffff:1.2.3.4"]),
        ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db7:ffff::", "2001:db9::"]),
        ("2001:db8::/64", ["2001:db8::ffff:ffff:ffff:ffff"], ["2001:db8:0:1::"]),
        (
            "2001:db8::8000:0:0:0/65", ["2001:db8::8000:0:0:0"],
            ["2001:db8::7fff:ffff:ffff:ffff", "2001:db9::8000:0:0:0"]
        ),
        ("2001:db8::1", ["2001:db8::1"], ["2001:db8::", "2001:db8::2"]),
        ("::ffff:10.0.0.0/104", ["10.9.9.9"], ["11.0.0.0"]),
        ("loopback", ["127.0.0.1", "127.255.0.1", "::1"], ["128.0.0.0", "::2", "::"]),
        (
            "private", ["10.0.0.1", "172.16.0.0", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1"],
            ["172.32.0.0", "172.15.0.0", "192.169.0.0", "fe00::", "127.0.0.1"]
        ),
        ("LinkLocal", ["169.254.0.1", "fe80::1", "febf::1"], ["169.253.0.1", "fec0::"]),
    ]

    @Test(arguments: members) func aNetworkEndsWhereItsPrefixSays(
        _ element: String, _ isIn: [String], _ isOut: [String]
    ) throws {
        let list = try NetworkList([element])
        for text in isIn + isOut {
            let address = try #require(IPAddress(text))
            #expect(
                list.believes(peer: address) == isIn.contains(text) && list.isProxy(address) == isIn.contains(text),
                "\(text)")
        }
        #expect(!list.isNobody && !list.isEveryone)
        #expect(try NetworkList(list.elements) == list, "what is shown is read again")
    }

    static let faults: [(element: String, text: String)] = [
        ("", "an element is empty"), ("10.0.0.0/33", "\"10.0.0.0/33\" has a prefix of 33 bits; IPv4 has 32"),
        ("::/129", "\"::/129\" has a prefix of 129 bits; IPv6 has 128"),
        ("10.0.0.1/8", "\"10.0.0.1/8\" has bits set behind its prefix; write 10.0.0.0/8, or the address alone"),
        (
            "2001:db8::1/32",
            "\"2001:db8::1/32\" has bits set behind its prefix; write 2001:db8::/32, or the address alone"
        ),
        ("10.0.0.0/", "\"10.0.0.0/\" must have a number of bits after the slash, such as 10.0.0.0/32"),
        ("10.0.0.0/-1", "\"10.0.0.0/-1\" must have a number of bits after the slash, such as 10.0.0.0/32"),
        ("10.0.0.0/8/8", "\"10.0.0.0/8/8\" must have a number of bits after the slash, such as 10.0.0.0/32"),
        (
            "10.0.0.0/255.0.0.0",
            "\"10.0.0.0/255.0.0.0\" must have a number of bits after the slash, such as 10.0.0.0/32"
        ),
        (
            "::ffff:10.0.0.0/8",
            "\"::ffff:10.0.0.0/8\" is IPv4 written as IPv6, whose prefix has 96 to 128 bits; write 10.0.0.0/…"
        ),
        ("*", "\"*\" is no network; true instead of a list believes every peer"),
        ("fe80::1%eth0", "\"fe80::1%eth0\" has a zone, and a network has none"),
        ("[::1]", "\"[::1]\" has brackets; write the address without them"),
        (
            "10.0.0/8",
            "\"10.0.0/8\" is no address, no network such as 10.0.0.0/8, and none of loopback, private, linklocal"
        ),
        ("locl", "\"locl\" is no address, no network such as 10.0.0.0/8, and none of loopback, private, linklocal"),
    ]

    @Test(arguments: faults) func whatIsNoNetworkIsToldPrecisely(_ element: String, _ text: String) {
        let fault = #expect(throws: NetworkList.Fault.self) { try NetworkList(["::1", element]) }
        #expect(fault?.text == text && fault?.isUnknownName == (element == "locl"))
    }

    @Test func nobodyAndEveryoneAreNoLists() throws {
        let (one, other) = (IPAddress(ipv4: 1), IPAddress(high: 1, low: 1))
        #expect(try NetworkList([]) == .nobody && NetworkList.nobody.isNobody && !NetworkList.everyone.isNobody)
        for peer in [one, other, nil] {
            #expect(NetworkList.everyone.believes(peer: peer) && !NetworkList.nobody.believes(peer: peer))
        }
        // The peer is a proxy then, and what it tells of is not known to be one.
        #expect(!NetworkList.everyone.isProxy(one) && !NetworkList.nobody.isProxy(one))
    }

    @Test func aPeerWithoutAnAddressIsOfThisMachine() throws {
        #expect(try NetworkList(["10.0.0.0/8", "loopback"]).believes(peer: nil))
        #expect(try !NetworkList(["127.0.0.0/8"]).believes(peer: nil))
    }

    @Test func thereIsABound() throws {
        let many = (0...UInt32(NetworkList.elementsMax)).map { IPAddress(ipv4: $0).description }
        #expect(throws: NetworkList.Fault.self) { try NetworkList(many) }
        #expect(try NetworkList(many.dropLast()).elements.count == NetworkList.elementsMax)
    }

    /// Bit by bit, against what the list says of random networks and addresses near them.
    @Test("membership is equality of the first bits", arguments: 1...20) func againstBits(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<300 {
            let base =
                random.oneIn(2)
                ? IPAddress(ipv4: UInt32(random.int(0...0xFFFF_FFFF)))
                : IPAddress(high: random.next(), low: random.next())
            let bits = random.int(0...base.family.bits)
            let first = address(base.bytes.enumerated().map { $1 & mask(bits - 8 * $0) })
            let list = try NetworkList(["\(first)/\(bits)"])
            var near = base.bytes
            let flipped = random.int(0...base.family.bits - 1)
            near[flipped / 8] ^= 0x80 >> UInt8(flipped % 8)
            #expect(list.believes(peer: base), "seed \(seed): \(base) in \(first)/\(bits)")
            #expect(
                list.believes(peer: address(near)) == (flipped >= bits), "seed \(seed): \(near) in \(first)/\(bits)")
        }
    }

    private func mask(_ bits: Int) -> UInt8 { bits >= 8 ? 0xFF : bits <= 0 ? 0 : ~(0xFF >> UInt8(bits)) }

    private func address(_ bytes: [UInt8]) -> IPAddress {
        func joined(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        return bytes.count == 4
            ? IPAddress(ipv4: UInt32(joined(bytes[...])))
            : IPAddress(high: joined(bytes[..<8]), low: joined(bytes[8...]))
    }
}
