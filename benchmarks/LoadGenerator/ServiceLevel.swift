/// One promise of `--slo`: `p99<5ms`, `loss=0`, `rejected<=10`.
struct ServiceLevel: Sendable, Equatable {
    enum Relation: String, Sendable, CaseIterable {
        case atMost = "<=", atLeast = ">=", below = "<", above = ">", equal = "="
    }
    /// A figure's name: `p50`…`max` in milliseconds, `loss` or any other of the JSON report.
    var figure: String
    var relation: Relation
    /// In the figure's unit.
    var limit: Double
    /// As it was written.
    var text: String

    /// nil when one of them cannot be read.
    static func parse(_ list: String) -> [ServiceLevel]? {
        var levels: [ServiceLevel] = []
        for item in list.split(separator: ",") {
            let text = String(item).filter { $0 != " " }
            guard let level = one(text) else { return nil }
            levels.append(level)
        }
        return levels.isEmpty ? nil : levels
    }

    private static func one(_ text: String) -> ServiceLevel? {
        guard let start = text.firstIndex(where: { "<>=".contains($0) }) else { return nil }
        let name = String(text[..<start])
        let behind = text[start...]
        guard let relation = Relation.allCases.first(where: { behind.hasPrefix($0.rawValue) }) else { return nil }
        let value = behind.dropFirst(relation.rawValue.count)
        let digits = value.prefix { $0.isNumber || $0 == "." }
        let factors: [Substring: Double] = ["": 1, "ms": 1, "us": 0.001, "µs": 0.001, "s": 1_000, "%": 1]
        guard !name.isEmpty, let number = Double(String(digits)), let factor = factors[value.dropFirst(digits.count)]
        else { return nil }
        return ServiceLevel(
            figure: name == "loss" ? "lost" : name, relation: relation, limit: number * factor, text: text)
    }

    /// Whether the promise is kept; false too when there is no such figure.
    func isKept(_ value: Double?) -> Bool {
        guard let value else { return false }
        return switch relation {
        case .atMost: value <= limit
        case .atLeast: value >= limit
        case .below: value < limit
        case .above: value > limit
        case .equal: value == limit
        }
    }
}
