/// Figures that are zero when the server did all it promised. A run with one of them above zero says so in its verdict and fails, unless
/// `--allow` names it or a service level judges it.
struct Fault: Sendable, Equatable {
    /// The figure's name.
    var name: String
    var count: Int

    /// Names and what they count, in the order of the verdict.
    static let all: [(name: String, meaning: String)] = [
        ("lost", "deliveries lost"),
        ("duplicated", "deliveries duplicated"),
        ("reordered", "deliveries out of order"),
        ("member_added_lost", "member_added frames lost"),
        ("connections_lost", "connections lost"),
        ("failed_probes", "probes failed"),
        ("rejected", "calls or events rejected"),
        ("errors", "pusher:error frames"),
    ]

    var text: String {
        "\(Text.grouped(count)) \(Self.all.first { $0.name == name }?.meaning ?? name)"
    }
}

extension Report {
    /// A search ends by breaking the server: its steps judge, not these.
    var faults: [Fault] {
        guard options.scenario != .search else { return [] }
        return Fault.all.compactMap { name, _ in
            guard let count = figure(name), count > 0, !options.allowedFaults.contains(name),
                !options.serviceLevels.contains(where: { $0.figure == name })
            else { return nil }
            return Fault(name: name, count: Int(count))
        }
    }

    /// The last lines of the summary.
    var verdict: String {
        let faults = faults
        var out = invalid.map { "INVALID: \($0)\n" }.joined()
        if !faults.isEmpty {
            out += "FAULTY: \(faults.map(\.text).joined(separator: ", ")) "
            out += "(--allow \(faults.map(\.name).joined(separator: ",")) accepts that)\n"
        }
        return out.isEmpty ? "VALID\n" : out
    }
}
