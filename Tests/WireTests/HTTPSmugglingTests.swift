import TestSupport
import Testing
import Wire

/// Requests two servers could read differently, or that are simply wrong. Each is refused, and never by asking for more.
@Suite("HTTP refusals and smuggling") struct HTTPSmugglingTests {
    typealias Case = Row<(head: [UInt8], status: Int)>

    static let framing: [Case] = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nX: y\r\ncontent-length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5,6", "Content-Length: +5", "Content-Length: -5", "Content-Length: -0", "Content-Length: 0x5",
        "Content-Length: 5 5", "Content-Length: 5;", "Content-Length: 5.0", "Content-Length: 1e1", "Content-Length: ",
        "Content-Length:", "Content-Length: five", "Content-Length: ٥", "Content-Length: \"5\"", "Content-Length: 5_0",
        "Content-Length: 5\tx", "Content-Length: 5 ,", "Content-Length: ,5", "Content-Length: 1_",
        "Content-Length: NaN",
        "Transfer-Encoding: identity", "Transfer-Encoding: ", "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: 'chunked'", "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunk",
        "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: cow", "Transfer-Encoding: cow, chunked",
        "Transfer-Encoding: chunked chunked", "Transfer-Encoding: c hunked", "Transfer-Encoding: nothing-chunked",
        "Transfer-Encoding: ch\u{FC}nked", "Transfer-Encoding: trailers", "Transfer-Encoding: chunked\\",
        "Transfer-Encoding: gzip, identity", "Transfer-Encoding: \u{A0}chunked",
    ].map { field($0) }

    static let names: [Case] =
        [
            "Transfer-Encoding : chunked", "Content-Length : 5", "Content-Length\t: 5", " Content-Length: 5", "\tX: y",
            "X: y\r\n folded", "X: y\r\n\tfolded", "X: y\r\n Content-Length: 5", "Transfer-Encoding:\r\n chunked",
            "Content-Length\r\n: 5", "Content Length: 5", ": no name", ":", "no colon", "X\0: y", "X\u{0B}: y",
            "X\u{7F}: y",
            "Xé: y", "X(: y", "X): y", "X,: y", "X/: y", "X;: y", "X<: y", "X=: y", "X>: y", "X?: y", "X@: y", "X[: y",
            "X\\: y", "X]: y", "X{: y", "X}: y", "X\": y", "\u{0B}Transfer-Encoding: chunked", "\u{0C}X: y",
            "\u{A0}X: y",
            "X \r\nY: z", "\0", "\u{FEFF}Host: h",
        ].map { field($0) }

    static let values: [Case] = [
        "X: a\nY: b", "X: a\n\r\nY: b", "X: a\r\rY: b", "X: a\rb", "X: a\r\n\nY: b", "X: a\0b", "X: \u{01}",
        "X: a\u{7F}",
        "X: a\u{1B}[0m", "X: a\u{0B}", "X: \u{08}", "X: y\n", "Content-Length: 5\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\u{0B}", "Transfer-Encoding: \u{0B}chunked", "Content-Length: 5\u{0C}", "X:\n",
        "X:\r\0",
        "Content-Length: 5\rContent-Length: 6", "X: \u{1F}", "X: a\r \nY: b",
    ].map { field($0) }

    static let hosts: [Case] =
        [
            "Host: a\r\nHost: b", "Host: h\r\nHost: h", "Host: a b", "Host: a, b", "Host: a,b", "Host: u@h",
            "Host: h/path",
            "Host: h\\x", "Host: h?q", "Host: h#f", "Host: <h>", "Host: \"h\"", "Host: {h}", "Host: h\u{E9}",
            "Host: a\tb",
            "Host: h|x", "Host: h^", "Host: `h`",
        ].map { (text: String) in plain("POST / HTTP/1.1\r\n\(text)\r\n\r\n", name: text) }
        + ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nX-Host: h\r\n\r\n", "GET http://h/ HTTP/1.1\r\n\r\n"].map {
            plain($0)
        }

    static let lines: [Case] =
        [
            "GET /\r\n", "GET / \r\n", "GET\r\n", "GET \r\n", " GET / HTTP/1.1\r\n", "GET  / HTTP/1.1\r\n",
            "GET /  HTTP/1.1\r\n", "GET / HTTP/1.1 \r\n", "GET\t/ HTTP/1.1\r\n", "GET /\tHTTP/1.1\r\n",
            "GET / http/1.1\r\n",
            "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\r\n", "GET / HTTP/11\r\n", "GET / HTTP/1,1\r\n", "GET / HTTP/1.\r\n",
            "GET / HTTP/.1\r\n", "GET / HTTP/1.1x\r\n", "GET / HTTP/1.11\r\n", "GET / HTTP /1.1\r\n",
            "GET / HTTQ/1.1\r\n",
            "GET / HTTP/a.b\r\n", "GET / XHTTP/1.1\r\n", "GET /a b HTTP/1.1\r\n", "GET /a#f HTTP/1.1\r\n",
            "GET # HTTP/1.1\r\n",
            "GET /\u{E9} HTTP/1.1\r\n", "GET /\0 HTTP/1.1\r\n", "GET /\u{7F} HTTP/1.1\r\n", "GET /\u{0B} HTTP/1.1\r\n",
            "GET /\rX HTTP/1.1\r\n", "GET path HTTP/1.1\r\n", "GET * HTTP/1.1\r\n", "OPTIONS ** HTTP/1.1\r\n",
            "CONNECT h:443 HTTP/1.1\r\n", "GET ftp://h/ HTTP/1.1\r\n", "GET http:/h/ HTTP/1.1\r\n",
            "GET http:// HTTP/1.1\r\n",
            "GET http:///p HTTP/1.1\r\n", "GET http://?q HTTP/1.1\r\n", "GET http://u@h/ HTTP/1.1\r\n",
            "GET http://a,b/ HTTP/1.1\r\n", "GET h:80/ HTTP/1.1\r\n", "GET ?q HTTP/1.1\r\n", "G(T / HTTP/1.1\r\n",
            "GÉT / HTTP/1.1\r\n",
            "GET:/ HTTP/1.1\r\n", "\nGET / HTTP/1.1\r\n", "\r\n\r\n\r\nGET / HTTP/1.1\r\n", "\r\rGET / HTTP/1.1\r\n",
            "\u{16}\u{03}\u{01}\u{02}\0\u{01}", "\0", "{\"event\":1}", "\u{FEFF}GET / HTTP/1.1\r\n",
        ].map { plain($0) }

    static let rest: [Case] =
        [
            "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 5",
            "Upgrade: websocket\r\nConnection: upgrade\r\nTransfer-Encoding: chunked",
            "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: b",
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8", "Origin: a\r\nOrigin: b", "Expect: a\r\nExpect: b",
            "Content-Type: a\r\nContent-Type: b", "Content-Encoding: a\r\nContent-Encoding: b",
        ].map { field($0) }
        + [
            plain("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            plain("GET / HTTP/2.0\r\n", 505), plain("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", name: "h2 preface", 400),
            plain("GET / HTTP/1.2\r\n", 505), plain("GET / HTTP/0.9\r\n", 505), plain("GET / HTTP/3.0\r\n", 505),
            plain("GET / HTTP/9.9", name: "version without its line end", 505),
            field("Transfer-Encoding: gzip", 501), field("Transfer-Encoding: gzip, chunked", 501),
            field("Transfer-Encoding: x-compress", 501), field("Transfer-Encoding: Deflate , Chunked", 501),
            field("Content-Length: 1048577", 413), field("Content-Length: 9223372036854775807", 413),
            field("Content-Length: 9223372036854775808", 413), field("Content-Length: 18446744073709551621", 413),
            field("Content-Length: " + String(repeating: "9", count: 500), 413),
            plain("GET /" + String(repeating: "a", count: 2_048), name: "a target of 2049 bytes, unfinished", 414),
            plain(String(repeating: "M", count: 33), name: "a method of 33 letters, unfinished", 501),
            field(String(repeating: "X: y\r\n", count: 256) + "X: y", 431),
            plain(
                "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 16_384), name: "a head of 16 KiB, unfinished",
                431
            ),
            plain(
                "GET / HTTP/1.1\r\n" + String(repeating: "a", count: 16_384), name: "a name of 16 KiB, unfinished", 431),
        ]

    static let all = framing + names + values + hosts + lines + rest

    @Test(arguments: all) func everyOneIsRefused(_ row: Case) {
        let error = failure(of: row.value.head)
        #expect(error?.status == row.value.status)
        #expect(error?.text.isEmpty == false)
    }

    /// What comes in pieces meets the same refusal, and once refused, no later byte helps.
    @Test(arguments: all) func theRefusalIsTheSameInPieces(_ row: Case) {
        var first: HTTPFailure?
        for count in 0...row.value.head.count {
            let answer = failure(of: Array(row.value.head[..<count]))
            if let first { #expect(answer == first, "after \(count) bytes") } else { first = answer }
        }
        #expect(first?.status == row.value.status)
    }

    @Test func thereAreManyCases() {
        #expect(Self.all.count >= 200)
    }

    /// A limit is the last value allowed.
    @Test func limitsAreInclusive() throws {
        func head(target: Int = 1, fields: Int = 0, pad: Int = 0) -> [UInt8] {
            Array(
                ("GET /" + String(repeating: "a", count: target - 1) + " HTTP/1.1\r\nHost: h\r\n"
                    + String(repeating: "X: y\r\n", count: fields)
                    + (pad > 0 ? "P: " + String(repeating: "a", count: pad) + "\r\n" : "")
                    + "\r\n").utf8)
        }
        #expect(failure(of: head(target: 2_048)) == nil)
        #expect(failure(of: head(target: 2_049))?.status == 414)
        #expect(failure(of: head(fields: 255)) == nil)
        #expect(failure(of: head(fields: 256))?.status == 431)
        let empty = head(pad: 1).count - 1
        let exact = head(pad: 16_384 - empty)
        #expect(exact.count == 16_384)
        let parsed = try HTTPRequestParser.parse(exact.span, limits: .init())
        #expect(parsed?.headBytes == 16_384)
        #expect(failure(of: head(pad: 16_385 - empty))?.status == 431)
    }

    /// Every byte value, in each part of a head, is either fine or refused; which, is written down here once more.
    @Test func everyByteIsJudgedInEveryPlace() {
        let token = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for byte in UInt8.min...UInt8.max {
            let start = Array("GET /".utf8)
            let end = Array(" HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
            let target = start + [byte] + Array("x".utf8) + end
            let isTarget = byte > 0x20 && byte < 0x7F && byte != 0x23
            #expect((failure(of: target) == nil) == isTarget, "target \(byte)")
            let line = Array("GET / HTTP/1.1\r\nHost: h\r\n".utf8)
            let name = line + [0x58, byte, 0x58] + Array(": y\r\n\r\n".utf8)
            #expect((failure(of: name) == nil) == (token.contains(byte) || byte == 0x3A), "name \(byte)")
            let value = line + Array("X: a".utf8) + [byte] + Array("b\r\n\r\n".utf8)
            #expect((failure(of: value) == nil) == (byte == 0x09 || (byte >= 0x20 && byte != 0x7F)), "value \(byte)")
            let method = [0x47, byte] + Array("T / HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
            #expect((failure(of: method) == nil) == token.contains(byte), "method \(byte)")
        }
    }

    private func failure(of bytes: [UInt8]) -> HTTPFailure? {
        do throws(HTTPFailure) {
            _ = try HTTPRequestParser.parse(bytes.span, limits: .init())
            return nil
        } catch {
            return error
        }
    }

    /// A POST with this header text, which may be several lines.
    private static func field(_ text: String, _ status: Int = 400) -> Case {
        let name = String(text.prefix(60))
        return Row(name, (Array("POST / HTTP/1.1\r\nHost: h\r\n\(text)\r\n\r\n".utf8), status))
    }

    private static func plain(_ text: String, name: String? = nil, _ status: Int = 400) -> Case {
        Row(name ?? text, (Array(text.utf8), status))
    }
}
