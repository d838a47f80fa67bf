/// The percentile spectrum: what a `.hgrm` file and the plot show.
extension Histogram {
    /// One line of the spectrum.
    struct SpectrumPoint: Equatable {
        var nanoseconds: UInt64
        /// 0...1
        var quantile: Double
        /// Times up to this value.
        var count: UInt64
    }

    /// Points with five ticks for each halving of the distance to 100 %, as HdrHistogram's percentile iterator gives them.
    func spectrum(ticksPerHalfDistance: Double = 5) -> [SpectrumPoint] {
        guard total > 0 else { return [] }
        var points: [SpectrumPoint] = []
        var wanted = 0.0
        var seen: UInt64 = 0
        var last: UInt64 = 0
        for index in counts.indices where counts[index] > 0 {
            seen &+= counts[index]
            last = Self.highestEquivalent(Self.value(at: index))
            let reached = 100 * Double(seen) / Double(total)
            while wanted < 100, reached >= wanted {
                points.append(SpectrumPoint(nanoseconds: last, quantile: wanted / 100, count: seen))
                if seen == total { break }
                let halvings = Self.logarithm2(100 / (100 - wanted)) + 1
                wanted += 100 / (ticksPerHalfDistance * Self.power2(halvings))
            }
        }
        points.append(SpectrumPoint(nanoseconds: last, quantile: 1, count: total))
        return points
    }

    /// The text that HdrHistogram's plotter reads; values in milliseconds.
    var text: String {
        var out = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
        for point in spectrum() {
            let value = Text.milliseconds(point.nanoseconds)
            out += Text.right(value, 12) + " " + Text.fixed(point.quantile, digits: 12)
            out += " " + Text.right("\(point.count)", 10)
            if point.quantile < 1 { out += " " + Text.right(Text.fixed(1 / (1 - point.quantile), digits: 2), 14) }
            out += "\n"
        }
        let mean = Text.right(Text.fixed(mean / 1e6, digits: 3), 12)
        let deviation = Text.right(Text.fixed(deviation / 1e6, digits: 3), 12)
        let maximum = Text.right(Text.milliseconds(total == 0 ? 0 : Self.highestEquivalent(maximum)), 12)
        out += "#[Mean    = \(mean), StdDeviation   = \(deviation)]\n"
        out += "#[Max     = \(maximum), TotalCount     = \(Text.right("\(total)", 12))]\n"
        out += "#[Buckets = \(Text.right("\(Self.bucketCount)", 12)), "
        out += "SubBuckets     = \(Text.right("\(Self.subBucketCount)", 12))]\n"
        return out
    }
}
