import TestSupport
import Testing
import Wire

@Suite("Dates and Retry-After of others (RFC 9110 §5.6.7, §10.2.3)") struct HTTPDateReadingTests {
    /// 2026-11-30 00:00:00.
    private static let now = 1_795_996_800

    private func read(_ text: String) -> Int? { HTTPDate.unixSeconds(of: text.utf8, now: Self.now) }

    @Test func theThreeFormsAreTheSameSecond() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
            "sun, 6 NOV 1994 08:49:37 gmt",
        ] { #expect(read(text) == 784_111_777, "\(text)") }
        #expect(read("Thu, 01 Jan 1970 00:00:00 GMT") == 0)
        #expect(read("Wed, 31 Dec 1969 23:59:59 GMT") == -1)
        #expect(read("Thu, 29 Feb 2024 12:00:00 GMT") == 1_709_208_000)
        #expect(read("Sat, 31 Dec 2016 23:59:60 GMT") == 1_483_228_799, "a leap second")
    }

    @Test func aYearOfTwoDigitsIsNeverMoreThanFiftyYearsAhead() {
        #expect(read("Friday, 01-Jan-76 00:00:00 GMT") == 3_345_062_400)
        #expect(read("Saturday, 01-Jan-77 00:00:00 GMT") == 220_924_800)
    }

    @Test func whatWeWriteWeRead() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<2_000 {
            let second = random.int(0...253_402_300_799)
            var line: [UInt8] = []
            HTTPDate(unixSeconds: second).append(to: &line)
            #expect(HTTPDate.unixSeconds(of: line.dropFirst(6).dropLast(2), now: Self.now) == second)
        }
    }

    @Test(arguments: [
        "", "yesterday", "Sun, 06 Nov 1994", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 994 08:49:37 GMT", "Sun, 06 Nov 19940 08:49:37 GMT",
        "1994-11-06T08:49:37Z", "06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT and more",
    ]) func isNoDate(text: String) { #expect(read(text) == nil) }

    @Test(
        arguments: [
            Row("seconds", ("120", 120)), Row("zero", ("0", 0)), Row("an hour", ("3600", 3_600)),
            Row("more than an hour", ("3601", 3_600)), Row("very much", (String(repeating: "9", count: 400), 3_600)),
            Row("negative", ("-1", nil)), Row("a fraction", ("1.5", nil)), Row("nothing", ("", nil)),
            Row("in two minutes", ("Mon, 30 Nov 2026 00:02:00 GMT", 120)),
            Row("now", ("Mon, 30 Nov 2026 00:00:00 GMT", 0)),
            Row("gone", ("Sun, 29 Nov 2026 23:00:00 GMT", 0)),
            Row("tomorrow", ("Tue, 01 Dec 2026 00:00:00 GMT", 3_600)),
        ] as [Row<(String, Int?)>])
    func retryAfter(row: Row<(String, Int?)>) {
        #expect(RetryAfter.seconds(row.value.0.utf8, now: Self.now) == row.value.1)
    }
}
