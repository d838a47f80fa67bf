import TestSupport
import Testing
import Wire

@Suite("HTTP request heads (RFC 9112)") struct HTTPRequestParserTests {
    static let upgrade = """
        GET /app/key?protocol=7&client=js HTTP/1.1\r
        Host: ws.example:6001\r
        uPGRADE: WebSocket\r
        Connection: keep-alive, Upgrade\r
        Origin: https://example.com\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version:\t13 \t\r
        Sec-WebSocket-Protocol: a, b\r
        X-Forwarded-For: 1.1.1.1\r
        X-Forwarded-For: 2.2.2.2\r
        X-Forwarded-Proto: https\r
        User-Agent: t\u{E9}st\r
        \r

        """

    @Test func everyNamedFieldHasItsPlace() throws {
        let bytes = Array(Self.upgrade.utf8)
        let head = try #require(try HTTPRequestParser.parse(bytes.span, limits: .init()))
        func text(_ range: Range<Int>?) -> String? { range.map { String(decoding: bytes[$0], as: UTF8.self) } }
        #expect(head.method == .get && text(head.methodRange) == "GET" && head.minorVersion == 1)
        #expect(text(head.target) == "/app/key?protocol=7&client=js")
        #expect(text(head.path) == "/app/key" && text(head.query) == "protocol=7&client=js")
        #expect(head.upgradesToWebSocket && head.keepAlive && head.body == .none && head.headBytes == bytes.count)
        #expect(text(head.host) == "ws.example:6001" && text(head.origin) == "https://example.com")
        #expect(text(head.webSocketKey) == "dGhlIHNhbXBsZSBub25jZQ==" && text(head.webSocketVersion) == "13")
        #expect(text(head.webSocketProtocol) == "a, b")
        #expect(text(head.forwardedFor) == "2.2.2.2" && head.isForwardedTLS == true)
        #expect(head.contentType == nil && head.contentEncoding == nil)
    }

    /// Every prefix asks for more; whatever follows the head changes nothing.
    @Test func aHeadIsTheSameHoweverItArrives() throws {
        for text in [Self.upgrade, "\r\n\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"] {
            let bytes = Array(text.utf8)
            for count in 0..<bytes.count {
                let early = try HTTPRequestParser.parse(bytes.span.extracting(0..<count), limits: .init())
                #expect(early == nil)
            }
            let whole = try HTTPRequestParser.parse(bytes.span, limits: .init())
            let longer = bytes + Array("GET / HTTP".utf8)
            let again = try HTTPRequestParser.parse(longer.span, limits: .init())
            #expect(whole == again && whole?.headBytes == bytes.count)
        }
    }

    struct Target: Sendable { var line, path, query: String, host: String? = "h" }

    static let targets: [Row<Target>] = [
        Row("root", Target(line: "GET /", path: "/", query: "")),
        Row("empty query", Target(line: "GET /a?", path: "/a", query: "")),
        Row("two question marks", Target(line: "GET /a?b?c", path: "/a", query: "b?c")),
        Row("brackets and braces", Target(line: "GET /a?channels[]={x}", path: "/a", query: "channels[]={x}")),
        Row("a path like a host", Target(line: "GET //evil/x", path: "//evil/x", query: "")),
        Row("absolute", Target(line: "GET http://other:80/p?q", path: "/p", query: "q", host: "other:80")),
        Row("absolute, upper case", Target(line: "GET HTTPS://o/p", path: "/p", query: "", host: "o")),
        Row("absolute without a path", Target(line: "GET http://o", path: "", query: "", host: "o")),
        Row("absolute with only a query", Target(line: "GET http://o?q", path: "", query: "q", host: "o")),
        Row("absolute, IPv6", Target(line: "GET http://[::1]:1/p", path: "/p", query: "", host: "[::1]:1")),
        Row("asterisk", Target(line: "OPTIONS *", path: "*", query: "")),
    ]

    @Test(arguments: targets) func targetsAreSplit(_ row: Row<Target>) throws {
        let bytes = Array("\(row.value.line) HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        let head = try #require(try HTTPRequestParser.parse(bytes.span, limits: .init()))
        #expect(String(decoding: bytes[head.path], as: UTF8.self) == row.value.path)
        #expect(String(decoding: bytes[head.query], as: UTF8.self) == row.value.query)
        #expect(head.host.map { String(decoding: bytes[$0], as: UTF8.self) } == row.value.host)
    }

    @Test(
        arguments: [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("OPTIONS", .options),
            ("PATCH", .patch), ("get", .other), ("BREW", .other), ("GETX", .other), ("GE", .other),
        ] as [(String, HTTPMethod)]) func methodsAreCaseSensitive(_ name: String, _ method: HTTPMethod) throws
    {
        #expect(try head("\(name) / HTTP/1.1\r\nHost: h\r\n\r\n").method == method)
    }

    @Test(arguments: [
        ("1.1", "", true), ("1.1", "Connection: close\r\n", false), ("1.1", "Connection: keep-alive, CLOSE\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false), ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true), ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
    ]) func persistenceFollowsVersionAndConnection(_ version: String, _ field: String, _ expected: Bool) throws {
        #expect(try head("GET / HTTP/\(version)\r\nHost: h\r\n\(field)\r\n").keepAlive == expected)
    }

    @Test func bodiesAreFramed() throws {
        let post = "POST / HTTP/1.1\r\nHost: h\r\n"
        #expect(try head(post + "\r\n").body == .none)
        #expect(try head(post + "Content-Length: 0\r\n\r\n").body == .length(0))
        #expect(try head(post + "content-LENGTH:  42 \r\n\r\n").body == .length(42))
        #expect(try head(post + "Transfer-Encoding: Chunked\r\n\r\n").body == .chunked)
        #expect(try head(post + "Content-Length: 1048576\r\n\r\n").body == .length(1_048_576))
    }

    @Test func expectationsAreRead() throws {
        let asked = try head("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n")
        #expect(asked.expectsContinue && !asked.hasUnknownExpectation)
        let old = try head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
        #expect(!old.expectsContinue && !old.hasUnknownExpectation && old.host == nil)
        let odd = try head("POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n")
        #expect(!odd.expectsContinue && odd.hasUnknownExpectation)
    }

    @Test(arguments: [
        ("Upgrade: websocket\r\nConnection: Upgrade\r\n", true), ("Upgrade: websocket\r\n", false),
        ("Connection: Upgrade\r\n", false), ("Upgrade: h2c, WEBSOCKET\r\nConnection: x, upgrade ,y\r\n", true),
        ("Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: x\r\nConnection: upgrade\r\n", true),
        ("Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: upgrade\r\nConnection: x\r\n", true),
        ("Upgrade: websocketx\r\nConnection: upgrade\r\n", false), ("Upgrade: h2c\r\nConnection: upgrade\r\n", false),
        ("Upgrade: websocket\r\nConnection: upgraded\r\n", false),
    ]) func anUpgradeNeedsBothTokens(_ fields: String, _ expected: Bool) throws {
        #expect(try head("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n").upgradesToWebSocket == expected)
    }

    @Test(arguments: [
        ("Upgrade: websocket\r\n", true, false), ("Connection: upgrade\r\n", false, true), ("", false, false),
        ("Upgrade: h2c\r\nConnection: close, Upgrade\r\n", false, true),
        ("Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: close\r\n", true, false),
    ]) func eachHalfOfAnUpgradeIsSeen(_ fields: String, _ namesWebSocket: Bool, _ namesUpgrade: Bool) throws {
        let head = try head("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
        #expect(head.upgradeNamesWebSocket == namesWebSocket && head.connectionNamesUpgrade == namesUpgrade)
        #expect(!head.upgradesToWebSocket)
    }

    @Test(arguments: [
        ("", false), ("\r", false), ("\r\n\r\n", false), ("\r\nG", true), ("G", true), (" ", true), ("\u{0}", true),
    ]) func emptyLinesAreNoBeginning(_ text: String, _ hasBegun: Bool) {
        let bytes = Array(text.utf8)
        #expect(HTTPRequestParser.hasBegun(bytes.span) == hasBegun)
    }

    @Test func listItemsAreTrimmed() {
        let bytes = Array(" , a ,\tb;q=1,, c".utf8)
        let all = 0..<bytes.count
        let first = HTTPText.firstItem(of: all, in: bytes.span).map { String(decoding: bytes[$0], as: UTF8.self) }
        let last = HTTPText.lastItem(of: all, in: bytes.span).map { String(decoding: bytes[$0], as: UTF8.self) }
        #expect(first == "a" && last == "c")
        #expect(HTTPText.firstItem(of: 0..<2, in: bytes.span) == nil)
    }

    private func head(_ text: String) throws -> HTTPRequestHead {
        let bytes = Array(text.utf8)
        return try #require(try HTTPRequestParser.parse(bytes.span, limits: .init()))
    }
}
