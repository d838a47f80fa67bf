/// Counts of times in nanoseconds, from 1 µs to 60 s with three digits (an HDR histogram).
///
/// The layout and the percentiles are those of HdrHistogram(1000, 60_000_000_000, 3), so its tools read what we write and agree with it.
/// A plain value of 147 KB; one per thread, merged at the end.
struct Histogram: Sendable, Equatable {
    /// Times below this share the first buckets.
    static let lowestNanoseconds: UInt64 = 1_000
    /// Longer times are counted as this.
    static let highestNanoseconds: UInt64 = 60_000_000_000

    /// floor(log2(lowest)): the resolution is 512 ns at the bottom.
    static let unitMagnitude: UInt64 = 9
    /// 2,048 sub-buckets hold three digits; the lower half of all but the first bucket overlaps its predecessor.
    static let subBucketCount = 2_048
    static let halfCount = 1_024
    static let halfMagnitude: UInt64 = 10
    static let bucketCount = 17
    static let mask: UInt64 = UInt64(subBucketCount - 1) << unitMagnitude

    private(set) var counts = [UInt64](repeating: 0, count: (Histogram.bucketCount + 1) * Histogram.halfCount)
    private(set) var total: UInt64 = 0
    /// The exact extremes; `minimum` is `UInt64.max` while nothing was recorded.
    private(set) var minimum = UInt64.max
    private(set) var maximum: UInt64 = 0
    /// Times above `highestNanoseconds`.
    private(set) var saturated: UInt64 = 0

    /// Counts one time.
    mutating func record(_ nanoseconds: UInt64) {
        var value = nanoseconds
        if value > Self.highestNanoseconds {
            value = Self.highestNanoseconds
            saturated &+= 1
        }
        counts[Self.index(value)] &+= 1
        total &+= 1
        if value < minimum { minimum = value }
        if value > maximum { maximum = value }
    }

    /// Every value that was counted, and how often.
    func forEach(_ body: (UInt64, UInt64) -> Void) {
        guard total > 0 else { return }
        for index in counts.indices where counts[index] > 0 { body(Self.value(at: index), counts[index]) }
    }

    /// Adds everything another histogram counted.
    mutating func merge(_ other: Histogram) {
        guard other.total > 0 else { return }
        for index in counts.indices { counts[index] &+= other.counts[index] }
        total &+= other.total
        saturated &+= other.saturated
        minimum = min(minimum, other.minimum)
        maximum = max(maximum, other.maximum)
    }

    /// Forgets everything.
    mutating func reset() { self = Histogram() }

    /// The highest time that is equivalent to the one at a percentile, 0...100; 0 when nothing was recorded.
    func value(atPercentile percentile: Double) -> UInt64 {
        guard total > 0 else { return 0 }
        let bounded = min(max(percentile, 0), 100)
        let wanted = max(1, UInt64(bounded * Double(total) / 100 + 0.5))
        var seen: UInt64 = 0
        for index in counts.indices {
            seen &+= counts[index]
            if seen >= wanted {
                let value = Self.value(at: index)
                return bounded > 0 ? Self.highestEquivalent(value) : Self.lowestEquivalent(value)
            }
        }
        return maximum
    }

    /// The mean of the buckets' middles, as the reference computes it.
    var mean: Double {
        guard total > 0 else { return 0 }
        return sum { Double($0) } / Double(total)
    }

    /// The standard deviation, by the buckets' middles.
    var deviation: Double {
        guard total > 0 else { return 0 }
        let mean = self.mean
        return (sum { (Double($0) - mean) * (Double($0) - mean) } / Double(total)).squareRoot()
    }

    private func sum(_ term: (UInt64) -> Double) -> Double {
        var result = 0.0
        for index in counts.indices where counts[index] > 0 {
            result += Double(counts[index]) * term(Self.medianEquivalent(Self.value(at: index)))
        }
        return result
    }

    // MARK: Layout

    static func index(_ value: UInt64) -> Int {
        let bucket = 64 - UInt64((value | mask).leadingZeroBitCount) - unitMagnitude - halfMagnitude - 1
        let sub = value >> (bucket + unitMagnitude)
        return Int((bucket + 1) << halfMagnitude) + Int(sub) - halfCount
    }

    static func value(at index: Int) -> UInt64 {
        var bucket = (index >> Int(halfMagnitude)) - 1
        var sub = (index & (halfCount - 1)) + halfCount
        if bucket < 0 {
            sub -= halfCount
            bucket = 0
        }
        return UInt64(sub) << (UInt64(bucket) + unitMagnitude)
    }

    private static func rangeSize(_ value: UInt64) -> UInt64 {
        let bucket = 64 - UInt64((value | mask).leadingZeroBitCount) - unitMagnitude - halfMagnitude - 1
        return 1 << (unitMagnitude + bucket)
    }

    static func lowestEquivalent(_ value: UInt64) -> UInt64 { value & ~(rangeSize(value) - 1) }
    static func highestEquivalent(_ value: UInt64) -> UInt64 { lowestEquivalent(value) + rangeSize(value) - 1 }
    static func medianEquivalent(_ value: UInt64) -> UInt64 { lowestEquivalent(value) + rangeSize(value) / 2 }
}
