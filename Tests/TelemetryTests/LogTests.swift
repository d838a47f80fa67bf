internal import Glibc
@testable import Telemetry
import Testing

@Suite("Log lines") struct LogTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let value: String
        let expected: String
    }

    static let rows = [
        Row(testDescription: "a plain word stands bare", value: "127.0.0.1:80", expected: "k=127.0.0.1:80"),
        Row(testDescription: "a space needs quotes", value: "a b", expected: "k=\"a b\""),
        Row(testDescription: "nothing is visible", value: "", expected: "k=\"\""),
        Row(testDescription: "a newline cannot start a line", value: "a\nb=1", expected: "k=\"a\\nb=1\""),
        Row(
            testDescription: "an escape sequence cannot reach the terminal", value: "\u{1B}[2J",
            expected: "k=\"\\u001b[2J\""),
        Row(testDescription: "quotes and backslashes", value: "\"\\", expected: "k=\"\\\"\\\\\""),
        Row(testDescription: "a right-to-left override", value: "\u{202E}x", expected: "k=\"\\u202ex\""),
        Row(
            testDescription: "an isolate and its end", value: "a\u{2066}b\u{2069}",
            expected: "k=\"a\\u2066b\\u2069\""),
        Row(testDescription: "an Arabic letter mark", value: "\u{061C}", expected: "k=\"\\u061c\""),
        Row(
            testDescription: "what has no width", value: "\u{200B}\u{200F}\u{FEFF}",
            expected: "k=\"\\u200b\\u200f\\ufeff\""),
        Row(testDescription: "a line separator", value: "\u{2028}", expected: "k=\"\\u2028\""),
        Row(testDescription: "tabs and returns", value: "\t\r", expected: "k=\"\\t\\r\""),
        Row(testDescription: "a C1 control", value: "\u{9B}", expected: "k=\"\\u009b\""),
        Row(testDescription: "an equals sign would begin a value", value: "a=b", expected: "k=\"a=b\""),
        Row(testDescription: "letters of any script stay", value: "käse", expected: "k=\"käse\""),
    ]

    private func line(_ fields: [LogField], dropped: UInt64 = 0) -> String {
        var bytes: [UInt8] = []
        let time = timespec(tv_sec: 951_827_696, tv_nsec: 7_000_000)
        LogLine.append(.warning, "it happened", fields, dropped: dropped, at: time, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: rows) func escapes(_ row: Row) {
        #expect(
            line([("k", row.value)])
                == "time=2000-02-29T12:34:56.007Z level=warning msg=\"it happened\" \(row.expected)\n")
    }

    @Test(arguments: rows) func readsBack(_ row: Row) throws {
        let pairs = try LogfmtReader.pairs(of: line([("k", row.value), ("n", 7)], dropped: 3))
        #expect(pairs.map(\.key) == ["time", "level", "msg", "k", "n", "dropped_lines"])
        #expect(pairs.map(\.value)[2...] == ["it happened", row.value, "7", "3"])
    }

    /// Every scalar that a peer can send, and bytes that are no text.
    @Test func everyScalarReadsBack() throws {
        for start in stride(from: UInt32(0), to: 0x11_0000, by: 256) {
            let scalars = (start..<start + 256).compactMap(Unicode.Scalar.init)
            let value = String(scalars[...])
            let pairs = try LogfmtReader.pairs(of: line([("k", value)]))
            #expect(pairs.last?.value.unicodeScalars.elementsEqual(scalars) == true, "from \(start)")
        }
        let invalid = String(decoding: [0x61, 0xFF, 0xC3, 0x28, 0xED, 0xA0, 0x80] as [UInt8], as: UTF8.self)
        #expect(try LogfmtReader.pairs(of: line([("k", invalid)])).last?.value == invalid)
    }

    @Test(arguments: [0, 1_000, 2_047, 2_048, 3_900, 3_960, 3_990, 4_000, 4_020, 4_096, 9_000])
    func aLineOfAnyLengthReadsBack(bytes: Int) throws {
        for filler in ["x", "é", "\n", "\"", "\u{1B}"] {
            let fields: [LogField] = [
                ("a", String(repeating: "x", count: min(bytes, 2_000))),
                ("b", String(repeating: "y", count: max(0, bytes - 2_000))),
                ("c", String(repeating: filler, count: 99)),
                ("d", 1),
            ]
            let text = line(fields, dropped: .max)
            #expect(text.utf8.count <= LogLine.bytesMax)
            #expect(try LogfmtReader.pairs(of: text).last?.value == String(UInt64.max))
        }
    }

    @Test func aLongValueIsCutAndALineNeverPassesWhatAPipeTakesAtOnce() {
        let long = String(repeating: "é", count: 10_000)
        let one = line([("k", long)])
        #expect(one.hasSuffix("…\"\n") && one.utf8.count < 2_200)
        let many = line([LogField](repeating: ("k", long), count: 50))
        #expect(many.utf8.count <= LogLine.bytesMax && many.hasSuffix("\"\n"))
    }

    private func json(_ fields: [LogField], dropped: UInt64 = 0) -> String {
        var bytes: [UInt8] = []
        let time = timespec(tv_sec: 951_827_696, tv_nsec: 7_000_000)
        LogLine.append(.warning, "it happened", fields, dropped: dropped, at: time, as: .json, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func aLineOfJSONIsOneObjectWithTheSameMembers() {
        let fields: [LogField] = [
            ("word", "a"), ("text", "7"), ("count", 7), ("big", UInt64.max), ("port", UInt16(80)),
        ]
        #expect(
            json(fields, dropped: 2)
                == #"{"time":"2000-02-29T12:34:56.007Z","level":"warning","msg":"it happened","word":"a","text":"7","count":7,"#
                + #""big":18446744073709551615,"port":80,"dropped_lines":2}"# + "\n")
        #expect(json([("k", "a=\"\n\u{1B}é")]).hasSuffix(#""k":"a=\"\n\u001bé"}"# + "\n"))
    }

    /// Cut or not, it is never more than a pipe takes, and whole: quotes and braces are closed.
    @Test(arguments: [0, 1_000, 2_048, 3_900, 3_960, 3_990, 4_000, 4_020, 4_096, 9_000])
    func aLineOfJSONOfAnyLengthIsWhole(bytes: Int) {
        for filler in ["x", "é", "\n", "\"", "\u{1B}"] {
            let text = json(
                [
                    ("a", String(repeating: "x", count: min(bytes, 2_000))),
                    ("b", String(repeating: "y", count: max(0, bytes - 2_000))),
                    ("c", String(repeating: filler, count: 99)), ("d", 1),
                ], dropped: .max)
            #expect(text.utf8.count <= LogLine.bytesMax && text.hasSuffix(",\"dropped_lines\":\(UInt64.max)}\n"))
            var (isQuoted, isEscaped) = (false, false)
            for byte in text.utf8 {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isQuoted.toggle()
                }
            }
            #expect(!isQuoted && !isEscaped)
        }
    }

    @Test func aFullPipeDropsTheLineAndTheNextOneSaysSo() {
        var ends: [CInt] = [0, 0]
        pipe(&ends)
        defer { for end in ends { close(end) } }
        var output = LogOutput(descriptor: ends[1])
        for _ in 0..<2_000 { output.emit(.info, "filler filler filler filler", [("n", 1)]) }
        #expect(output.droppedTotal > 0)
        let lost = output.droppedTotal
        var buffer = [UInt8](repeating: 0, count: 1_000_000)
        _ = read(ends[0], &buffer, buffer.count)
        output.emit(.info, "again", [])
        let count = read(ends[0], &buffer, buffer.count)
        #expect(String(decoding: buffer[..<count], as: UTF8.self).hasSuffix("msg=again dropped_lines=\(lost)\n"))
    }

    @Test func aReaderThatWentAwayCostsLinesAndNotTheProcess() {
        var ends: [CInt] = [0, 0]
        pipe(&ends)
        close(ends[0])
        var output = LogOutput(descriptor: ends[1])
        output.emit(.info, "nobody listens", [])
        #expect(output.droppedTotal == 1)
        close(ends[1])
        output.emit(.info, "closed", [])
        #expect(output.droppedTotal == 2)
    }

    @Test func aRepeatedMessageIsOneLinePerPeriodWithACount() {
        var periods = LogPeriods()
        #expect(periods.admit("full", now: 100, period: 10) == 0)
        for second in 101..<110 as Range<UInt64> { #expect(periods.admit("full", now: second, period: 10) == nil) }
        #expect(periods.admit("other", now: 105, period: 10) == 0)
        #expect(periods.admit("full", now: 110, period: 10) == 9)
        #expect(periods.admit("full", now: 120, period: 10) == 0)
    }

    @Test func aLevelLetsThoseAboveItThrough() {
        #expect([LogLevel.info, .error, .debug, .warning].sorted() == [.debug, .info, .warning, .error])
        #expect(LogLevel.allCases.map(\.rawValue) == ["error", "warning", "info", "debug"])
    }
}
