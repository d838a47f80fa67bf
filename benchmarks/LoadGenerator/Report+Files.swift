internal import Wire

/// The forms for machines.
extension Report {
    /// Schema 1: numbers in the units of their names, times of the spectrum in nanoseconds.
    var json: String {
        var out =
            "{\"schema\":1,\"scenario\":\(Self.quoted(options.scenario.rawValue)),\"label\":\(Self.quoted(options.label)),"
        out += "\"title\":\(Self.quoted(title)),\"valid\":\(invalid.isEmpty),\"invalid\":\(Self.list(invalid)),"
        out += "\"faults\":\(Self.list(faults.map(\.text))),"
        out += "\"notes\":\(Self.list(notes)),\"command\":\(Self.list(commandLine)),\"environment\":{"
        out += environment.map { "\(Self.quoted($0.name)):\(Self.quoted($0.value))" }.joined(separator: ",")
        out +=
            "},\"figures\":{"
            + figures.map { "\(Self.quoted($0.name)):\(Self.number($0.value))" }.joined(separator: ",")
        out += "},\"service_levels\":["
        out += options.serviceLevels.map {
            "{\"text\":\(Self.quoted($0.text)),\"kept\":\($0.isKept(figure($0.figure)))}"
        }
        .joined(separator: ",")
        out += "],\"timeline\":["
        out += timeline.map { "[\(Self.number($0.second)),\($0.count),\($0.p50),\($0.p99),\($0.maximum)]" }
            .joined(separator: ",")
        out += "],\"steps\":["
        out += steps.map {
            "{\"rate\":\($0.rate),\"deliveries_per_second\":\(Self.number($0.deliveriesPerSecond)),\"p50_ns\":\($0.p50),\"p99_ns\":\($0.p99),\"kept\":\($0.isKept)}"
        }.joined(separator: ",")
        out += "],\"spectrum\":["
        out += latency.spectrum().map { "[\($0.nanoseconds),\($0.quantile),\($0.count)]" }.joined(separator: ",")
        return out + "]}\n"
    }

    /// Figures, then seconds.
    var csv: String {
        var out = "figure,value,unit\n"
        for figure in figures { out += "\(figure.name),\(Self.number(figure.value)),\(figure.unit)\n" }
        out += "\nsecond,count,p50_ms,p99_ms,max_ms\n"
        for point in timeline {
            out += "\(Text.fixed(point.second, digits: 1)),\(point.count),\(Text.milliseconds(point.p50)),"
            out += "\(Text.milliseconds(point.p99)),\(Text.milliseconds(point.maximum))\n"
        }
        return out
    }

    private static func quoted(_ text: String) -> String {
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        JSON.appendQuoted(bytes.span, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func list(_ texts: [String]) -> String { "[" + texts.map(quoted).joined(separator: ",") + "]" }

    private static func number(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        return value == value.rounded() && value.magnitude < 1e15 ? "\(Int(value))" : Text.fixed(value, digits: 6)
    }

    /// Writes what was asked for.
    /// - Returns: what could not be written.
    func writeFiles() -> [String] {
        let files: [(path: String, content: () -> String)] = [
            (options.json, { json }), (options.csv, { csv }), (options.histogram, { latency.text }),
            (options.plot, { Plot.document(self) }),
        ]
        return files.compactMap { file in
            guard !file.path.isEmpty else { return nil }
            return Files.write(file.content(), to: file.path).map { "cannot write \(file.path): \($0)" }
        }
    }
}
