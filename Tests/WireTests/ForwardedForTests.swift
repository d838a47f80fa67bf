import Testing
import Wire

@Suite("Whom a proxy speaks for (X-Forwarded-For, RFC 7239)") struct ForwardedForTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let lines: String
        let expected: String?
    }

    static let rows = [
        Row(testDescription: "one address", lines: "X-Forwarded-For: 203.0.113.9", expected: "203.0.113.9 0"),
        Row(
            testDescription: "the last of a list: the client may have written the others",
            lines: "X-Forwarded-For: 6.6.6.6, 203.0.113.9 ", expected: "203.0.113.9 0"),
        Row(
            testDescription: "the last of several lines",
            lines: "x-forwarded-for: 6.6.6.6\r\nA: b\r\nX-FORWARDED-FOR:203.0.113.9",
            expected: "203.0.113.9 0"),
        Row(testDescription: "with a port", lines: "X-Forwarded-For: 203.0.113.9:4711", expected: "203.0.113.9 4711"),
        Row(testDescription: "bare IPv6", lines: "X-Forwarded-For: 2001:db8::1", expected: "2001:db8::1 0"),
        Row(
            testDescription: "IPv6 with a port", lines: "X-Forwarded-For: [2001:db8::1]:80", expected: "2001:db8::1 80"),
        Row(
            testDescription: "Forwarded", lines: "Forwarded: for=6.6.6.6, proto=https; For=\"[2001:db8::1]:80\" ;by=_x",
            expected: "2001:db8::1 80"),
        Row(testDescription: "Forwarded without for", lines: "Forwarded: for=6.6.6.6, proto=https", expected: nil),
        Row(
            testDescription: "X-Forwarded-For beside Forwarded",
            lines: "Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 203.0.113.9",
            expected: "203.0.113.9 0"),
        Row(
            testDescription: "another name", lines: "X-Forwarded-Fort: 6.6.6.6\r\nNX-Forwarded-For: 6.6.6.6",
            expected: nil),
        Row(testDescription: "an empty value", lines: "X-Forwarded-For:", expected: nil),
        Row(testDescription: "half a bracket", lines: "X-Forwarded-For: [2001:db8::1", expected: nil),
        Row(testDescription: "too long", lines: "X-Forwarded-For: " + String(repeating: "1", count: 65), expected: nil),
        Row(testDescription: "no header at all", lines: "Host: x", expected: nil),
    ]

    @Test(arguments: rows) func names(_ row: Row) {
        let head = Array("GET /x-forwarded-for: HTTP/1.1\r\nHost: a\r\n\(row.lines)\r\n\r\n".utf8)
        let node = ForwardedFor.client(inHead: head.span) { _ in false }
        #expect(node.map { "\($0.host) \($0.port)" } == row.expected)
    }

    /// 10.0.0.0/8 and ::1 are proxies of ours.
    static let chains: [(lines: String, expected: String?)] = [
        ("X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("X-Forwarded-For: 6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("X-Forwarded-For: 203.0.113.9, 10.0.0.2, 10.0.0.1, ::1", "203.0.113.9"),
        ("X-Forwarded-For: 203.0.113.9:1, 10.0.0.2:2, [::1]:3", "203.0.113.9"),
        ("X-Forwarded-For: 203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
        (
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.9,10.0.0.2\r\nX-Forwarded-For: 10.0.0.1",
            "203.0.113.9"
        ),
        ("X-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3"), ("X-Forwarded-For: 10.0.0.2", "10.0.0.2"),
        ("X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"), ("X-Forwarded-For: 10.0.0.2, unknown", nil),
        ("X-Forwarded-For: 203.0.113.9, , 10.0.0.2,", "203.0.113.9"),
        ("X-Forwarded-For: 10.0.0.1, 11.0.0.1", "11.0.0.1"),
        ("Forwarded: for=6.6.6.6, for=203.0.113.9;proto=https, for=\"[::1]:80\";by=_x", "203.0.113.9"),
        ("Forwarded: for=203.0.113.9\r\nForwarded: for=10.0.0.2", "203.0.113.9"),
        ("Forwarded: for=203.0.113.9, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("Forwarded: for=203.0.113.9, proto=https, for=10.0.0.2", "10.0.0.2"),
    ]

    @Test(arguments: chains) func theClientIsTheRightMostThatIsNoProxyOfOurs(_ lines: String, _ expected: String?)
        throws
    {
        let ours = try NetworkList(["10.0.0.0/8", "loopback"])
        let head = Array("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n".utf8)
        let node = ForwardedFor.client(inHead: head.span, past: ours.isProxy)
        #expect(node.map(\.host).map { IPAddress($0)?.description ?? $0 } == expected)
    }
}
