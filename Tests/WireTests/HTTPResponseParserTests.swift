import TestSupport
import Testing
import Wire

@Suite("HTTP responses (RFC 9112)") struct HTTPResponseParserTests {
    /// What a parser made of the bytes of a connection: heads and bodies in their order, and how it ended.
    struct Outcome: Equatable, Sendable {
        var statuses: [Int] = []
        var bodies: [String] = []
        /// Responses that were whole.
        var endCount = 0
        /// Bytes that were left over.
        var rest = ""
        var failure: HTTPResponseFailure?

        init(_ pieces: [[UInt8]], limits: HTTPResponseLimits = small, answersHead: Bool = false, awaited: Int = 1) {
            var (parser, input) = (HTTPResponseParser(), [UInt8]())
            parser.answersHead = answersHead
            var body: [UInt8] = []
            do throws(HTTPResponseFailure) {
                for piece in pieces {
                    input += piece
                    var offset = 0
                    while let event = try parser.next(input.span, from: &offset, limits: limits) {
                        book(event, input, &body)
                    }
                    input.removeFirst(offset)
                }
                if endCount < awaited { book(try parser.endOfStream(), input, &body) }
            } catch {
                failure = error
                var offset = 0
                let more = try? parser.next(input.span, from: &offset, limits: limits)
                #expect(more == .some(nil) && offset == 0, "nothing is read after a failure")
            }
            if failure == nil { rest = String(decoding: input, as: UTF8.self) }
            if !body.isEmpty { bodies.append(String(decoding: body, as: UTF8.self)) }
        }

        private mutating func book(_ event: HTTPResponseParser.Event, _ input: [UInt8], _ body: inout [UInt8]) {
            switch event {
            case .head(let head):
                statuses.append(head.status)
                #expect(head.range.count >= 15 && input[head.range].suffix(4).elementsEqual("\r\n\r\n".utf8))
            case .body(let range):
                #expect(!range.isEmpty)
                body += input[range]
            case .end:
                endCount += 1
                bodies.append(String(decoding: body, as: UTF8.self))
                body = []
            }
        }
    }

    static let small = HTTPResponseLimits(headBytesMax: 300, fieldsMax: 5, interimMax: 2, bodyBytesMax: 12)

    /// Whole connections: each response's status and body, and what is left over.
    struct Good: Sendable {
        var text: String
        var expected: [(status: Int, body: String)]
        var rest = ""
        var answersHead = false
    }

    static let framings: [Row<Good>] = [
        Row("a length", Good(text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", expected: [(200, "hello")])),
        Row("length 0", Good(text: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", expected: [(200, "")])),
        Row(
            "as long as may be",
            Good(
                text: "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world", expected: [(200, "hello, world")])),
        Row(
            "the same length twice",
            Good(
                text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", expected: [(200, "hi")])),
        Row(
            "the same length in a list",
            Good(
                text: "HTTP/1.1 200 OK\r\nContent-Length: 2 ,\t02\r\n\r\nhi", expected: [(200, "hi")])),
        Row(
            "chunks",
            Good(
                text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
                expected: [(200, "hello")])),
        Row(
            "no chunk",
            Good(
                text: "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", expected: [(404, "")])),
        Row(
            "chunks up to the limit, with trailers",
            Good(
                text:
                    "HTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\n\r\nC\r\nhello, world\r\n0\r\nA: b\r\nC:\r\n\r\n",
                expected: [(200, "hello, world")])),
        Row("up to the close", Good(text: "HTTP/1.1 200 OK\r\n\r\nhello", expected: [(200, "hello")])),
        Row(
            "up to the close, as much as may be",
            Good(
                text: "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello, world", expected: [(200, "hello, world")])),
        Row("nothing up to the close", Good(text: "HTTP/1.0 500 Oh\r\n\r\n", expected: [(500, "")])),
        Row(
            "HTTP/1.0 with a length",
            Good(
                text: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", expected: [(200, "hi")])),
        Row("204 has no body", Good(text: "HTTP/1.1 204 No Content\r\n\r\n", expected: [(204, "")])),
        Row(
            "204 whatever its fields say",
            Good(
                text: "HTTP/1.1 204 No\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                expected: [(204, "")])),
        Row(
            "304 with the length of what is not sent",
            Good(
                text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", expected: [(304, "")])),
        Row(
            "an answer to HEAD with a length",
            Good(
                text: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", expected: [(200, "")], answersHead: true)),
        Row(
            "an answer to HEAD with chunks",
            Good(
                text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", expected: [(200, "")],
                answersHead: true)),
        Row(
            "an answer to HEAD with two lengths",
            Good(
                text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: x\r\n\r\n", expected: [(200, "")],
                answersHead: true)),
        Row(
            "205 is framed as others are",
            Good(
                text: "HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nhi", expected: [(205, "hi")])),
    ]

    static let lines: [Row<Good>] = [
        Row("no reason", Good(text: "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", expected: [(200, "")])),
        Row("no reason and no space", Good(text: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", expected: [(200, "")])),
        Row(
            "a reason in any letters",
            Good(
                text: "HTTP/1.1 404 Nicht gefunden:\t\u{E4}!\r\nContent-Length: 0\r\n\r\n", expected: [(404, "")])),
        Row("an unknown status", Good(text: "HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", expected: [(999, "")])),
        Row(
            "a higher minor version",
            Good(
                text: "HTTP/1.9 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", expected: [(200, "")])),
        Row(
            "a folded field",
            Good(
                text: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\tc\r\nContent-Length: 2\r\n\r\nhi", expected: [(200, "hi")])),
        Row(
            "a fold that looks like a length",
            Good(
                text: "HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\nhi",
                expected: [(200, "hi")])),
        Row(
            "as many fields as may be",
            Good(
                text: "HTTP/1.1 200 OK\r\nA:\r\nB:\r\nC:\r\nD:\r\nContent-Length: 0\r\n\r\n", expected: [(200, "")])),
    ]

    static let sequences: [Row<Good>] = [
        Row(
            "100 before",
            Good(
                text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
                expected: [(200, "hi")])),
        Row(
            "103 and 102 before, with fields",
            Good(
                text: "HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
                expected: [(204, "")])),
        Row(
            "interim ones before each",
            Good(
                text: String(
                    repeating: "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n", count: 3),
                expected: [(204, ""), (204, ""), (204, "")])),
        Row(
            "three on one connection",
            Good(
                text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
                    + "HTTP/1.1 404 x\r\nContent-Length: 1\r\n\r\nbHTTP/1.1 200 OK\r\n\r\nc",
                expected: [(200, "a"), (404, "b"), (200, "c")])),
        Row(
            "chunks again, from the start",
            Good(
                text: String(
                    repeating: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nninebytes\r\n0\r\n\r\n",
                    count: 2),
                expected: [(200, "ninebytes"), (200, "ninebytes")])),
        Row(
            "nothing is read after a close",
            Good(
                text: "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 x\r\n\r\n",
                expected: [(200, "a")], rest: "HTTP/1.1 404 x\r\n\r\n")),
        Row(
            "nothing is read after HTTP/1.0",
            Good(
                text: "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.0 404 x\r\n\r\n", expected: [(200, "a")],
                rest: "HTTP/1.0 404 x\r\n\r\n")),
        Row(
            "HTTP/1.0 that keeps the connection",
            Good(
                text: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\naHTTP/1.0 404 x\r\n\r\nb",
                expected: [(200, "a"), (404, "b")])),
        Row(
            "nothing is read after an upgrade",
            Good(
                text: "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n\u{1}frames",
                expected: [(101, "")], rest: "\u{1}frames")),
    ]

    /// Every cut into two, and one byte at a time, says the same as all at once.
    @Test(arguments: framings + lines + sequences) func responsesAreTheSameHoweverTheyArrive(_ row: Row<Good>) {
        let (bytes, expected) = (Array(row.value.text.utf8), row.value.expected)
        func outcome(_ pieces: [[UInt8]]) -> Outcome {
            Outcome(pieces, answersHead: row.value.answersHead, awaited: expected.count)
        }
        let whole = outcome([bytes])
        #expect(whole.statuses == expected.map(\.status) && whole.bodies == expected.map(\.body))
        #expect(whole.endCount == expected.count && whole.failure == nil && whole.rest == row.value.rest)
        for cut in 0...bytes.count {
            #expect(outcome([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "cut at \(cut)")
        }
        #expect(outcome(bytes.map { [$0] }) == whole)
    }
}
