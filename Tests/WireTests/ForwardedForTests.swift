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
        let node = ForwardedFor.lastNode(inHead: head.span)
        #expect(node.map { "\($0.host) \($0.port)" } == row.expected)
    }
}
