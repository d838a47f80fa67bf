/// Plots by hand: one SVG document of the percentile spectrum, the latency over time (lines and a heat map) and, after a search, the knee.
enum Plot {
    static let width = 760.0
    static let panelHeight = 300.0

    static func document(_ report: Report) -> String {
        var panels: [String] = []
        if report.latency.total > 0 { panels.append(spectrum(report).svg) }
        if report.timeline.count > 1, report.steps.isEmpty { panels.append(timeline(report).svg) }
        if report.heat.columns.count > 1, report.steps.isEmpty { panels.append(report.heat.svg) }
        if report.steps.count > 1 { panels.append(knee(report).svg) }
        let lines = provenance(report)
        let head = 34 + 15 * Double(lines.count)
        let height = head + panelHeight * Double(panels.count)
        var out =
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Int(width))\" height=\"\(Int(height))\" viewBox=\"0 0 \(Int(width)) \(Int(height))\" "
        out += "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        out += "<text x=\"12\" y=\"22\" font-size=\"13\">\(Panel.escaped(report.title))</text>\n"
        for (index, line) in lines.enumerated() {
            out +=
                "<text x=\"12\" y=\"\(38 + 15 * index)\" font-size=\"10\" fill=\"#666\">\(Panel.escaped(line))</text>\n"
        }
        for (index, panel) in panels.enumerated() {
            out += "<g transform=\"translate(0 \(Int(head + panelHeight * Double(index))))\">\n\(panel)</g>\n"
        }
        return out + "</svg>\n"
    }

    /// Where, of what and how the figures came about, so that a plot can be judged without its report.
    static func provenance(_ report: Report) -> [String] {
        func known(_ name: String) -> String { report.environment.first { $0.name == name }?.value ?? "unknown" }
        let machine =
            "host \(known("host")): \(known("processor")), \(known("cores")) cores, kernel \(known("kernel")), load \(known("load"))"
        return [machine, "\(known("build")), \(report.verdict.split(separator: "\n").joined(separator: "; "))"]
            + wrapped(report.commandLine.joined(separator: " "))
    }

    /// Lines that fit the width; a long word stays whole.
    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + word.count < 125 {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    /// Log-nines: as far from 90 % to 99 % as from 99 % to 99.9 %.
    private static func spectrum(_ report: Report) -> Panel {
        func nines(_ quantile: Double) -> Double {
            Histogram.logarithm2(1 / max(1e-7, 1 - quantile)) / Histogram.logarithm2(10)
        }
        func points(_ histogram: Histogram) -> [(x: Double, y: Double)] {
            histogram.spectrum().filter { $0.quantile < 1 }.map { (nines($0.quantile), Double($0.nanoseconds) / 1e6) }
        }
        var panel = Panel(title: "percentiles (ms)")
        panel.lines.append(.init(name: "from the timetable", color: "#1a6", points: points(report.latency)))
        if report.service.total > 0, report.options.isOpenLoop {
            panel.lines.append(.init(name: "from sending (uncorrected)", color: "#aaa", points: points(report.service)))
        }
        let labels = ["0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"]
        panel.xTicks = labels.enumerated().map { (Double($0.offset), $0.element) }
        return panel
    }

    private static func timeline(_ report: Report) -> Panel {
        func points(_ path: KeyPath<TimelinePoint, UInt64>) -> [(x: Double, y: Double)] {
            report.timeline.map { ($0.second, Double($0[keyPath: path]) / 1e6) }
        }
        var panel = Panel(title: "latency over time (ms, each second)")
        panel.lines = [
            .init(name: "p50", color: "#1a6", points: points(\.p50)),
            .init(name: "p99", color: "#c60", points: points(\.p99)),
            .init(name: "max", color: "#c22", points: points(\.maximum)),
        ]
        return panel
    }

    private static func knee(_ report: Report) -> Panel {
        var panel = Panel(title: "deliveries a second → latency (ms)")
        panel.lines = [
            .init(
                name: "p50", color: "#1a6", points: report.steps.map { ($0.deliveriesPerSecond, Double($0.p50) / 1e6) }),
            .init(
                name: "p99", color: "#c60", points: report.steps.map { ($0.deliveriesPerSecond, Double($0.p99) / 1e6) }),
        ]
        panel.hasDots = true
        return panel
    }
}
