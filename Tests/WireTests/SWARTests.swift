import TestSupport
import Testing
import Wire

/// Comparing and searching eight bytes at a time, against the same one byte at a time. Every array is exactly as long as what may be
/// read, so that the address sanitizer sees a byte too many.
@Suite("Comparing and searching bytes") struct SWARTests {
    /// One literal of each length from 0 to 40: a `StaticString` cannot be cut.
    static let literals: [StaticString] = [
        "", "x", "x-", "x-c", "x-co", "x-con", "x-cont", "x-conte", "x-conten", "x-content", "x-content/",
        "x-content/4", "x-content/4.", "x-content/4.1", "x-content/4.10", "x-content/4.10:", "x-content/4.10:u",
        "x-content/4.10:up", "x-content/4.10:upg", "x-content/4.10:upgr", "x-content/4.10:upgra",
        "x-content/4.10:upgrad", "x-content/4.10:upgrade", "x-content/4.10:upgrade-", "x-content/4.10:upgrade-c",
        "x-content/4.10:upgrade-ch", "x-content/4.10:upgrade-chu", "x-content/4.10:upgrade-chun",
        "x-content/4.10:upgrade-chunk", "x-content/4.10:upgrade-chunke", "x-content/4.10:upgrade-chunked",
        "x-content/4.10:upgrade-chunked-", "x-content/4.10:upgrade-chunked-k", "x-content/4.10:upgrade-chunked-ke",
        "x-content/4.10:upgrade-chunked-key", "x-content/4.10:upgrade-chunked-key/",
        "x-content/4.10:upgrade-chunked-key/v", "x-content/4.10:upgrade-chunked-key/v2",
        "x-content/4.10:upgrade-chunked-key/v2:", "x-content/4.10:upgrade-chunked-key/v2:o",
        "x-content/4.10:upgrade-chunked-key/v2:ok",
    ]

    static func bytes(_ literal: StaticString) -> [UInt8] { literal.withUTF8Buffer { Array($0) } }

    struct Answers: Equatable {
        var equals, hasPrefix, equalsSpan, rangeEquals, equalsWithoutCase: Bool
    }

    /// `text` with `before` bytes in front of it and `after` behind it, asked about `literal`.
    private func ask(_ text: [UInt8], _ literal: StaticString, before: [UInt8], after: [UInt8]) -> Answers {
        let whole = before + text + after
        let range = before.count..<before.count + text.count
        let other = Self.bytes(literal)
        return Answers(
            equals: text.span.equals(literal), hasPrefix: (text + after).span.hasPrefix(literal),
            equalsSpan: text.span.equals(other.span), rangeEquals: whole.span.equals(range, literal),
            equalsWithoutCase: HTTPText.equals(range, literal, in: whole.span))
    }

    private func naive(_ text: [UInt8], _ literal: StaticString, after: [UInt8]) -> Answers {
        let wanted = Self.bytes(literal)
        let lower = text.map { 0x41...0x5A ~= $0 ? $0 + 0x20 : $0 }
        return Answers(
            equals: text == wanted, hasPrefix: (text + after).starts(with: wanted), equalsSpan: text == wanted,
            rangeEquals: text == wanted, equalsWithoutCase: lower == wanted)
    }

    @Test(arguments: 0...40) func aTextIsItselfAndNothingElse(length: Int) {
        var random = SeededRandom(seed: length)
        let literal = Self.literals[length]
        let text = Self.bytes(literal)
        #expect(text.count == length)
        var faults: [String] = []
        func check(_ changed: [UInt8], before: Int, after: Int, _ what: @autoclosure () -> String) {
            let (before, after) = (random.bytes(before), random.bytes(after))
            let got = ask(changed, literal, before: before, after: after)
            if got != naive(changed, literal, after: after) { faults.append("\(what()): \(got)") }
        }
        for before in 0...9 {
            for after in 0...9 { check(text, before: before, after: after, "\(before) before, \(after) after") }
        }
        for position in text.indices {
            // Every byte where one word or its seams are compared, and every bit elsewhere.
            let values = length <= 9 ? Array(UInt8.min...UInt8.max) : (0..<8).map { text[position] ^ 1 << $0 }
            for value in values {
                var changed = text
                changed[position] = value
                check(changed, before: random.int(0...9), after: random.int(0...9), "\(value) at \(position)")
            }
        }
        for other in 0...40 where other != length {
            let before = random.int(0...9)
            check(Self.bytes(Self.literals[other]), before: before, after: 0, "the text of \(other) bytes")
        }
        #expect(faults.isEmpty, "\(faults.prefix(5))")
    }

