import TestSupport
import Testing
import Wire

@Suite("UTF-8 (RFC 3629)") struct UTF8Tests {
    static let invalid: [Row<[UInt8]>] = [
        Row("a continuation byte alone", [0x80]),
        Row("the last continuation byte alone", [0xBF]),
        Row("an overlong slash of two bytes", [0xC0, 0xAF]),
        Row("the largest overlong of two bytes", [0xC1, 0xBF]),
        Row("an overlong slash of three bytes", [0xE0, 0x80, 0xAF]),
        Row("the largest overlong of three bytes", [0xE0, 0x9F, 0xBF]),
        Row("an overlong slash of four bytes", [0xF0, 0x80, 0x80, 0xAF]),
        Row("the largest overlong of four bytes", [0xF0, 0x8F, 0xBF, 0xBF]),
        Row("the first surrogate", [0xED, 0xA0, 0x80]),
        Row("the last surrogate", [0xED, 0xBF, 0xBF]),
        Row("a surrogate pair (CESU-8)", [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80]),
        Row("the first scalar too many", [0xF4, 0x90, 0x80, 0x80]),
        Row("a five-byte form", [0xF8, 0x88, 0x80, 0x80, 0x80]),
        Row("0xFE", [0xFE]),
        Row("0xFF", [0xFF]),
        Row("a two-byte lead before ASCII", [0xC3, 0x41]),
        Row("a three-byte character cut by ASCII", [0xE2, 0x82, 0x41]),
        Row("a four-byte character cut by ASCII", [0xF0, 0x9F, 0x98, 0x41]),
        Row("bad after eight ASCII bytes", Array("12345678".utf8) + [0xFF]),
        Row("bad as the last of eight bytes", Array("1234567".utf8) + [0xFF]),
    ]

    static let incomplete: [Row<[UInt8]>] = [
        Row("two-byte lead", [0xC2]), Row("three-byte lead", [0xE1]), Row("three-byte lead and one", [0xE1, 0x80]),
        Row("four-byte lead", [0xF1]), Row("four-byte lead and two", [0xF0, 0x90, 0x80]),
        Row("text, then a lead", Array("hello wörld".utf8) + [0xF4]),
    ]

    static let valid: [Row<[UInt8]>] = [
        Row("nothing", []), Row("NUL", [0]), Row("ASCII of nine bytes", Array("123456789".utf8)),
        Row("the edges of each length", Array("\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}".utf8)),
        Row("around the surrogates", Array("\u{D7FF}\u{E000}".utf8)), Row("a byte-order mark", Array("\u{FEFF}".utf8)),
    ]

    @Test(arguments: invalid) func refusesIllFormedText(_ row: Row<[UInt8]>) {
        #expect(!isValid(row.value))
        var stream = UTF8Stream()
        let answer = stream.feed(row.value.span)
        let later = stream.feed([0x41].span)
        #expect(!answer && !later && !stream.isComplete)
    }

    @Test(arguments: incomplete) func anIncompleteCharacterIsNotAnErrorYet(_ row: Row<[UInt8]>) {
        #expect(!isValid(row.value))
        var stream = UTF8Stream()
        let answer = stream.feed(row.value.span)
        #expect(answer && !stream.isComplete)
    }

    @Test(arguments: valid) func acceptsWellFormedText(_ row: Row<[UInt8]>) {
        #expect(isValid(row.value))
    }

    @Test func everyTwoByteSequenceAgreesWithTheStandardLibrary() {
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                let bytes = [first, second]
                #expect(isValid(bytes) == (String(validating: bytes, as: UTF8.self) != nil))
            }
        }
    }

    @Test(arguments: 0..<300) func randomTextAgreesWithTheStandardLibraryAtEverySplit(seed: Int) {
        var random = SeededRandom(seed: seed)
        var bytes = random.text(random.int(0...40))
        if random.oneIn(2), !bytes.isEmpty { bytes[random.int(0...bytes.count - 1)] = random.pick(random.bytes(9)) }
        let expected = String(validating: bytes, as: UTF8.self) != nil
        #expect(isValid(bytes) == expected)
        for cut in 0...bytes.count {
            var stream = UTF8Stream()
            let first = stream.feed(bytes.span.extracting(0..<cut))
            let second = stream.feed(bytes.span.extracting(cut..<bytes.count))
            #expect((second && stream.isComplete) == expected)
            if !first { #expect(!second) }
        }
    }

    private func isValid(_ bytes: [UInt8]) -> Bool { UTF8Check.isValid(bytes.span) }
}
