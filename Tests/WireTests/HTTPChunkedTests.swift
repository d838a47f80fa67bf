import TestSupport
import Testing
import Wire

@Suite("Chunked bodies (RFC 9112 §7.1)") struct HTTPChunkedTests {
    /// What a decoder made of a body: the data, how many bytes it took, and how it ended.
    struct Outcome: Equatable, Sendable {
        var body: [UInt8] = []
        var consumed = 0
        var ended = false
        var status: Int?

        init(body: String, consumed: Int, ended: Bool = true) {
            (self.body, self.consumed, self.ended) = (Array(body.utf8), consumed, ended)
        }

        init(feeding pieces: [[UInt8]], bodyBytesMax: Int = 100) {
            var decoder = HTTPChunkedDecoder()
            for piece in pieces where !ended && status == nil {
                var offset = 0
                do throws(HTTPFailure) {
                    ended = try decoder.feed(piece.span, from: &offset, into: &body, bodyBytesMax: bodyBytesMax)
                } catch {
                    status = error.status
                }
                consumed += offset
            }
        }
    }

    static let accepted: [Row<(String, String)>] = [
        Row("empty", ("0\r\n\r\n", "")), Row("one chunk", ("5\r\nhello\r\n0\r\n\r\n", "hello")),
        Row("three chunks", ("1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", "abcdef")),
        Row("hex in both cases", ("A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a")),
        Row("leading zeros", ("0005\r\nhello\r\n000\r\n\r\n", "hello")),
        Row("an extension", ("5;a=b\r\nhello\r\n0\r\n\r\n", "hello")),
        Row("a quoted one", ("5;a=\"b;c\"\r\nhello\r\n0;x\r\n\r\n", "hello")),
        Row("an extension of 16", ("1;234567890123456\r\nx\r\n0\r\n\r\n", "x")),
        Row("trailers", ("0\r\nA: b\r\nC:\r\n\r\n", "")),
        Row("data like lines", ("4\r\n\r\n0\r\r\n0\r\n\r\n", "\r\n0\r")),
        Row("16 digits", ("0000000000000001\r\nx\r\n0\r\n\r\n", "x")),
    ]

    static let refused: [Row<(String, Int)>] = [
        Row("no size", ("\r\nhello", 400)), Row("not hex", ("g\r\n", 400)), Row("0x", ("0x5\r\nhello\r\n", 400)),
        Row("a sign", ("+5\r\nhello\r\n", 400)), Row("a minus", ("-5\r\n", 400)),
        Row("space before", (" 5\r\nhello\r\n", 400)),
        Row("space after", ("5 \r\nhello\r\n", 400)), Row("space before the extension", ("5 ;a\r\nhello\r\n", 400)),
        Row("tab", ("5\t\r\n", 400)), Row("bare LF after the size", ("5\nhello\r\n", 400)),
        Row("bare CR", ("5\rhello", 400)),
        Row("CR CR LF", ("5\r\r\nhello", 400)), Row("bare LF after an extension", ("5;a\nhello", 400)),
        Row("bare CR in an extension", ("5;a\rb\r\n", 400)), Row("NUL in an extension", ("5;\0\r\n", 400)),
        Row("an extension of 17", ("1;2345678901234567\r\nx", 400)), Row("only an extension", (";a\r\n", 400)),
        Row("data too long", ("5\r\nhello!\r\n", 400)), Row("data too short", ("5\r\nhell\r\n0\r\n\r\n", 400)),
        Row("bare LF after data", ("5\r\nhello\n0\r\n\r\n", 400)),
        Row("no line end after data", ("5\r\nhello0\r\n\r\n", 400)),
        Row("17 digits", ("00000000000000001\r\nx", 400)), Row("bare LF at the end", ("0\r\n\n", 400)),
        Row("bare LF after the last size", ("0\n\r\n", 400)), Row("CR and something", ("0\r\n\rX", 400)),
        Row("folded trailer", ("0\r\nA: b\r\n c\r\n\r\n", 400)),
        Row("trailer without a colon", ("0\r\nA\r\n\r\n", 400)),
        Row("trailer with space", ("0\r\nA : b\r\n\r\n", 400)), Row("trailer without a name", ("0\r\n: b\r\n", 400)),
        Row("bare LF in a trailer", ("0\r\nA: b\n\r\n", 400)), Row("control in a trailer", ("0\r\nA: \u{1}\r\n", 400)),
        Row("bare CR in a trailer", ("0\r\nA: b\rc\r\n", 400)),
        Row("a request for a trailer", ("0\r\nGET / HTTP/1.1\r\n", 400)),
        Row("one byte too much", ("65\r\n", 413)),
        Row("too much in sum", ("64\r\n" + String(repeating: "a", count: 100) + "\r\n1", 413)),
        Row("2^63", ("8000000000000000\r\n", 413)), Row("2^64 - 1", ("FFFFFFFFFFFFFFFF\r\n", 413)),
        Row("2^64 and more", ("FFFFFFFFFFFFFFFFF\r\n", 413)), Row("2^64 + 5", ("10000000000000005\r\n", 413)),
        Row("endless trailers", ("0\r\n" + String(repeating: "A: b\r\n", count: 400), 431)),
        Row("endless trailer name", ("0\r\n" + String(repeating: "A", count: 2_100), 431)),
    ]

    @Test(arguments: accepted) func bodiesAreDecodedInAnyPieces(_ row: Row<(String, String)>) {
        let bytes = Array(row.value.0.utf8)
        let expected = Outcome(body: row.value.1, consumed: bytes.count)
        let followed = bytes + Array("GET /next".utf8)
        #expect(Outcome(feeding: [followed]) == expected)
        #expect(Outcome(feeding: followed.map { [$0] }) == expected)
        for cut in 0...bytes.count {
            #expect(Outcome(feeding: [Array(followed[..<cut]), Array(followed[cut...])]) == expected, "cut at \(cut)")
            if cut < bytes.count { #expect(!Outcome(feeding: [Array(bytes[..<cut])]).ended) }
        }
    }

    @Test(arguments: refused) func wrongBodiesAreRefused(_ row: Row<(String, Int)>) {
        let bytes = Array(row.value.0.utf8)
        #expect(Outcome(feeding: [bytes]).status == row.value.1)
        #expect(Outcome(feeding: bytes.map { [$0] }).status == row.value.1)
    }

    @Test func anEndedDecoderTakesNothing() throws {
        var decoder = HTTPChunkedDecoder()
        var (body, offset): ([UInt8], Int) = ([], 0)
        let bytes = Array("0\r\n\r\nrest".utf8)
        for _ in 0..<2 {
            let ended = try decoder.feed(bytes.span, from: &offset, into: &body, bodyBytesMax: 10)
            #expect(ended && offset == 5 && body.isEmpty)
        }
    }

    @Test(arguments: [0, -1, Int.max]) func anyLimitIsSafe(bodyBytesMax: Int) {
        let outcome = Outcome(feeding: [Array("7FFFFFFFFFFFFFFF\r\n".utf8)], bodyBytesMax: bodyBytesMax)
        #expect(outcome.status == (bodyBytesMax == .max ? nil : 413))
    }

    @Test(arguments: 0..<100) func whatIsChunkedComesBack(seed: Int) {
        var random = SeededRandom(seed: seed)
        let plain = random.bytes(random.int(0...500))
        var coded: [UInt8] = []
        for piece in random.pieces(of: plain, most: random.int(1...200)) {
            coded += Array((String(piece.count, radix: 16, uppercase: random.oneIn(2)) + random.pick(["", ";x"])).utf8)
            coded += [13, 10] + piece + [13, 10]
        }
        coded += Array("0\r\n\r\n".utf8)
        let outcome = Outcome(feeding: random.pieces(of: coded, most: 90), bodyBytesMax: plain.count)
        #expect(outcome.body == plain && outcome.ended && outcome.consumed == coded.count)
    }
}