    @Test(arguments: 0...40) func caseIsIgnoredInLettersOnly(length: Int) {
        let literal = Self.literals[length]
        let text = Self.bytes(literal)
        let upper = text.map { 0x61...0x7A ~= $0 ? $0 - 0x20 : $0 }
        let isUpper = HTTPText.equals(0..<length, literal, in: upper.span)
        #expect(isUpper)
        let flipped = text.map { $0 ^ 0x20 }
        let isAllLetters = text.allSatisfy { 0x61...0x7A ~= $0 }
        let isFlipped = HTTPText.equals(0..<length, literal, in: flipped.span)
        #expect(isFlipped == isAllLetters)
    }

    @Test(
        arguments: [UInt8](
            arrayLiteral: 0x00, 0x01, 0x20, 0x25, 0x26, 0x2B, 0x2F, 0x3D, 0x3F, 0x7F, 0x80, 0x81, 0xFE, 0xFF))
    func theFirstOffsetIsTheFirst(byte: UInt8) {
        var random = SeededRandom(seed: Int(byte))
        // What the borrow of a neighbour could mistake for it, and what shares its bits.
        let others = [byte &- 1, byte &+ 1, byte ^ 0x80, byte ^ 0x01, 0x00, 0x01, 0x80, 0xFF].filter { $0 != byte }
        var faults: [String] = []
        for length in 0...40 {
            for share in [4, 64] {
                let text = (0..<length).map { _ in random.oneIn(share) ? byte : random.pick(others) }
                for start in 0...length {
                    for end in start...length {
                        let naive = (start..<end).first { text[$0] == byte } ?? end
                        let got = text.span.firstOffset(of: byte, in: start..<end)
                        if got != naive { faults.append("\(text)[\(start)..<\(end)]: \(got), not \(naive)") }
                    }
                }
            }
        }
        #expect(faults.isEmpty, "\(faults.prefix(5))")
    }

    /// The target's bytes are looked at eight at a time too.
    @Test(arguments: 0...20) func everyByteOfATargetIsLookedAt(position: Int) {
        for value in UInt8.min...UInt8.max where value != UInt8(ascii: "\n") && value != UInt8(ascii: "\r") {
            var target = Array("/aaaaaaaaaaaaaaaaaaaaaaaaa".utf8)
            target[1 + position] = value
            let request = Array("GET ".utf8) + target + Array(" HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
            let head = try? HTTPRequestParser.parse(request.span, limits: HTTPLimits())
            let isAllowed = 0x21...0x7E ~= value && value != UInt8(ascii: "#")
            #expect((head != nil) == isAllowed, "\(value) at \(position)")
            if let head { #expect(head.target == 4..<4 + target.count) }
        }
    }

    /// So are those of a header's name. RFC 9110 §5.6.2 says what a name is made of.
    @Test(arguments: 0...20) func everyByteOfANameIsLookedAt(position: Int) {
        let token = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for value in UInt8.min...UInt8.max where value != UInt8(ascii: ":") {
            var name = Array("Xx-Aaaaaaa-Zzzzzzzzzzz".utf8)
            name[1 + position] = value
            let request = Array("GET / HTTP/1.1\r\nHost: h\r\n".utf8) + name + Array(": v\r\n\r\n".utf8)
            let head = try? HTTPRequestParser.parse(request.span, limits: HTTPLimits())
            #expect((head != nil) == token.contains(value), "\(value) at \(position)")
        }
    }

    @Test(arguments: [UInt8](arrayLiteral: 0x40, 0x41, 0x5A, 0x5B, 0x61, 0x7A, 0x00, 0x7F, 0x80, 0xC1, 0xDA, 0xFF))
    func aCapitalIsFoundWhereverItStands(byte: UInt8) {
        for length in 1...40 {
            for place in 0..<length {
                var text = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                text[place] = byte
                for start in [0, place, min(place + 1, length)] {
                    let answer = text.span.hasUppercase(in: start..<length)
                    #expect(answer == (0x41...0x5A ~= byte && start <= place), "\(byte) at \(place) of \(length)")
                }
            }
        }
    }

    @Test(arguments: 0..<50) func marksAreToldInOrderAndOnce(seed: Int) {
        var random = SeededRandom(seed: seed)
        let (first, second) = (UInt8(ascii: "&"), random.pick([UInt8(ascii: "="), 0x00, 0x80, 0xFF]))
        // What shares their bits, or could be mistaken for them.
        let others: [UInt8] = [0x25, 0x27, 0x3C, 0x3E, 0x01, 0x7F, 0x81, 0xA6, 0xFE, 0x61].filter { $0 != second }
        for share in [2, 8, 64] {
            let text = (0..<random.int(0...80)).map { _ in
                random.oneIn(share) ? random.pick([first, second]) : random.pick(others)
            }
            var marks = ByteMarks(of: first, or: second)
            var told: [Int] = []
            while true {
                let next = marks.next(in: text.span)
                if next == text.count { break }
                told.append(next)
            }
            #expect(told == text.indices.filter { text[$0] == first || text[$0] == second }, "seed \(seed)")
            let afterwards = marks.next(in: text.span)
            #expect(afterwards == text.count)
        }
    }
}
