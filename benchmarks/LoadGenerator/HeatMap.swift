/// Latency over time with every delivery in it: a column for each fifth of a second, a row for each quarter of a doubling.
struct HeatMap: Sendable {
    /// One moment's deliveries by row.
    struct Column: Sendable {
        var second: Double
        var counts: [UInt64]
    }

    static let columnNanoseconds: UInt64 = 200_000_000
    private static let rowsPerDoubling = 4.0
    /// From 1 µs to 60 s.
    private static let rowCount = 104

    private(set) var columns: [Column] = []

    mutating func add(_ histogram: Histogram, second: Double) {
        var counts = [UInt64](repeating: 0, count: Self.rowCount)
        histogram.forEach { nanoseconds, count in counts[Self.row(nanoseconds)] += count }
        columns.append(Column(second: second, counts: counts))
    }

    private static func row(_ nanoseconds: UInt64) -> Int {
        let doublings = Histogram.logarithm2(max(1, Double(nanoseconds) / 1e3))
        return min(rowCount - 1, Int(doublings * rowsPerDoubling))
    }

    private static func milliseconds(_ row: Int) -> Double { Histogram.power2(Double(row) / rowsPerDoubling) / 1e3 }

    /// As a panel of the plot: the darker, the more (by the logarithm of the count).
    var svg: String {
        let used = (0..<Self.rowCount).filter { row in columns.contains { $0.counts[row] > 0 } }
        guard let first = used.first, let final = used.last, let last = columns.last else { return "" }
        // A doubling at least, so that the axis has several marks.
        let low = max(0, min(first, final - 4)), high = min(Self.rowCount - 1, max(final, low + 4))
        let most = Histogram.logarithm2(Double(columns.flatMap(\.counts).max() ?? 1) + 1)
        let height = Panel.plotHeight / Double(high - low + 1)
        let width = Panel.plotWidth / Double(columns.count)
        var out = "<text x=\"\(Int(Panel.left))\" y=\"14\">latency over time (ms; darker: more of them)</text>\n"
        for (number, column) in columns.enumerated() {
            for row in low...high where column.counts[row] > 0 {
                let share = Histogram.logarithm2(Double(column.counts[row]) + 1) / most
                out += "<rect x=\"\(Text.fixed(Panel.left + Double(number) * width, digits: 1))\" "
                out += "y=\"\(Text.fixed(Panel.top + Double(high - row) * height, digits: 1))\" "
                out += "width=\"\(Text.fixed(width, digits: 1))\" height=\"\(Text.fixed(height, digits: 1))\" "
                out += "fill=\"#074\" fill-opacity=\"\(Text.fixed(0.08 + 0.92 * share, digits: 2))\"/>\n"
            }
        }
        let step = max(1, (high - low + 1) / 8)
        for row in stride(from: low, through: high, by: step) {
            let y = Panel.top + (Double(high - row) + 0.5) * height + 4
            out += "<text x=\"\(Int(Panel.left) - 6)\" y=\"\(Text.fixed(y, digits: 1))\" text-anchor=\"end\">"
            out += "\(Text.fixed(Self.milliseconds(row), digits: Self.milliseconds(row) < 1 ? 3 : 1))</text>\n"
        }
        for tick in Panel.ticks(0, last.second) {
            let x = Panel.left + tick / last.second * Panel.plotWidth
            out += "<text x=\"\(Text.fixed(x, digits: 1))\" y=\"\(Int(Panel.top + Panel.plotHeight) + 17)\" "
            out += "text-anchor=\"middle\">\(Text.fixed(tick, digits: tick == tick.rounded() ? 0 : 1)) s</text>\n"
        }
        return out
    }
}
