import TestSupport
import Testing
import Wire

@Suite("Dates of answers (RFC 9110 §5.6.7)") struct HTTPDateTests {
    static let rows: [Row<(Int, String)>] = [
        Row("the RFC's own", (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT")),
        Row("the beginning", (0, "Thu, 01 Jan 1970 00:00:00 GMT")),
        Row("before it", (-1, "Thu, 01 Jan 1970 00:00:00 GMT")),
        Row("a leap day of a century", (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT")),
        Row("the last second of a leap day", (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT")),
        Row("the last second of a year", (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT")),
        Row("the first of a year", (1_798_761_600, "Fri, 01 Jan 2027 00:00:00 GMT")),
        Row("a century without a leap day", (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT")),
        Row("the last with four digits", (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT")),
        Row("beyond", (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT")),
    ]

    @Test(arguments: rows) func aSecondHasItsText(_ row: Row<(Int, String)>) {
        #expect(text(HTTPDate(unixSeconds: row.value.0)) == "Date: \(row.value.1)\r\n")
    }

    @Test func theTextFollowsTheClockBothWays() {
        var date = HTTPDate(unixSeconds: 784_111_777)
        for _ in 0..<2 {
            date.set(unixSeconds: 784_111_778)
            #expect(text(date).contains("08:49:38"))
        }
        date.set(unixSeconds: 784_111_776)
        #expect(text(date).contains("08:49:36"))
    }

    @Test func weekdaysFollowOneAnother() {
        for day in -100_000...100_000 where CivilTime(unixSeconds: day * 86_400).weekday != ((day % 7) + 11) % 7 {
            Issue.record("day \(day)")
            return
        }
    }

    private func text(_ date: HTTPDate) -> String {
        var out: [UInt8] = []
        date.append(to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}
