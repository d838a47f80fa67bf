internal import Reactor

/// `starling bench histogram [FILE]`: reads nanoseconds, one a line, and prints their percentiles; the check against other
/// implementations (Tests/EndToEnd/test_bench_histogram.py).
enum HistogramCommand {
    static let percentiles: [Double] = [0, 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 99.999, 100]

    static func run(_ arguments: [String]) -> Int32 {
        guard let text = WholeFile.text(arguments.first ?? "-") else {
            Files.complain("cannot read \(arguments.first ?? "standard input")")
            return 1
        }
        var histogram = Histogram()
        for line in text.split(separator: "\n") {
            guard let value = UInt64(line) else {
                Files.complain("not a number of nanoseconds: \(line)")
                return 1
            }
            histogram.record(value)
        }
        var out = "{\"total\":\(histogram.total),\"saturated\":\(histogram.saturated),\"mean\":\(histogram.mean),"
        out += "\"deviation\":\(histogram.deviation),\"percentiles\":{"
        out += percentiles.map { "\"\($0)\":\(histogram.value(atPercentile: $0))" }.joined(separator: ",")
        out += "},\"spectrum\":["
        out += histogram.spectrum().map { "[\($0.nanoseconds),\($0.quantile),\($0.count)]" }.joined(separator: ",")
        Files.print(out + "]}\n")
        return 0
    }
}
