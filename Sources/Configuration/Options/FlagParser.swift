import Arguments

/// The options of a command of the server: those of the tables, and its own.
enum FlagParser {
    typealias Given = ArgumentSplitter.Given

    struct Result: Sendable {
        var given: [Given] = []
        var positionals: [String] = []
        var problems = ProblemList()

        /// The text of an option of the tables, of which this is one flag: where several count, all of them. nil: it says nothing.
        func text(of field: Field<some Sendable>, _ flag: Given) -> String? {
            guard field.isRepeatable else { return flag.value.isEmpty ? nil : flag.value }
            let all = given.filter { $0.name == flag.name && !$0.value.isEmpty }
            return all.isEmpty ? nil : all.map(\.value).joined(separator: ",")
        }

        /// The last value of an option; later flags win.
        func value(_ name: String) -> Given? { given.last { $0.name == name } }
    }

    /// - Parameter extra: Options of the command besides those of the tables, e.g. `json`; with `true` they take a value.
    static func parse(_ arguments: [String], extra: [String: Bool] = [:], onlyExtra: Bool = false) -> Result {
        let split = ArgumentSplitter(arguments, known: vocabulary(extra, onlyExtra: onlyExtra))
        var result = Result(given: split.given, positionals: split.positionals)
        for fault in split.faults { result.problems.error(fault.place, fault.text, isUsage: true) }
        return result
    }

    private static func vocabulary(_ extra: [String: Bool], onlyExtra: Bool) -> Vocabulary {
        var known = Vocabulary()
        for (name, takesValue) in extra { known.kinds[name] = takesValue ? .value : .mark }
        for meta in MetaOption.all where !onlyExtra || meta.name == "help" {
            known.kinds[meta.name] = meta.argument != nil ? .value : .mark
            if let short = meta.shortFlag { known.shorts[short] = meta.name }
        }
        guard !onlyExtra else { return known }
        func add<Settings>(_ options: [Option<Settings>]) {
            for option in options {
                known.kinds[option.name] = option.field.isBoolean ? .boolean : .value
                if let short = option.shortFlag { known.shorts[short] = option.name }
            }
        }
        add(Option.server)
        add(Option.app)
        return known
    }
}
