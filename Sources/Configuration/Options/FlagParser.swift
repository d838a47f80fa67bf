/// Splits the arguments of a command into options and the rest. Knows names only; values are judged later.
enum FlagParser {
    struct Given: Sendable, Equatable {
        /// Option name without dashes.
        var name: String
        /// As typed, without the value: the origin of the setting.
        var spelled: String
        var value: String
    }

    struct Result: Sendable {
        var given: [Given] = []
        var positionals: [String] = []
        var problems = ProblemList()

        /// The last value of an option; later flags win.
        func value(_ name: String) -> Given? { given.last { $0.name == name } }
    }

    /// - Parameter extra: Options of the command besides those of the tables, e.g. `json`; with `true` they take a value.
    static func parse(_ arguments: [String], extra: [String: Bool] = [:], onlyExtra: Bool = false) -> Result {
        var result = Result()
        let known = Known(extra: extra, onlyExtra: onlyExtra)
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                result.positionals += rest
                break
            } else if argument.hasPrefix("--") {
                long(argument, &rest, known, &result)
            } else if argument.hasPrefix("-"), argument != "-" {
                short(argument, &rest, known, &result)
            } else {
                result.positionals.append(argument)
            }
        }
        return result
    }

    private struct Known {
        /// Name → takes a value.
        var takesValue: [String: Bool]
        var booleans: Set<String> = []
        let shorts: [Character: String]

        init(extra: [String: Bool], onlyExtra: Bool) {
            takesValue = extra
            var shorts: [Character: String] = [:]
            for meta in MetaOption.all where !onlyExtra || meta.name == "help" {
                takesValue[meta.name] = meta.argument != nil
                if let short = meta.shortFlag { shorts[short] = meta.name }
            }
            if !onlyExtra {
                for option in Option.server {
                    takesValue[option.name] = !option.field.isBoolean
                    if option.field.isBoolean { booleans.insert(option.name) }
                    if let short = option.shortFlag { shorts[short] = option.name }
                }
                for option in Option.app {
                    takesValue[option.name] = !option.field.isBoolean
                    if option.field.isBoolean { booleans.insert(option.name) }
                }
            }
            self.shorts = shorts
        }
    }

    private static func long(
        _ argument: String, _ rest: inout ArraySlice<String>, _ known: Known, _ result: inout Result
    ) {
        let body = argument.dropFirst(2)
        let name = String(body.prefix { $0 != "=" })
        let attached = body.firstIndex(of: "=").map { String(body[$0...].dropFirst()) }
        let spelled = "--" + name
        if name.hasPrefix("no-"), known.booleans.contains(String(name.dropFirst(3))) {
            guard attached == nil else {
                return result.problems.error("flag \(spelled)", "takes no value", isUsage: true)
            }
            return result.given.append(Given(name: String(name.dropFirst(3)), spelled: spelled, value: "false"))
        }
        guard let takesValue = known.takesValue[name] else {
            let names = known.takesValue.keys.sorted() + known.booleans.sorted().map { "no-" + $0 }
            let hint = NearestName.hint(spelled, in: names.map { "--" + $0 }, quote: "")
            return result.problems.error("", "unknown option \(spelled.shortened)\(hint)", isUsage: true)
        }
        if let attached {
            guard takesValue || known.booleans.contains(name) else {
                return result.problems.error("flag \(spelled)", "takes no value", isUsage: true)
            }
            result.given.append(Given(name: name, spelled: spelled, value: attached))
        } else if takesValue {
            take(name, spelled, &rest, &result)
        } else {
            result.given.append(Given(name: name, spelled: spelled, value: "true"))
        }
    }

    /// `-p 80`, `-p80`, `-vc file`.
    private static func short(
        _ argument: String, _ rest: inout ArraySlice<String>, _ known: Known, _ result: inout Result
    ) {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            guard let name = known.shorts[letter] else {
                return result.problems.error("", "unknown option -\(String(letter).shortened)", isUsage: true)
            }
            guard known.takesValue[name] == true else {
                result.given.append(Given(name: name, spelled: "-\(letter)", value: "true"))
                continue
            }
            if letters.isEmpty { return take(name, "-\(letter)", &rest, &result) }
            if letters.first == "=" { letters.removeFirst() }
            return result.given.append(Given(name: name, spelled: "-\(letter)", value: String(letters)))
        }
    }

    private static func take(
        _ name: String, _ spelled: String, _ rest: inout ArraySlice<String>, _ result: inout Result
    ) {
        // A number may begin with a dash, an option may not be taken for a value.
        guard let value = rest.first, !value.hasPrefix("-") || value == "-" || Int(value) != nil else {
            return result.problems.error("flag \(spelled)", "needs a value", isUsage: true)
        }
        rest.removeFirst()
        result.given.append(Given(name: name, spelled: spelled, value: value))
    }
}
