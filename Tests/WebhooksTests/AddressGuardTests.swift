import Glibc
import TestSupport
import Testing
@testable import Webhooks
import Wire

@Suite("Which addresses webhooks may go to") struct AddressGuardTests {
    private enum Verdict { case global, local, never }

    private static func verdict(_ address: IPAddress) -> Verdict {
        let strict = AddressGuard.refusal(of: address, allowsPrivate: false)
        let open = AddressGuard.refusal(of: address, allowsPrivate: true)
        // Whoever may go everywhere may go wherever others may.
        #expect(open == nil || strict != nil, "\(address)")
        #expect(open?.isForGood != false, "\(address)")
        guard strict != nil else { return .global }
        return open == nil ? .local : .never
    }

    @Test(
        "an address is for all, for this network, or for nobody",
        arguments: [
            Row(
                "of the Internet",
                ("8.8.8.8 1.1.1.1 93.184.216.34 2606:4700::1111 2a00:1450:4001::8 2001:4860:4860::8888", .global)),
            Row("loopback", ("127.0.0.1 127.255.255.254 127.1.2.3 ::1 ::ffff:127.0.0.1", .local)),
            Row(
                "private",
                (
                    "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 ::ffff:10.0.0.1",
                    .local
                )),
            Row(
                "beside the private ones",
                ("9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0", .global)),
            Row("link-local", ("169.254.0.1 169.254.255.255 fe80::1 febf::1 fec0::1", .local)),
            Row("providers'", ("100.64.0.1 100.127.255.255 100.100.100.200", .local)),
            Row("beside the providers'", ("100.63.255.255 100.128.0.0", .global)),
            Row(
                "metadata",
                (
                    "169.254.169.254 169.254.170.2 192.0.0.192 168.63.129.16 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 ::ffff:169.254.169.254",
                    .local
                )),
            Row("unique local", ("fc00::1 fd12:3456:789a::1 fdff:ffff::1", .local)),
            Row(
                "for examples",
                ("192.0.2.1 198.51.100.1 203.0.113.255 198.18.0.1 198.19.255.255 2001:db8::1 3fff::1 2001:2::1", .local)
            ),
            Row("reserved", ("240.0.0.1 255.255.255.254 192.88.99.1 100::1 5f00::1 4000::1 9000::1 200::1", .local)),
            Row(
                "nobody's",
                (
                    "0.0.0.0 0.1.2.3 255.255.255.255 224.0.0.1 239.255.255.255 :: ff02::1 ff0e::1 ::ffff:0.0.0.0 ::ffff:224.0.0.1",
                    .never
                )),
            Row("compatible", ("::127.0.0.1 ::10.0.0.1 ::8.8.8.8", .local)),
            Row("translated", ("::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8", .local)),
            Row("NAT64 of what may be called", ("64:ff9b::8.8.8.8", .global)),
            Row(
                "NAT64 of what may not",
                (
                    "64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 64:ff9b:1:7f00:0:100::",
                    .local
                )),
            Row("6to4", ("2002:7f00:1:: 2002:a9fe:a9fe::1 2002:808:808::1", .local)),
            Row("Teredo", ("2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:0:808:808:0:0:80ff:fffe", .local)),
            Row(
                "forms of nobody's",
                (
                    "::224.0.0.1 64:ff9b::0.0.0.0 64:ff9b::255.255.255.255 2002:e000:1::1 2002:0:1::1 2001:0:808:808::1fff:fffe ::ffff:0:224.0.0.1",
                    .never
                )),
        ] as [Row<(String, Verdict)>])
    private func table(row: Row<(String, Verdict)>) throws {
        for text in row.value.0.split(separator: " ") {
            let address = try #require(IPAddress(text), "\(text)")
            #expect(Self.verdict(address) == row.value.1, "\(text)")
        }
    }

