import TestSupport
import Testing
import Wire

@Suite("Hex, base 64 and percent-encoding") struct TextCodingTests {
    @Test func hexIsLowerCaseAndReadsEitherCase() {
        var out: [UInt8] = []
        Hex.appendLowercase([0x00, 0x0F, 0xA5, 0xFF].span, to: &out)
        #expect(out == Array("000fa5ff".utf8))
        #expect(Hex.decode(Array("000Fa5fF".utf8).span) == [0x00, 0x0F, 0xA5, 0xFF])
        let nothing: [UInt8] = []
        #expect(Hex.decode(nothing.span) == [])
    }

    @Test(arguments: ["0", "0g", "g0", "0x", "/0", ":0", "@0", "`0", "00 ", " 00", "é"])
    func refusesWhatIsNotHex(_ text: String) {
        #expect(Hex.decode(Array(text.utf8).span) == nil)
    }

    /// RFC 4648 §10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]) func base64FollowsTheVectors(_ plain: String, _ coded: String) {
        var out: [UInt8] = []
        Base64.append(Array(plain.utf8).span, to: &out)
        #expect(out == Array(coded.utf8))
        #expect(Base64.decode(Array(coded.utf8).span) == Array(plain.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Zh==", "Zm9=", "Zm 8", "Zm8\n", "Z=g=", "Zg==Zg==", "Zm-_",
        "Zm9v=",
        "=Zm9", "é===",
    ]) func refusesBase64ThatIsNotCanonical(_ text: String) {
        #expect(Base64.decode(Array(text.utf8).span) == nil)
    }

    /// Whatever is accepted is what encoding would have written, so that no two texts mean the same.
    @Test(arguments: 0..<50) func base64IsAcceptedInOneSpellingOnly(seed: Int) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let letters = (0..<random.int(0...12)).map { _ in random.pick(Array("AQgwZz09+/".utf8)) }
            let text = letters + [UInt8](repeating: UInt8(ascii: "="), count: random.int(0...3))
            let (count, decoded) = (Base64.decodedCount(text.span), Base64.decode(text.span))
            #expect(count == decoded?.count, "\(String(decoding: text, as: UTF8.self))")
            guard let decoded else { continue }
            var again: [UInt8] = []
            Base64.append(decoded.span, to: &again)
            #expect(again == text, "\(String(decoding: text, as: UTF8.self))")
        }
    }

    @Test(arguments: 0..<100) func codingsRoundTrip(seed: Int) {
        var random = SeededRandom(seed: seed)
        let bytes = random.bytes(random.int(0...70))
        var (hex, base64, percent): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
        Hex.appendLowercase(bytes.span, to: &hex)
        Base64.append(bytes.span, to: &base64)
        Percent.appendEncoded(bytes.span, to: &percent)
        #expect(Hex.decode(hex.span) == bytes)
        #expect(Base64.decode(base64.span) == bytes)
        #expect(Percent.decode(percent.span) == bytes)
    }

    @Test(arguments: [
        ("a%20b", "a b"), ("%41%5a%5A", "AZZ"), ("a+b", "a+b"), ("%2B", "+"), ("%C3%A9", "é"), ("", ""),
    ]) func percentEscapesAreDecoded(_ text: String, _ expected: String) {
        #expect(Percent.decode(Array(text.utf8).span) == Array(expected.utf8))
    }

    @Test(arguments: ["%", "%4", "%g0", "%0g", "a%", "%%41", "%4%31", "abc%f"])
    func refusesBrokenEscapesAndAppendsNothing(_ text: String) {
        #expect(Percent.decode(Array(text.utf8).span) == nil)
        var out: [UInt8] = [1, 2]
        let answer = Percent.appendDecoded(Array(text.utf8).span, to: &out)
        #expect(!answer && out == [1, 2])
    }

    @Test func aPlusIsASpaceOnlyInForms() {
        #expect(Percent.decode(Array("a+b%2B".utf8).span, plusAsSpace: true) == Array("a b+".utf8))
        let plus = Array("a+b".utf8)
        let (plain, form) = (Percent.containsEscapes(plus.span), Percent.containsEscapes(plus.span, plusAsSpace: true))
        #expect(!plain && form)
    }

    @Test func onlyUnreservedCharactersStayUnencoded() {
        var out: [UInt8] = []
        Percent.appendEncoded(Array("aZ9-._~ /?é".utf8).span, to: &out)
        #expect(out == Array("aZ9-._~%20%2F%3F%C3%A9".utf8))
    }
}
