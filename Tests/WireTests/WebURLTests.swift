import TestSupport
import Testing
import Wire

@Suite("A URL of a webhook (RFC 3986)") struct WebURLTests {
    // MARK: Legal ones

    struct Legal: Sendable, CustomTestStringConvertible {
        let text: String, form: String, host: String, port: UInt16, target: String
        var testDescription: String { text }
        init(_ text: String, _ form: String? = nil, host: String, port: UInt16, target: String) {
            (self.text, self.form, self.host, self.port, self.target) = (text, form ?? text, host, port, target)
        }
    }

    static let legal = [
        Legal("https://a.example/hook", host: "a.example", port: 443, target: "/hook"),
        Legal("HTTPS://A.Example", "https://a.example/", host: "a.example", port: 443, target: "/"),
        Legal("http://a.example:80/", "http://a.example/", host: "a.example", port: 80, target: "/"),
        Legal("http://a.example:443/", host: "a.example", port: 443, target: "/"),
        Legal("https://a.example:80", "https://a.example:80/", host: "a.example", port: 80, target: "/"),
        Legal("http://a.example:/x", "http://a.example/x", host: "a.example", port: 80, target: "/x"),
        Legal("http://a.example:00080/", "http://a.example/", host: "a.example", port: 80, target: "/"),
        Legal("http://a.example:65535/", host: "a.example", port: 65_535, target: "/"),
        Legal(
            "http://a.example?x=1&y%5B%5D=2", "http://a.example/?x=1&y%5B%5D=2", host: "a.example", port: 80,
            target: "/?x=1&y%5B%5D=2"),
        Legal("http://a/b?c?d/e@f:g", host: "a", port: 80, target: "/b?c?d/e@f:g"),
        Legal("http://web_1:3000/a/../b//c", host: "web_1", port: 3_000, target: "/a/../b//c"),
        Legal("http://127.0.0.1:8000/", host: "127.0.0.1", port: 8_000, target: "/"),
        Legal("http://[::1]:8000/x", host: "::1", port: 8_000, target: "/x"),
        Legal("http://[2001:DB8:0::1]", "http://[2001:db8::1]/", host: "2001:db8::1", port: 80, target: "/"),
        Legal("http://[::ffff:10.0.0.1]/", "http://10.0.0.1/", host: "10.0.0.1", port: 80, target: "/"),
        Legal("http://xn--bcher-kva.example/%C3%A9", host: "xn--bcher-kva.example", port: 80, target: "/%C3%A9"),
        Legal("http://3com.example/", host: "3com.example", port: 80, target: "/"),
        Legal("http://a.0b/", host: "a.0b", port: 80, target: "/"),
        Legal("https://a/!$&'()*+,;=:@-._~%20", host: "a", port: 443, target: "/!$&'()*+,;=:@-._~%20"),
    ]

    @Test(arguments: legal) func isTakenApart(_ row: Legal) throws {
        let url = try WebURL.parse(row.text)
        #expect(url.text == row.form && url.host == row.host && url.port == row.port && url.target == row.target)
        #expect(try WebURL.parse(url.text) == url, "what is shown is the same URL")
    }

    @Test func longOnesHaveABound() throws {
        let head = "http://a/"
        let most = head + String(repeating: "x", count: WebURL.bytesMax - head.utf8.count)
        #expect(try WebURL.parse(most).text == most)
        #expect(fault(most + "x") == "must be at most 4096 bytes, not 4097")
    }

    // MARK: Refusals

    private func fault(_ text: String) -> String? {
        do throws(WebURL.Fault) { _ = try WebURL.parse(text) } catch { return error.text }
        return nil
    }

    static let name = "a name has letters, digits, - and _ between its dots"
    static let refused: [(text: String, says: String)] = [
        ("", "must not be empty"),
        ("a.example/x", "must begin with https:// or http://"), ("//a.example/", "must begin with"),
        ("ftp://a.example/", "must begin with"), ("file:///etc/passwd", "must begin with"),
        ("http:/a", "must begin with"),
        ("http:a", "must begin with"), ("https//a", "must begin with"), ("gopher://a:6379/_x", "must begin with"),
        ("unix:/run/x", "must begin with"), ("http+unix://x", "must begin with"), ("httpss://a", "must begin with"),
        ("http://", "has no host"), ("https:///x", "has no host"), ("http://:80/", "has no host"),
        ("http://?x", "has no host"),
        ("http://u:p@a.example/", "user name or password"), ("http://@a/", "user name or password"),
        ("http://a.example@127.0.0.1/", "user name or password"), ("http://a:80@b/", "user name or password"),
        ("http://a/#x", "a fragment"), ("http://a#@b/", "a fragment"), ("http://a/?x#", "a fragment"),
        (" http://a/", "begins or ends with a blank"), ("http://a/\n", "begins or ends with a blank"),
        ("http://a/ b", "a blank at character 10; a URL writes it as %20"), ("http://a b/", "a blank at character 9"),
        ("http://a/\r\nHost: b", "a control character at character 10; leave it out, or write it as %0D"),
        ("http://a/\u{0}", "begins or ends with a blank"), ("http://a/\u{0}x", "a control character"),
        ("http://a/\tb", "a control character at character 10; leave it out, or write it as %09"),
        ("http://a/\u{7F}b", "write it as %7F"), ("http://a/\u{85}b", "a control character"),
        ("http://bücher.example/", "begins with xn-- (punycode)"), ("http://a。b/", "begins with xn--"),
        ("http://a/é", "is not ASCII (character 10); a URL writes it as %C3%A9"), ("http://a?é", "writes it as %C3%A9"),
        ("http://a/\u{2028}", "writes it as %E2%80%A8"),
        ("http:\\\\a\\b", "a backslash at character 6"), ("http://a\\@b/", "a backslash"),
        ("http://a/{x}", "has { at character 10, which a URL writes as %7B"), ("http://a/<b>", "%3C"),
        ("http://a/\"", "%22"),
        ("http://a/|", "%7C"), ("http://a/^", "%5E"), ("http://a/`", "%60"),
        ("http://a/?x[]=1", "has [ or ] behind its host"), ("http://a/%", "a % without two hexadecimal digits"),
        ("http://a/%4", "a % without"), ("http://a/%zz", "a % without"),
        ("http://a:0/", "a port that is none"), ("http://a:65536/", "a port that is none"), ("http://a:+80/", "a port"),
        ("http://a:-1/", "a port"), ("http://a:8o/", "a port"), ("http://a:99999999999999999999/", "a port"),
        ("http://a:80:80/", "two ports"), ("http://::1/", "IPv6 address without brackets"),
        ("http://[::1/", "lacks the ]"), ("http://[]/", "no IPv6 address"), ("http://[1.2.3.4]/", "no IPv6 address"),
        ("http://[v1.x]/", "no IPv6 address"), ("http://[::1]x/", "between the ] of its host"),
        ("http://[fe80::1%25eth0]/", "a zone"),
        ("http://[::1]:x/", "a port"), ("http://[::g]/", "no IPv6 address"), ("http://a[::1]/", "two ports"),
        // What inet_aton takes for an address.
        ("http://127.1/", "four numbers"), ("http://2130706433/", "four numbers"),
        ("http://0x7f.0.0.1/", "four numbers"),
        ("http://0x7F000001/", "four numbers"), ("http://0177.0.0.1/", "four numbers"),
        ("http://1.2.3.4.5/", "four numbers"),
        ("http://256.1.1.1/", "four numbers"), ("http://a.1/", "four numbers"), ("http://a.0x/", "four numbers"),
        ("http://127.0.0.1./", "ends with a dot"), ("http://a.example./", "ends with a dot"),
        ("http://./", "ends with a dot"),
        ("http://a..b/", name), ("http://.a/", name), ("http://-a/", name), ("http://a-/", name),
        ("http://a.-b/", name),
        ("http://*.a/", name), ("http://a%2eb/", name), ("http://a$b/", name), ("http://a,b/", name),
        ("http://%31/", name),
        ("http://" + String(repeating: "a", count: 64) + "/", name),
        ("http://" + String(repeating: "a.", count: 127) + "b/", name),
    ]

    @Test(arguments: refused) func isRefusedWithASentence(_ text: String, _ says: String) {
        #expect(fault(text)?.holds(says) == true, "\(fault(text) ?? "it was taken")")
    }

    @Test func aFaultShowsNothingOfWhatMayBeSecret() {
        for text in [
            "http://u:hush-hush@a/", "http://a/?hush-hush#x", "http://a/hush-hush%", "http://a/?hush-hush=é",
            "hush-hush",
        ] {
            #expect(fault(text)?.holds("hush") == false)
        }
    }

    @Test("whatever is taken cannot end a line, and is one URL", arguments: 0..<40) func anyBytes(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let pieces = [
            "http", "https", "://", "/", "//", "\\", "@", ":", "#", "?", "%", "%41", "[", "]", "::1", "127.0.0.1", "a",
            "b.c", ".", "-",
            "0", "0x1", "80", "é", "\r\n", " ", "\u{0}", "x=y", "&", "_",
        ]
        for _ in 0..<400 {
            let text =
                (random.oneIn(3) ? "" : "http://")
                + (0..<random.int(0...8)).map { _ in random.pick(pieces) }.joined()
            guard let url = try? WebURL.parse(text) else { continue }
            #expect(url.text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && !url.host.isEmpty, "seed \(seed): \(text)")
            #expect(url.target.hasPrefix("/") && (try? WebURL.parse(url.text)) == url, "seed \(seed): \(text)")
        }
    }

    // MARK: Addresses

    static let reserved: [(address: String, kind: String?)] = [
        ("127.0.0.1", "loopback"), ("127.255.255.254", "loopback"), ("::1", "loopback"), ("126.255.255.255", nil),
        ("128.0.0.0", nil), ("0.0.0.0", "of this host"), ("::", "of this host"), ("::7f00:1", "of this host"),
        ("10.0.0.0", "private"), ("11.0.0.0", nil), ("172.15.255.255", nil), ("172.16.0.1", "private"),
        ("172.31.255.255", "private"), ("172.32.0.0", nil), ("192.168.255.255", "private"), ("192.169.0.0", nil),
        ("fc00::", "private"), ("fdff::1", "private"), ("fe00::1", nil), ("fec0::1", "private"),
        ("100.63.255.255", nil), ("100.64.0.1", "a provider's own"), ("100.127.255.255", "a provider's own"),
        ("100.128.0.0", nil), ("169.254.169.254", "link-local"), ("169.253.1.1", nil), ("fe80::1", "link-local"),
        ("febf::1", "link-local"), ("168.63.129.16", "the cloud's own"), ("168.63.129.17", nil),
        ("224.0.0.1", "multicast"), ("239.255.255.255", "multicast"), ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"), ("223.255.255.255", nil), ("ff02::1", "multicast"),
        ("192.0.0.192", "reserved"),
        ("198.17.255.255", nil), ("198.18.0.1", "reserved"), ("198.20.0.0", nil), ("192.0.2.1", "for documentation"),
        ("2001:db8::1", "for documentation"), ("2001::1", "reserved"), ("2001:200::1", nil), ("2606:4700::1111", nil),
        ("100::1", "reserved"), ("3fff::1", "for documentation"), ("8.8.8.8", nil),
        // IPv4 inside IPv6.
        ("::ffff:127.0.0.1", "loopback"), ("::ffff:8.8.8.8", nil), ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::8.8.8.8", nil), ("64:ff9b:1::1", "private"), ("2002:7f00:1::", "loopback"), ("2002:808:808::1", nil),
    ]

    @Test(arguments: reserved) func anAddressThatIsNotPublicHasAKind(_ text: String, _ kind: String?) throws {
        #expect(try #require(IPAddress(text)).reservedKind == kind)
    }
}