    @Test func aRefusalSaysWhatTheAddressIs() throws {
        func what(_ text: String) throws -> String? {
            AddressGuard.refusal(of: try #require(IPAddress(text)), allowsPrivate: false)?.what
        }
        #expect(try what("127.0.0.1") == "a loopback address")
        #expect(try what("64:ff9b::a00:1") == "the NAT64 form of a private address (RFC 1918)")
        #expect(try what("2002:808:808::1") == "the 6to4 form of an address")
        #expect(try what("::7f00:1") == "an IPv6 form of a loopback address")
        #expect(try what("4000::1") == "an address that nobody has yet")
    }

    /// Where our table is stricter than Python's `is_global`: those that it calls global.
    private static let stricter = [
        "224.0.0.0/4", "ff00::/8",  // multicast is "global" by scope
        "192.88.99.0/24", "192.0.0.0/24", "168.63.129.16/32",  // relays; anycast of protocols; Azure's own
        "2001::/23", "2002::/16", "3fff::/20",  // protocols; forms of IPv4; older Pythons do not know the last
        "64:ff9b::/96", "64:ff9b:1::/48",  // judged by what is in them; older Pythons do not know the last
        // Not in 2000::/3: not given to anybody yet.
        "::/3", "4000::/2", "8000::/1",
    ]

    @Test func itIsAsStrictAsPythonsTableAndItsDifferencesHaveNames() throws {
        let script = """
            import ipaddress, random, sys
            random.seed(20261130)
            nets = [ipaddress.ip_network(n) for n in '''0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12
            192.0.0.0/24 192.0.0.0/29 192.0.0.170/31 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24
            203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32 168.63.129.16/32 ::/128 ::1/128 ::/96 ::ffff:0:0:0/96
            64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2000::/3 2001::/23 2001::/32 2001:2::/48 2001:10::/28 2001:20::/28
            2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8'''.split()]
            for kind in (ipaddress._IPv4Constants, ipaddress._IPv6Constants):
                nets += kind._private_networks + getattr(kind, '_private_networks_exceptions', [])
            stricter = [ipaddress.ip_network(n) for n in sys.argv[1].split(',')]
            found = set()
            for net in nets:
                size = 32 if net.version == 4 else 128
                make = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
                first, last = int(net.network_address), int(net.broadcast_address)
                for n in [first - 1, first, first + 1, last - 1, last, last + 1] + [random.randint(first, last) for _ in range(40)]:
                    if 0 <= n < 1 << size: found.add(make(n))
            for _ in range(3000):
                found.add(ipaddress.IPv4Address(random.getrandbits(32)))
                found.add(ipaddress.IPv6Address(1 << 125 | random.getrandbits(125)))
                found.add(ipaddress.IPv6Address(random.getrandbits(128)))
            for a in found:
                if a.version == 6 and a.ipv4_mapped: a = a.ipv4_mapped
                named = any(a.version == n.version and a in n for n in stricter)
                print(a, int(a.is_global), int(named))
            """
        let path = "/tmp/starling-guard-\(getpid()).py"
        let file = try #require(fopen(path, "w"))
        fputs(script, file)
        fclose(file)
        defer { unlink(path) }
        let pipe = try #require(popen("python3 \(path) '\(Self.stricter.joined(separator: ","))'", "r"))
        var line = [CChar](repeating: 0, count: 256)
        var (count, stricter) = (0, 0)
        while fgets(&line, CInt(line.count), pipe) != nil {
            let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let parts = text.split(separator: " ")
            let address = try #require(IPAddress(parts[0]), "\(text)")
            let (isGlobal, isNamed) = (parts[1] == "1", parts[2] == "1")
            let isOurs = AddressGuard.refusal(of: address, allowsPrivate: false) == nil
            if isOurs != isGlobal {
                #expect(isGlobal, "\(address): Python does not call it global, and we call it")
                #expect(isNamed, "\(address): we refuse it, and the difference has no name")
                stricter += 1
            }
            count += 1
        }
        #expect(pclose(pipe) == 0 && count > 9_000 && stricter > 0, "\(count) addresses, \(stricter) differences")
    }
}
