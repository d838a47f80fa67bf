import TestSupport
import Testing
import Wire

/// Responses that are wrong, too large or not whole: each is refused with a sentence and its clause, and by the same one however
/// it arrives.
@Suite("HTTP responses that are refused (RFC 9112)") struct HTTPResponseRefusalTests {
    struct Bad: Sendable {
        var text: String
        var kind: HTTPResponseFailure.Kind
        /// What the sentence must say.
        var says: String
        /// The body before the failure.
        var body = ""
    }

    typealias Case = Row<Bad>

    /// A response with these fields, which is malformed.
    static func fields(_ text: String, _ says: String, version: String = "1.1") -> Case {
        Row(text, Bad(text: "HTTP/\(version) 200 OK\r\n\(text)\r\n\r\nhello", kind: .malformed, says: says))
    }

    static func line(_ text: String, _ says: String) -> Case {
        Row(text, Bad(text: text, kind: .malformed, says: says))
    }

    static let framing: [Case] =
        [
            fields(
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                "both Content-Length and Transfer-Encoding (RFC 9112 §6.3)"),
            fields(
                "Transfer-Encoding: chunked\r\nContent-Length: 5",
                "both Content-Length and Transfer-Encoding (RFC 9112 §6.3)"),
            fields(
                "Transfer-Encoding: gzip\r\nContent-Length: x",
                "both Content-Length and Transfer-Encoding (RFC 9112 §6.3)"),
            fields("Content-Length: 5\r\nX: y\r\ncontent-length: 6", "two different Content-Lengths (RFC 9112 §6.3)"),
            fields("Content-Length: 5, 6", "two different Content-Lengths (RFC 9112 §6.3)"),
            fields("Content-Length: 5\r\nContent-Length: 5, 6", "two different Content-Lengths (RFC 9112 §6.3)"),
            fields("Transfer-Encoding: chunked", "must not have a Transfer-Encoding (RFC 9112 §6.1)", version: "1.0"),
        ]
        + ["+5", "-5", "", "0x5", "5 5", "5;", "5.0", "five", "5,", ",5", "5,x", "5\u{A0}", "\"5\"", "5, 6, x"].map {
            fields("Content-Length: \($0)", "not a number (RFC 9112 §6.3)")
        }
        + [
            "gzip", "", "identity", "chunked, chunked", "gzip, chunked", "chunked, gzip", "chunked;q=1", "xchunked",
            "chunked\r\nTransfer-Encoding: chunked", "chunked\r\nTransfer-Encoding: identity",
            "identity\r\nTransfer-Encoding: chunked",
        ].map { fields("Transfer-Encoding: \($0)", "not chunked, and no other was asked for (RFC 9112 §7)") }
        + [
            "Content-Length: 5\r\n ", "Content-Length:\r\n 5", "Transfer-Encoding: chunked\r\n\t",
            "Connection: x\r\n close",
        ].map {
            fields($0, "folded over two lines (RFC 9112 §5.2)")
        }

    static let syntax: [Case] =
        ["X : y", ": y", "no colon", "X\u{0}: y", "X(: y", "\u{E9}: y", "\u{0B}X: y", "\n", " X: y"].map {
            fields($0, "a name, a colon and a value (RFC 9112 §5)")
        }
        + ["X: y\nZ: z", "X: y\n"].map { fields($0, "not in a bare LF (RFC 9112 §2.2)") }
        + ["X: y\rZ: z", "X: y\r\r"].map { fields($0, "must be followed by LF (RFC 9112 §2.2)") }
        + ["X: \u{0}", "X: \u{7F}", "X: \u{1B}[0m"].map { fields($0, "illegal character (RFC 9110 §5.5)") }
        + [
            "HTTP/2 200 OK\r\n", "HTTP/2.0 200 OK\r\n", "HTTP/0.9 200 OK\r\n", "HTTP/1.x 200 OK\r\n",
            "http/1.1 200 OK\r\n",
            "HTTP/1.1200 OK\r\n", "HTTP/1.10 200 OK\r\n", "ICY 200 OK\r\n", "\r\nHTTP/1.1 200 OK\r\n", "<html>", " ",
            "\u{0}",
            "HTTP/1.1\t200 OK\r\n", "GET / HTTP/1.1\r\n",
        ].map { line($0, "must begin with HTTP/1.1 or HTTP/1.0 (RFC 9112 §4)") }
        + ["20 OK\r\n", "2000 OK\r\n", "abc OK\r\n", " 200 OK\r\n", "-20 OK\r\n", "20x OK\r\n"].map {
            line("HTTP/1.1 \($0)", "must have three digits (RFC 9112 §4)")
        }
        + ["000 OK\r\n", "099 OK\r\n"].map { line("HTTP/1.1 \($0)", "below 100 means nothing (RFC 9110 §15)") }
        + [
            line("HTTP/1.1 200 OK\n", "not in a bare LF (RFC 9112 §2.2)"),
            line("HTTP/1.1 200\n", "not in a bare LF (RFC 9112 §2.2)"),
            line("HTTP/1.1 200x OK\r\n", "illegal character (RFC 9110 §5.5)"),
            line("HTTP/1.1 200 O\u{0}K\r\n", "illegal character (RFC 9110 §5.5)"),
            line("HTTP/1.1 200 OK\r\r", "must be followed by LF (RFC 9112 §2.2)"),
            line("HTTP/1.1 200 OK\r\n\rX", "must be followed by LF (RFC 9112 §2.2)"),
            line("HTTP/1.1 204 x\r\n\r\nHTTP?", "must begin with HTTP/1.1"),
        ]

    static let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    static let bodies: [Case] = [
        Row(
            "a chunk without a size",
            Bad(text: chunked + "x\r\n", kind: .malformed, says: "size is malformed (RFC 9112 §7.1)")),
        Row(
            "a chunk that is longer than it says",
            Bad(
                text: chunked + "5\r\nhello!\r\n", kind: .malformed, says: "followed by CR LF (RFC 9112 §7.1)",
                body: "hello")),
        Row(
            "a trailer without a colon",
            Bad(
                text: chunked + "1\r\na\r\n0\r\nA\r\n", kind: .malformed, says: "no colon (RFC 9112 §7.1)", body: "a")),
        Row(
            "chunks beyond the limit",
            Bad(
                text: chunked + "a\r\n0123456789\r\n3\r\nabc\r\n0\r\n\r\n", kind: .tooLarge, says: "too large",
                body: "0123456789")),
        Row(
            "a length beyond the limit",
            Bad(
                text: "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n", kind: .tooLarge, says: "larger than 12 bytes")),
        Row(
            "a length beyond any integer",
            Bad(
                text: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", kind: .tooLarge,
                says: "larger than 12 bytes")),
        Row(
            "a body up to the close beyond the limit",
            Bad(
                text: "HTTP/1.1 200 OK\r\n\r\nhello, world!", kind: .tooLarge, says: "larger than 12 bytes",
                body: "hello, world")),
        Row(
            "a head beyond the limit",
            Bad(
                text: "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 300))", kind: .tooLarge,
                says: "head is larger than 300 bytes")),
        Row(
            "a reason beyond the limit",
            Bad(
                text: "HTTP/1.1 200 \(String(repeating: "x", count: 300))", kind: .tooLarge,
                says: "head is larger than 300 bytes")),
        Row(
            "a field too many",
            Bad(
                text: "HTTP/1.1 200 OK\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF", kind: .tooLarge,
                says: "more than 5 header fields")),
        Row(
            "an interim response too many",
            Bad(
                text: String(repeating: "HTTP/1.1 100 x\r\n\r\n", count: 3), kind: .tooLarge,
                says: "More than 2 interim responses")),
    ]

    static let cut: [Case] = [
        ("nothing", "", ""), ("half a version", "HTT", ""), ("half a head", "HTTP/1.1 200 OK\r\nX:", ""),
        ("no blank line", "HTTP/1.1 200 OK\r\n", ""),
        ("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "hel"),
        ("no body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ""), ("half a chunk", chunked + "5\r\nhel", "hel"),
        ("no last chunk", chunked + "5\r\nhello\r\n", "hello"), ("no end of the trailers", chunked + "0\r\n", ""),
        ("only an interim response", "HTTP/1.1 100 x\r\n\r\n", ""),
    ].map { (name, text, body) in
        Row(name, Bad(text: text, kind: .incomplete, says: "before the response was whole (RFC 9112 §8)", body: body))
    }

    @Test(arguments: framing + syntax + bodies + cut) func aRefusalIsTheSameHoweverItArrives(_ row: Case) {
        let bytes = Array(row.value.text.utf8)
        let awaited = row.value.text.hasPrefix("HTTP/1.1 204") ? 2 : 1
        let whole = HTTPResponseParserTests.Outcome([bytes], awaited: awaited)
        #expect(whole.failure?.kind == row.value.kind)
        let text = whole.failure?.text ?? ""
        #expect(text.contains(row.value.says), "\(text)")
        #expect(whole.bodies.joined() == row.value.body)
        for cut in 0...bytes.count {
            let pieces = [Array(bytes[..<cut]), Array(bytes[cut...])]
            #expect(HTTPResponseParserTests.Outcome(pieces, awaited: awaited) == whole, "cut at \(cut)")
        }
        #expect(HTTPResponseParserTests.Outcome(bytes.map { [$0] }, awaited: awaited) == whole)
    }

    /// The limits bound what is kept: with so many bytes a parser never asks for more.
    @Test func noHeadIsWaitedForBeyondItsLimit() throws {
        for headBytesMax in [1, 40, 41, 300] {
            let limits = HTTPResponseLimits(headBytesMax: headBytesMax)
            let bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)  // 38 bytes
            var (parser, offset) = (HTTPResponseParser(), 0)
            if bytes.count <= headBytesMax {
                let event = try parser.next(bytes.span, from: &offset, limits: limits)
                #expect(event != nil && offset == bytes.count)
            } else {
                #expect(throws: HTTPResponseFailure.self) {
                    _ = try parser.next(bytes.span, from: &offset, limits: limits)
                }
            }
        }
    }

    @Test(arguments: 0..<200) func whatIsWrittenIsReadBack(seed: Int) {
        var random = SeededRandom(seed: seed)
        var (stream, expected): ([UInt8], [(Int, String)]) = ([], [])
        for _ in 0..<random.int(1...5) {
            let body = Array(String(decoding: random.text(random.int(0...40)), as: UTF8.self).utf8)
            let status = random.pick([200, 204, 404, 500])
            if random.oneIn(3) { stream += Array("HTTP/1.1 100 Continue\r\n\r\n".utf8) }
            if random.oneIn(2), status == 200 {
                HTTPResponse.appendOpenHead(
                    date: HTTPDate(unixSeconds: 0), contentType: "text/plain", extraHeaders: "", isChunked: true,
                    keepAlive: true,
                    to: &stream)
                for piece in random.pieces(of: body, most: 9) { HTTPResponse.appendChunk(piece[...], to: &stream) }
                HTTPResponse.appendLastChunk(to: &stream)
            } else {
                HTTPResponse.append(
                    status: status, date: HTTPDate(unixSeconds: 0), contentType: "text/plain", body: body.span,
                    keepAlive: true,
                    to: &stream)
            }
            expected.append((status, status == 204 ? "" : String(decoding: body, as: UTF8.self)))
        }
        let outcome = HTTPResponseParserTests.Outcome(
            random.pieces(of: stream, most: 60), limits: HTTPResponseLimits(), awaited: expected.count)
        #expect(outcome.failure == nil && outcome.rest.isEmpty)
        #expect(outcome.statuses == expected.map(\.0) && outcome.bodies == expected.map(\.1))
    }
}
