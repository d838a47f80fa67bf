import TestSupport
import Testing

@testable import LoadGenerator

@Suite struct HistogramTests {
    @Test func `the index of a value is that of a bucket that holds it`() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<20_000 {
            let value = UInt64(random.next() >> UInt64(random.int(28...63))) % Histogram.highestNanoseconds
            let low = Histogram.value(at: Histogram.index(value))
            #expect(low <= value)
            #expect(Histogram.highestEquivalent(low) >= value)
            #expect(Histogram.index(Histogram.highestEquivalent(low)) == Histogram.index(low))
        }
    }

    @Test func `three digits hold from a millisecond to a minute`() {
        for value: UInt64 in [1_048_576, 1_234_567, 99_999_999, 1_000_000_000, 59_999_999_999] {
            let width = Histogram.highestEquivalent(value) - Histogram.lowestEquivalent(value) + 1
            #expect(Double(width) / Double(value) <= 0.001)
        }
    }

    @Test func `percentiles of 1 to 100 milliseconds`() {
        var histogram = Histogram()
        for value in 1...100 { histogram.record(UInt64(value) * 1_000_000) }
        for percent in [1.0, 50, 90, 99, 100] {
            let value = Double(histogram.value(atPercentile: percent)) / 1e6
            #expect(abs(value - percent) / percent < 0.001)
        }
        #expect(abs(histogram.mean / 1e6 - 50.5) < 0.06)
        #expect(histogram.minimum == 1_000_000)
        #expect(histogram.maximum == 100_000_000)
    }

    @Test(arguments: [1, 2, 3])
    func `a merge is the same as recording everything in one`(seed: Int) {
        var random = SeededRandom(seed: seed)
        var one = Histogram(), two = Histogram(), all = Histogram()
        for _ in 0..<5_000 {
            let value = UInt64(random.int(1...70_000_000_000))
            if random.oneIn(2) { one.record(value) } else { two.record(value) }
            all.record(value)
        }
        one.merge(two)
        #expect(one == all)
        #expect(one.saturated > 0)
    }

    @Test func `an empty histogram says zero`() {
        let histogram = Histogram()
        #expect(histogram.value(atPercentile: 99) == 0)
        #expect(histogram.mean == 0)
        #expect(histogram.spectrum().isEmpty)
        #expect(histogram.text.contains("TotalCount     =            0"))
    }

    @Test func `the spectrum rises and ends with everything`() {
        var histogram = Histogram()
        for value in 1...10_000 { histogram.record(UInt64(value) * 1_000) }
        let points = histogram.spectrum()
        #expect(points.last == .init(nanoseconds: Histogram.highestEquivalent(10_000_000), quantile: 1, count: 10_000))
        for (a, b) in zip(points, points.dropFirst()) {
            #expect(a.quantile < b.quantile)
            #expect(a.nanoseconds <= b.nanoseconds)
        }
    }
}

@Suite struct TextTests {
    @Test(arguments: [
        Row("zero", (0.0, 3, "0.000")), Row("half", (0.5, 0, "1")), Row("negative", (-1.25, 1, "-1.3")),
        Row("leading zeros", (3.007, 3, "3.007")), Row("carry", (0.9996, 3, "1.000")),
        Row("endless", (Double.infinity, 3, "inf")),
    ])
    func `fixed decimals`(row: Row<(Double, Int, String)>) {
        #expect(Text.fixed(row.value.0, digits: row.value.1) == row.value.2)
    }

    @Test func `thousands are grouped`() {
        #expect(Text.grouped(0) == "0")
        #expect(Text.grouped(999) == "999")
        #expect(Text.grouped(15_000_000) == "15,000,000")
        #expect(Text.grouped(-1_234) == "-1,234")
    }
}
