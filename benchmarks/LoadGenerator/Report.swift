/// One number of a report.
struct Figure: Sendable {
    /// Its key in JSON, and what `--slo` calls it.
    var name: String
    var value: Double
    var unit = ""

    /// For people: `publishes_per_second` → `publishes / s`.
    var label: String {
        var words = name.split(separator: "_").filter { $0 != "percent" }
        if let per = words.firstIndex(of: "per"), words[per...].starts(with: ["per", "second"]) {
            words.replaceSubrange(per...per + 1, with: ["/", "s"])
        }
        return words.map { Self.abbreviations[$0] ?? String($0) }.joined(separator: " ")
    }

    private static let abbreviations: [Substring: String] = ["cpu": "CPU", "rss": "resident", "mb": "MB"]
}

/// One second of a run.
struct TimelinePoint: Sendable {
    var second: Double
    var count: UInt64
    var p50: UInt64
    var p99: UInt64
    var maximum: UInt64
}

/// One rate of a search.
struct SearchStep: Sendable {
    var rate: Double
    var deliveriesPerSecond: Double
    var p50: UInt64
    var p99: UInt64
    var isKept: Bool
}

/// What a run found, ready to be written in any form.
///
/// Large, because each form it is written in has a file.
struct Report: Sendable {
    var options: Options
    var commandLine: [String]
    /// What was done, in a line.
    var title = ""
    var figures: [Figure] = []
    var latency = Histogram()
    /// Uncorrected: from the actual sending.
    var service = Histogram()
    var timeline: [TimelinePoint] = []
    var heat = HeatMap()
    var steps: [SearchStep] = []
    /// Why the run proves nothing.
    var invalid: [String] = []
    /// What else should be known.
    var notes: [String] = []
    var environment: [(name: String, value: String)] = []

    mutating func add(_ name: String, _ value: some BinaryInteger, _ unit: String = "") {
        figures.append(Figure(name: name, value: Double(value), unit: unit))
    }

    mutating func add(_ name: String, _ value: Double, _ unit: String = "") {
        figures.append(Figure(name: name, value: value, unit: unit))
    }

    func figure(_ name: String) -> Double? { figures.first { $0.name == name }?.value }

    /// Percentiles become figures, so that service levels find them.
    mutating func addLatency() {
        guard latency.total > 0 else { return }
        for (name, percentile) in Self.percentiles {
            add(name, Double(latency.value(atPercentile: percentile)) / 1e6, "ms")
        }
        add("max", Double(latency.maximum) / 1e6, "ms")
        add("mean", latency.mean / 1e6, "ms")
        if service.total > 0 { add("service_p99", Double(service.value(atPercentile: 99)) / 1e6, "ms") }
    }

    static let percentiles: [(name: String, percentile: Double)] = [
        ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("p99.99", 99.99),
    ]

    var missedLevels: [ServiceLevel] { options.serviceLevels.filter { !$0.isKept(figure($0.figure)) } }

    /// A search ends by missing them; it fails only when no rate kept them.
    var hasFailed: Bool {
        if !invalid.isEmpty || !faults.isEmpty { return true }
        return options.scenario == .search ? !steps.contains { $0.isKept } : !missedLevels.isEmpty
    }
}
