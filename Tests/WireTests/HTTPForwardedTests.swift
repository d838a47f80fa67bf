import TestSupport
import Testing
import Wire

/// What proxies write about their client's connection, taken from their documentation and from captures.
@Suite("What proxies say about TLS (RFC 7239)") struct HTTPForwardedTests {
    static let rows: [Row<(lines: String, isTLS: Bool?)>] = [
        Row("nobody said anything", ("Host: h", nil)),
        Row("most", ("X-Forwarded-Proto: https", true)),
        Row("plaintext", ("X-Forwarded-Proto: http", false)),
        Row("Traefik on upgrades", ("X-Forwarded-Proto: wss", true)),
        Row("Traefik on plaintext upgrades", ("X-Forwarded-Proto: ws", false)),
        Row("any case", ("x-forwarded-PROTO: HTTPS", true)),
        Row("any case of wss", ("X-Forwarded-Proto: WSS", true)),
        Row("the client's hop is the first of a list", ("X-Forwarded-Proto: https,http", true)),
        Row("a list with spaces and an empty item", ("X-Forwarded-Proto: , https , http", true)),
        Row("plaintext to the first proxy", ("X-Forwarded-Proto: http, https", false)),
        Row("the first of several lines", ("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http", true)),
        Row("the first of several lines, plaintext", ("X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https", false)),
        Row("an empty line before", ("X-Forwarded-Proto:\r\nX-Forwarded-Proto: https", true)),
        Row("only an empty one", ("X-Forwarded-Proto: ,", nil)),
        Row("no prefix of it", ("X-Forwarded-Proto: https2", false)),
        Row("no part of it", ("X-Forwarded-Proto: http s", false)),
        Row("X-Forwarded-Ssl", ("X-Forwarded-Ssl: on", true)),
        Row("X-Forwarded-Ssl in any case", ("X-FORWARDED-SSL: On", true)),
        Row("X-Forwarded-Ssl off", ("X-Forwarded-Ssl: off", false)),
        Row("ingress-nginx", ("X-Forwarded-Scheme: https", true)),
        Row("RFC 7239", ("Forwarded: for=192.0.2.60;proto=https;by=203.0.113.43", true)),
        Row("RFC 7239, plaintext", ("Forwarded: proto=http", false)),
        Row("any case", ("forwarded: For=\"[2001:db8:cafe::17]:4711\"; PROTO=HTTPS", true)),
        Row("quoted", ("Forwarded: for=_x;proto=\"https\"", true)),
        Row("quoted wss", ("Forwarded: proto=\"WSS\";host=a", true)),
        Row("quoted pairs", ("Forwarded: proto=\"h\\ttps\"", true)),
        Row("spaces around", ("Forwarded:  for=1.2.3.4 ;\tproto=https ;by=x", true)),
        Row("the first element", ("Forwarded: for=a;proto=https, for=b;proto=http", true)),
        Row("the first element, plaintext", ("Forwarded: for=a;proto=http, for=b;proto=https", false)),
        Row("the first that names one", ("Forwarded: for=a, for=b;proto=https", true)),
        Row("the first of several lines that names one", ("Forwarded: for=a\r\nForwarded: proto=https", true)),
        Row(
            "the first of several lines, however the later ones are",
            ("Forwarded: proto=http\r\nForwarded: proto=https", false)),
        Row("none names one", ("Forwarded: for=a, for=b", nil)),
        Row("separators in quotes", ("Forwarded: for=\"a,proto=https;proto=https\";proto=http", false)),
        Row("escaped quotes", ("Forwarded: for=\"a\\\";proto=https;b=\\\"c\";proto=http", false)),
        Row("an open quote", ("Forwarded: for=\"a;proto=https", nil)),
        Row("an open quote that ends in a backslash", ("Forwarded: proto=\"https\\", nil)),
        Row("a name that is longer", ("Forwarded: xproto=https", nil)),
        Row("a name without a value", ("Forwarded: proto;for=a", nil)),
        Row("no name", ("Forwarded: =https;proto=https", true)),
        Row("an empty value", ("Forwarded: proto=", false)),
        Row("a longer value", ("Forwarded: proto=httpsx", false)),
        Row("a quoted shorter one", ("Forwarded: proto=\"http\"", false)),
        Row("X-Forwarded-Proto is asked first", ("Forwarded: proto=https\r\nX-Forwarded-Proto: http", false)),
        Row("then Forwarded", ("X-Forwarded-Ssl: on\r\nForwarded: proto=http", false)),
        Row("then X-Forwarded-Ssl", ("X-Forwarded-Scheme: http\r\nX-Forwarded-Ssl: on", true)),
        Row("who says nothing is not asked", ("X-Forwarded-Proto: \r\nForwarded: for=a\r\nX-Forwarded-Ssl: on", true)),
    ]

    @Test(arguments: rows) func theHeadersAreReadAsProxiesWriteThem(_ row: Row<(lines: String, isTLS: Bool?)>) throws {
        let text = row.value.lines.hasPrefix("Host") ? "" : row.value.lines + "\r\n"
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\n\(text)\r\n".utf8)
        let head = try #require(try HTTPRequestParser.parse(bytes.span, limits: .init()))
        #expect(head.isForwardedTLS == row.value.isTLS)
    }
}
