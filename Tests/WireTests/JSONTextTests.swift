import TestSupport
import Testing
import Wire

@Suite("JSON text") struct JSONTextTests {
    @Test(arguments: [
        ("", #""""#), ("abc", #""abc""#), (#"a"b"#, #""a\"b""#), (#"a\b"#, #""a\\b""#), ("a/b", #""a/b""#),
        ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#), ("\0\u{1}\u{1F}", #""\u0000\u0001\u001f""#),
        ("\u{7F}é😀\u{2028}", "\"\u{7F}é😀\u{2028}\""),
        ("1234567\"", #""1234567\"""#), ("12345678\"", #""12345678\"""#),
    ]) func onlyWhatMustBeEscapedIs(_ plain: String, _ literal: String) {
        var out: [UInt8] = []
        JSON.appendQuoted(Array(plain.utf8).span, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == literal)
    }

    /// The text is read in words of eight bytes: every byte value in every place of one, against the rule byte by byte.
    @Test func everyByteIsEscapedInEveryPlace() {
        for byte in UInt8.min..<0x80 {
            let hex = String(byte, radix: 16)
            let escaped =
                switch byte {
                case 0x08: "\\b"
                case 0x09: "\\t"
                case 0x0A: "\\n"
                case 0x0C: "\\f"
                case 0x0D: "\\r"
                case 0x22, 0x5C: "\\" + String(UnicodeScalar(byte))
                case 0..<0x20: "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                default: String(UnicodeScalar(byte))
                }
            for place in 0..<17 {
                let (before, after) = (String(repeating: "a", count: place), String(repeating: "!", count: 16 - place))
                let plain = Array(before.utf8) + [byte] + Array(after.utf8)
                var out: [UInt8] = []
                JSON.appendEscaped(plain.span, to: &out)
                #expect(out == Array((before + escaped + after).utf8), "byte \(byte) at \(place)")
            }
        }
    }

    static let stringified: [(String, String)] = [
        (#"{ "a" : [ 1 , 2 ] }"#, #""{\"a\":[1,2]}""#), ("\n[\t]\r ", #""[]""#), ("1.50", #""1.50""#),
        ("null", #""null""#),
        (#"{"a b": "c  d"}"#, #""{\"a b\":\"c  d\"}""#), (#""x""#, #""\"x\"""#), (#"["\""]"#, #""[\"\\\"\"]""#),
        (#"["\\"]"#, #""[\"\\\\\"]""#), (#"["\\\" ", " \n"]"#, #""[\"\\\\\\\" \",\" \\n\"]""#),
        (#"["\u0041 é"]"#, #""[\"\\u0041 é\"]""#),
        (#"{"a":"1234567890 1234567890"}"#, #""{\"a\":\"1234567890 1234567890\"}""#),
    ]

    @Test(arguments: stringified) func aValueBecomesItsStringLiteral(_ text: String, _ expected: String) throws {
        let bytes = Array(text.utf8)
        var (cursor, out): (JSONCursor, [UInt8]) = (JSONCursor(), [])
        JSON.appendStringified(try cursor.value(bytes.span), in: bytes.span, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == expected)
    }

    @Test(arguments: [0, 7, 10, -1, 1_234_567_890, Int.max, Int.min]) func integersAreDecimal(_ n: Int) {
        var out: [UInt8] = [0x78]
        JSON.appendInteger(n, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == "x\(n)")
    }

    @Test(arguments: 0..<300) func quotingRoundTrips(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let plain = random.text(random.int(0...50))
        var out: [UInt8] = []
        JSON.appendQuoted(plain.span, to: &out)
        var cursor = JSONCursor()
        let value = try cursor.value(out.span)
        try cursor.finish(out.span)
        var decoded: [UInt8] = []
        let isText = JSON.appendDecoded(value, in: out.span, to: &decoded)
        #expect(isText && decoded == plain && value.decodedBytes == plain.count)
    }

    /// Stringified text, decoded, is the compact text; the compact text says the same as the original and is a fixed point.
    @Test(arguments: 0..<300) func stringifyingIsCompactingInsideALiteral(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        var text: [UInt8] = []
        appendValue(depth: 4, &random, to: &text)
        var (cursor, compact, literal): (JSONCursor, [UInt8], [UInt8]) = (JSONCursor(), [], [])
        let value = try cursor.value(text.span)
        try cursor.finish(text.span)
        JSON.appendCompact(value, in: text.span, to: &compact)
        JSON.appendStringified(value, in: text.span, to: &literal)
        var inner = JSONCursor()
        let string = try inner.value(literal.span)
        var decoded: [UInt8] = []
        let isText = JSON.appendDecoded(string, in: literal.span, to: &decoded)
        #expect(isText && decoded == compact)
        var again = JSONCursor()
        var twice: [UInt8] = []
        JSON.appendCompact(try again.value(compact.span), in: compact.span, to: &twice)
        #expect(twice == compact)
    }

    private func appendValue(depth: Int, _ random: inout SeededRandom, to out: inout [UInt8]) {
        appendSpace(&random, to: &out)
        switch random.int(depth > 0 ? 0...6 : 3...6) {
        case 0, 1:
            out.append(UInt8(ascii: "["))
            for index in 0..<random.int(0...3) {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                appendValue(depth: depth - 1, &random, to: &out)
            }
            appendSpace(&random, to: &out)
            out.append(UInt8(ascii: "]"))
        case 2:
            out.append(UInt8(ascii: "{"))
            for index in 0..<random.int(0...3) {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                appendSpace(&random, to: &out)
                JSON.appendQuoted(random.text(4).span, to: &out)
                appendSpace(&random, to: &out)
                out.append(UInt8(ascii: ":"))
                appendValue(depth: depth - 1, &random, to: &out)
            }
            appendSpace(&random, to: &out)
            out.append(UInt8(ascii: "}"))
        case 3: JSON.appendQuoted(random.text(random.int(0...20)).span, to: &out)
        case 4: JSON.appendInteger(random.int(-9_999...9_999), to: &out)
        case 5:
            out += Array(
                random.pick(["true", "false", "null", "-1.5e+3", #""\ud83d\ude00 \\\" \u0022""#, #""ab\ud83d""#]).utf8)
        default: out += Array(#""\\""#.utf8)
        }
        appendSpace(&random, to: &out)
    }

    private func appendSpace(_ random: inout SeededRandom, to out: inout [UInt8]) {
        while random.oneIn(3) { out.append(random.pick([0x20, 0x09, 0x0A, 0x0D])) }
    }

    @Test(arguments: [0, 1, 9, 10, 11, 99, 100, 101, 1_000_000, Int.max, -1, -10, Int.min])
    func aWrittenIntegerIsTheNumberAndFits(number: Int) {
        var text: [UInt8] = []
        text.append(bytesMax: JSONWriter.integerBytesMax) { $0.write(integer: number) }
        #expect(String(decoding: text, as: UTF8.self) == String(number))
    }
}
