import TestSupport
import Testing
import Wire

@Suite("JSON cursor") struct JSONCursorTests {
    static let message = Array(
        #" {"event":"client-é\n","data": {"a":[1,2]} ,"n":-3, "ok":true,"no":false,"nil":null} "#.utf8)

    @Test func membersComeWithTheirPlaces() throws {
        var cursor = JSONCursor()
        var seen: [String] = []
        try cursor.beginObject(Self.message.span)
        while let (key, value) = try cursor.nextMember(Self.message.span) {
            let name = decoded(key, in: Self.message)
            seen.append("\(name ?? "?") \(value.kind) " + String(decoding: Self.message[value.range], as: UTF8.self))
        }
        try cursor.finish(Self.message.span)
        #expect(
            seen == [
                #"event string "client-é\n""#, #"data object {"a":[1,2]}"#, "n number -3", "ok boolean true",
                "no boolean false", "nil null null",
            ])
    }

    @Test func stringsKnowTheirDecodedLength() throws {
        let rows: [(String, String)] = [
            (#""""#, ""), (#""abc""#, "abc"), (#""\n\"\/""#, "\n\"/"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
            (#""\ud83d\ude00!""#, "😀!"), ("\"é€😀\"", "é€😀"), (#""x\\""#, "x\\"), (#""\b\f\r\t""#, "\u{8}\u{C}\r\t"),
            (#""\u0000\u007f\u0080\u07ff\u0800\uffff\udbff\udfff""#, "\0\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10FFFF}"),
        ]
        for (text, expected) in rows {
            let bytes = Array(text.utf8)
            var cursor = JSONCursor()
            let value = try cursor.value(bytes.span)
            #expect(decoded(value, in: bytes) == expected)
            #expect(value.decodedBytes == expected.utf8.count)
            #expect(value.hasEscapes == text.contains("\\"))
            #expect(value.content == 1..<bytes.count - 1)
            #expect(equals(value, Array(expected.utf8), in: bytes))
            #expect(!equals(value, Array(expected.utf8) + [0x78], in: bytes))
        }
    }

    /// Half of a surrogate pair is let through and marked, and never decoded: the text, and the length with U+FFFD.
    static let lone: [(String, String)] = [
        (#""\ud800""#, "\u{FFFD}"), (#""\udfff""#, "\u{FFFD}"), (#""ab\uD83D""#, "ab\u{FFFD}"),
        (#""\udc00\ud800""#, "\u{FFFD}\u{FFFD}"), (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"),
        (#""\ud83d\ude00\ude00x""#, "😀\u{FFFD}x"), (#""\ud800\n""#, "\u{FFFD}\n"), (#""\ud800\u0041""#, "\u{FFFD}A"),
        (#""\ud800\\udc00""#, "\u{FFFD}\\udc00"), (#""\ud800u""#, "\u{FFFD}u"),
        (#""é\udbff\ue000""#, "é\u{FFFD}\u{E000}"),
    ]

    @Test(arguments: lone) func aLoneSurrogateIsMarkedAndNotDecoded(_ text: String, _ shown: String) throws {
        let bytes = Array(text.utf8)
        var cursor = JSONCursor()
        let value = try cursor.value(bytes.span)
        try cursor.finish(bytes.span)
        #expect(value.hasLoneSurrogate && value.hasEscapes)
        #expect(value.decodedBytes == shown.utf8.count)
        var out = Array("kept".utf8)
        let isText = JSON.appendDecoded(value, in: bytes.span, to: &out)
        #expect(!isText && out == Array("kept".utf8))
        #expect(!equals(value, Array(shown.utf8), in: bytes), "it equals no text")
        // Not at the place of the mark either: what stands around it is a text again.
        let inside = Array((#"["\ud83d\ude00","# + text + #","a"]"#).utf8)
        var elements = JSONCursor()
        try elements.beginArray(inside.span)
        var marks: [Bool] = []
        while let element = try elements.nextElement(inside.span) { marks.append(element.hasLoneSurrogate) }
        #expect(marks == [false, true, false])
    }

    @Test func namesAndValuesMayBeReadOneAfterTheOther() throws {
        let bytes = Array(#"{"a": [1, {"b":2}] ,"c":"x","d":{}}"#.utf8)
        var cursor = JSONCursor(depthMax: 3)
        try cursor.beginObject(bytes.span)
        let first = try #require(try cursor.nextName(bytes.span))
        let isFirst = JSON.equals(first, "a", in: bytes.span)
        #expect(isFirst)
        var elements = cursor.nested
        var kinds: [JSONKind] = []
        try elements.beginArray(bytes.span)
        while let element = try elements.nextElement(bytes.span) { kinds.append(element.kind) }
        #expect(kinds == [.number, .object])
        cursor.resume(after: elements)
        let second = try #require(try cursor.nextName(bytes.span))
        let value = try cursor.memberValue(bytes.span)
        let isSecond = JSON.equals(second, "c", in: bytes.span) && JSON.equals(value, "x", in: bytes.span)
        #expect(isSecond)
        let third = try #require(try cursor.nextMember(bytes.span))
        let isThird = JSON.equals(third.key, "d", in: bytes.span)
        #expect(isThird && third.value.kind == .object)
        let end = try cursor.nextName(bytes.span)
        #expect(end == nil)
        try cursor.finish(bytes.span)
    }

    @Test func aNestedCursorHasOneLevelLess() throws {
        for (depthMax, isDeepEnough) in [(2, false), (3, true)] {
            let bytes = Array(#"{"a":[[]]}"#.utf8)
            var cursor = JSONCursor(depthMax: depthMax)
            try cursor.beginObject(bytes.span)
            _ = try cursor.nextName(bytes.span)
            var elements = cursor.nested
            try elements.beginArray(bytes.span)
            #expect(((try? elements.nextElement(bytes.span)) != nil) == isDeepEnough)
        }
    }

    @Test func namesAreComparedDecoded() throws {
        let rows: [(String, Bool)] = [
            (#""event""#, true), (#""\u0065vent""#, true), (#""even\u0074""#, true), (#""Event""#, false),
            (#""event\u0000""#, false), (#""even""#, false), (#""events""#, false), (#""\u0045vent""#, false),
            ("5", false),
        ]
        for (text, expected) in rows {
            let bytes = Array(text.utf8)
            var cursor = JSONCursor()
            let value = try cursor.value(bytes.span)
            let answer = JSON.equals(value, "event", in: bytes.span)
            #expect(answer == expected, "\(text)")
        }
    }

    @Test func aNestedValueIsWalkedByItsOwnCursor() throws {
        let bytes = Array(#"{"a":{"b":["x",["y"],{}]},"c":1}"#.utf8)
        var outer = JSONCursor()
        try outer.beginObject(bytes.span)
        let first = try #require(try outer.nextMember(bytes.span))
        var inner = JSONCursor(over: first.value)
        try inner.beginObject(bytes.span)
        let list = try #require(try inner.nextMember(bytes.span)).value
        let end = try inner.nextMember(bytes.span)
        #expect(end == nil)
        try inner.finish(bytes.span)
        var elements = JSONCursor(over: list)
        var kinds: [JSONKind] = []
        try elements.beginArray(bytes.span)
        while let element = try elements.nextElement(bytes.span) { kinds.append(element.kind) }
        try elements.finish(bytes.span)
        #expect(kinds == [.string, .array, .object])
    }

    @Test func theCursorStopsAtItsEnd() throws {
        let bytes = Array("[1]x{}".utf8)
        var cursor = JSONCursor(at: 0, end: 3)
        let value = try cursor.value(bytes.span)
        try cursor.finish(bytes.span)
        #expect(value.range == 0..<3)
        var beyond = JSONCursor(at: 4, end: 99)
        let object = try beyond.value(bytes.span)
        #expect(object.range == 4..<6)
        var nowhere = JSONCursor(at: 99)
        #expect(throws: JSONError.self) { _ = try nowhere.value(bytes.span) }
        var cut = JSONCursor(at: 0, end: 2)
        #expect(throws: JSONError.self) { _ = try cut.value(bytes.span) }
    }

    @Test func anEndedContainerStaysEnded() throws {
        let bytes = Array("{}".utf8)
        var cursor = JSONCursor()
        try cursor.beginObject(bytes.span)
        for _ in 0..<3 {
            let member = try cursor.nextMember(bytes.span)
            #expect(member == nil)
        }
    }

    static let errors: [Row<(String, String, Int)>] = [
        Row("an array for an object", ("[1]", "expectedObject", 0)),
        Row("no comma", (#"{"a":1 "b":2}"#, "expectedCommaOrEnd", 7)),
        Row("trailing comma", (#"{"a":1,}"#, "expectedKey", 7)), Row("no colon", (#"{"a"1}"#, "expectedColon", 4)),
        Row("a lone surrogate, then a bad escape", (#"{"a":"\ud800\uxyz0"}"#, "invalidEscape", 12)),
        Row("bad literal", (#"{"a":nil}"#, "expectedValue", 5)),
        Row("control", ("{\"a\":\"\u{1}\"}", "controlCharacter", 6)), Row("cut", (#"{"a":"x"#, "unexpectedEnd", 7)),
        Row("trailing", ("{}}", "trailingBytes", 2)), Row("escape", (#"{"a":"\q"}"#, "invalidEscape", 6)),
        Row("number", (#"{"a":-}"#, "invalidNumber", 5)),
        Row("too deep", (#"{"a":"# + String(repeating: "[", count: 16), "tooDeep", 20)),
    ]

    @Test(arguments: errors) func errorsSayWhatAndWhere(_ row: Row<(String, String, Int)>) {
        let bytes = Array(row.value.0.utf8)
        let error = #expect(throws: JSONError.self) {
            var cursor = JSONCursor()
            try cursor.beginObject(bytes.span)
            while try cursor.nextMember(bytes.span) != nil {}
            try cursor.finish(bytes.span)
        }
        #expect(error.map { "\($0.reason)" } == row.value.1)
        #expect(error?.offset == row.value.2)
        #expect(error?.text.contains("byte \(row.value.2)") == true)
    }

    @Test(arguments: 0..<8) func depthCountsTheContainersEntered(depthMax: Int) {
        for depth in 0...9 {
            let text = String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
            let bytes = Array(text.utf8)
            var whole = JSONCursor(depthMax: depthMax)
            #expect(((try? whole.value(bytes.span)) != nil) == (depth <= depthMax))
            guard depth > 0 else { continue }
            var walked = JSONCursor(depthMax: depthMax)
            let walk: Void? = try? {
                try walked.beginArray(bytes.span)
                while try walked.nextElement(bytes.span) != nil {}
            }()
            #expect((walk != nil) == (depth <= depthMax))
        }
    }

    private func decoded(_ value: JSONValue, in bytes: [UInt8]) -> String? {
        var out: [UInt8] = []
        return JSON.appendDecoded(value, in: bytes.span, to: &out) ? String(decoding: out, as: UTF8.self) : nil
    }

    private func equals(_ value: JSONValue, _ text: [UInt8], in bytes: [UInt8]) -> Bool {
        JSON.equals(value, text.span, in: bytes.span)
    }
}
