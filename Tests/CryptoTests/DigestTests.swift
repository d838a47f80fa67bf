import Crypto
import Testing

@Suite("Digests") struct DigestTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String, text: String, md5: String, sha1: String, sha256: String
    }

    static let rows = [
        Row(
            testDescription: "empty (the body_md5 of a Python GET, PW-129)", text: "",
            md5: "d41d8cd98f00b204e9800998ecf8427e", sha1: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        Row(
            testDescription: "{} (the body of Node's terminate call)", text: "{}",
            md5: "99914b932bd37a50b983c5e7c90ae93b", sha1: "bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f",
            sha256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        Row(
            testDescription: "abc (FIPS 180-4 example)", text: "abc",
            md5: "900150983cd24fb0d6963f7d28e17f72", sha1: "a9993e364706816aba3e25717850c26c9cd0d89d",
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        Row(
            testDescription: "the WebSocket handshake of RFC 6455 §1.3",
            text: "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
            md5: "7c8fc5f79a451f251ac771cbb7492d99", sha1: "b37a4f2cc0624f1690f64606cf385945b2bec4ea",
            sha256: "73ca9e0b1c01f2c24fc6449c91e2fbe9b28bedfeb8dbe298cc3891ec46cac936"),
    ]

    @Test(arguments: rows) func knownTextsHaveKnownDigests(_ row: Row) {
        let text = Array(row.text.utf8)
        let md5 = hex(Digest.md5(text.span).span), sha1 = hex(Digest.sha1(text.span).span)
        let sha256 = hex(Digest.sha256(text.span))
        #expect(md5 == row.md5)
        #expect(sha1 == row.sha1)
        #expect(sha256 == row.sha256)
    }

    @Test(arguments: ["", "a", "ab", "secret-secret"])
    func constantTimeComparisonAgreesWithEquality(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(equals(bytes, bytes))
        #expect(!equals(bytes, bytes + [0]))
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 0x80
            #expect(!equals(bytes, other))
        }
    }

    @Test func randomNumbersDoNotRepeatAndEveryBitVaries() {
        #expect(Set((0..<1_000).map { _ in Randomness.uint64() }).count == 1_000)
        #expect(Set((0..<100).map { _ in Randomness.uint32() }).count > 95)
        // After 64 numbers the chance that some bit was zero each time is 64 · 2^-64.
        #expect((0..<64).reduce(UInt64(0)) { seen, _ in seen | Randomness.uint64() } == .max)
        #expect((0..<64).reduce(UInt32(0)) { seen, _ in seen | Randomness.uint32() } == .max)
    }

    /// Past the end of what is drawn at once, several times.
    @Test func numbersDrawnAheadDoNotRepeatEither() {
        var numbers = RandomNumbers()
        let drawn = (0..<1_000).map { _ in numbers.next() }
        // Two of a thousand are equal once in 8,600 runs; three pairs never.
        #expect(Set(drawn).count > 997)
        #expect(drawn.reduce(0) { $0 | $1 } == .max)
        var others = RandomNumbers()
        #expect((0..<100).map { _ in others.next() } != Array(drawn[..<100]))
    }
}

// The `#expect` macro cannot capture a span, hence these.
func equals(_ a: [UInt8], _ b: [UInt8]) -> Bool { ConstantTime.equals(a.span, b.span) }

func hex(_ digest: SHA256Digest) -> String { hex(digest.bytes.span) }

func hex(_ bytes: Span<UInt8>) -> String {
    var text = ""
    for index in bytes.indices {
        let byte = bytes[index]
        text += String(byte >> 4, radix: 16) + String(byte & 0xF, radix: 16)
    }
    return text
}
