internal import Arguments

/// Reads the arguments behind `bench`.
enum OptionParser {
    enum Result: Sendable {
        case run(Options)
        case help(String)
        case wrong(String)
    }

    static func parse(_ arguments: [String]) -> Result {
        guard let first = arguments.first else { return .wrong("which scenario? See starling bench --help") }
        if ["--help", "-h", "help"].contains(first) || arguments.contains("--help") { return .help(help) }
        guard let scenario = Scenario(rawValue: first) else {
            let hint = NearestName.hint(first, in: Scenario.allCases.map(\.rawValue), quote: "")
            return .wrong("unknown scenario \(first.shortened)\(hint); see starling bench --help")
        }
        let split = ArgumentSplitter(Array(arguments.dropFirst()), known: OptionRow.vocabulary)
        if let fault = split.faults.first {
            return .wrong([fault.place, fault.text].filter { !$0.isEmpty }.joined(separator: " "))
        }
        if let word = split.positionals.first { return .wrong("what is \(word.shortened)? Options begin with --") }
        var options = Options(scenario)
        for given in split.given {
            guard let row = OptionRow.all.first(where: { $0.name == given.name }) else {
                preconditionFailure("the vocabulary is the table's")
            }
            guard row.set(&options, given.value) else {
                return .wrong("\(given.value.shortened) is no value for \(given.spelled): \(row.help)")
            }
        }
        if let problem = contradiction(options) { return .wrong(problem) }
        return .run(options)
    }

    /// The command as it may be written into a report.
    static func withoutSecret(_ commandLine: [String]) -> [String] {
        var shown = commandLine
        for index in shown.indices {
            if shown[index].hasPrefix("--secret=") { shown[index] = "--secret=…" }
            if index > 0, commandLine[index - 1] == "--secret" { shown[index] = "…" }
        }
        return shown
    }

    private static func contradiction(_ options: Options) -> String? {
        if options.channelsPerClient > options.channels { return "--channels-per-client is more than --channels" }
        if options.scenario == .search, options.serviceLevels.isEmpty {
            return "search needs --slo, for instance 'p99<10ms,loss=0'"
        }
        if options.rateFactor <= 1 { return "--factor must be above 1" }
        if options.raw != RawDialect(), options.channelsPerClient != 1 || options.batch != 1 {
            return "a raw client has one channel, and a raw call one event"
        }
        if options.raw.language != .frames, ![.fanout, .pubsub, .search].contains(options.scenario) {
            return "--language serves fanout, pubsub and search"
        }
        let needsPace: [Scenario] = [.fanout, .pubsub, .clientEvents, .mixed]
        if needsPace.contains(options.scenario), !options.isOpenLoop, options.inFlight == 0 {
            return "give --rate or --in-flight"
        }
        return nil
    }

    static var help: String {
        var out = "Usage: starling bench SCENARIO [OPTIONS]\n\nScenarios:\n"
        for scenario in Scenario.allCases { out += line(scenario.rawValue, scenario.help) }
        out += line("histogram", "percentiles of nanoseconds on standard input, as JSON")
        out += "\nOptions:\n"
        for row in OptionRow.all { out += line("--\(row.name) \(row.placeholder)", row.help) }
        out += """

            Latency counts from the instant the timetable names (open loop) or from sending (closed loop: an event is in flight
            until its last subscriber has it). A run is INVALID when the generator was the limit, and FAULTY when something was
            lost, doubled, disconnected or rejected. Exit codes: 0 fine, 1 failed, invalid, faulty or a service level missed,
            2 wrong arguments.

            """
        return out
    }

    private static func line(_ left: String, _ right: String) -> String {
        "  " + Text.left(left, 26) + " " + right + "\n"
    }
}
