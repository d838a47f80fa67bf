/// The summary for people.
extension Report {
    var text: String {
        var out = "\n" + String(repeating: "-", count: 96) + "\n\(title)\n"
        for figure in figures where !isLatency(figure.name) {
            let value =
                figure.value == figure.value.rounded()
                ? Text.grouped(Int(clampedFrom: figure.value)) : short(figure.value)
            // A rate's unit stands in its label.
            let unit = figure.unit.isEmpty || figure.unit.hasSuffix("/s") ? "" : " " + figure.unit
            out += "  " + Text.left(figure.label, 44) + Text.right(value, 16) + unit + "\n"
        }
        if latency.total > 0 {
            out += "latency ms (\(options.scenario.latencyMeaning))"
            for (name, percentile) in Self.percentiles {
                out += "  \(name) \(Text.milliseconds(latency.value(atPercentile: percentile)))"
            }
            out += "  max \(Text.milliseconds(latency.maximum))\n"
        }
        if !steps.isEmpty { out += stepTable }
        for level in options.serviceLevels where options.scenario != .search {
            out += "slo \(level.text): \(level.isKept(figure(level.figure)) ? "kept" : "MISSED")\n"
        }
        for note in notes { out += "note: \(note)\n" }
        return out + verdict
    }

    private var stepTable: String {
        var out = "      rate/s  deliveries/s    p50 ms    p99 ms\n"
        for step in steps {
            out += Text.right(Text.fixed(step.rate, digits: 1), 12)
            out += Text.right(Text.short(step.deliveriesPerSecond), 14) + Text.right(Text.milliseconds(step.p50), 10)
            out += Text.right(Text.milliseconds(step.p99), 10) + (step.isKept ? "\n" : "  missed\n")
        }
        return out
    }

    private func isLatency(_ name: String) -> Bool {
        ["p50", "p90", "p99", "p99.9", "p99.99", "max", "mean", "service_p99"].contains(name)
    }

    private func short(_ value: Double) -> String { Text.fixed(value, digits: value.magnitude < 10 ? 3 : 1) }
}

extension Int {
    fileprivate init(clampedFrom value: Double) { self = value >= 9e18 ? .max : value <= -9e18 ? .min : Int(value) }
}
