/// One coordinate system with its lines.
struct Panel {
    struct Line {
        var name: String
        var color: String
        var points: [(x: Double, y: Double)]
    }

    var title: String
    var lines: [Line] = []
    /// Own marks of the x axis; empty: round numbers.
    var xTicks: [(at: Double, label: String)] = []
    var hasDots = false

    static let left = 62.0
    static let top = 24.0
    static let plotWidth = Plot.width - left - 20
    static let plotHeight = Plot.panelHeight - top - 46

    init(title: String) { self.title = title }

    var svg: String {
        let all = lines.flatMap(\.points)
        let xLow = xTicks.isEmpty ? all.map(\.x).min() ?? 0 : 0
        let xLast = all.map(\.x).max() ?? 1, yHigh = max(all.map(\.y).max() ?? 1, 1e-6) * 1.05
        // Up to the next mark of its own, so that few values too stand between two.
        let xHigh = max(xTicks.first { $0.at >= xLast && $0.at > 0 }?.at ?? xLast, xLow + 1e-9)
        func x(_ value: Double) -> String {
            Text.fixed(Self.left + (value - xLow) / (xHigh - xLow) * Self.plotWidth, digits: 1)
        }
        func y(_ value: Double) -> String { Text.fixed(Self.top + (1 - value / yHigh) * Self.plotHeight, digits: 1) }
        var out = "<text x=\"\(Int(Self.left))\" y=\"14\">\(Self.escaped(title))</text>\n"
        let bottom = Text.fixed(Self.top + Self.plotHeight, digits: 1)
        for tick in Self.ticks(0, yHigh) {
            out += "<path d=\"M\(x(xLow)) \(y(tick))H\(x(xHigh))\" stroke=\"#ddd\"/>"
            out += "<text x=\"\(Int(Self.left) - 6)\" y=\"\(y(tick))\" text-anchor=\"end\">\(Self.label(tick))</text>\n"
        }
        let marks = xTicks.isEmpty ? Self.ticks(xLow, xHigh).map { ($0, Self.label($0)) } : xTicks
        for (at, label) in marks where at >= xLow && at <= xHigh {
            out += "<path d=\"M\(x(at)) \(bottom)v4\" stroke=\"#888\"/>"
            out +=
                "<text x=\"\(x(at))\" y=\"\(Int(Self.top + Self.plotHeight) + 17)\" text-anchor=\"middle\">\(Self.escaped(label))</text>\n"
        }
        for (index, line) in lines.enumerated() {
            let path = line.points.map { "\(x($0.x)),\(y($0.y))" }.joined(separator: " ")
            out += "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(line.color)\" stroke-width=\"1.5\"/>\n"
            if hasDots {
                for point in line.points {
                    out += "<circle cx=\"\(x(point.x))\" cy=\"\(y(point.y))\" r=\"2.5\" fill=\"\(line.color)\"/>"
                }
            }
            let at = Int(Self.left) + 190 * index
            out +=
                "<text x=\"\(at)\" y=\"\(Int(Plot.panelHeight) - 8)\" fill=\"\(line.color)\">■ \(Self.escaped(line.name))</text>\n"
        }
        return out
    }

    /// About five round numbers.
    static func ticks(_ low: Double, _ high: Double) -> [Double] {
        let span = high - low
        guard span > 0, span.isFinite else { return [low] }
        var step = 1e-9
        while step * 10 < span { step *= 10 }
        let unit = [0.2, 0.25, 0.5, 1, 2, 2.5, 5].map { $0 * step }.first { span / $0 <= 6 } ?? step * 10
        var ticks: [Double] = []
        var at = (low / unit).rounded(.up) * unit
        while at <= high, ticks.count < 20 {
            ticks.append(at)
            at += unit
        }
        return ticks
    }

    private static func label(_ value: Double) -> String {
        value.magnitude >= 10 || value == value.rounded()
            ? Text.short(value) : Text.fixed(value, digits: value.magnitude < 0.1 ? 3 : 2)
    }

    static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "&": out += "&amp;"
            default: out.append(character)
            }
        }
        return out
    }
}
