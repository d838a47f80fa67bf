/// The options a command knows.
public struct Vocabulary: Sendable {
    /// What may stand behind an option's name.
    public enum Kind: Sendable {
        /// A value, always.
        case value
        /// Nothing, or `=true` and `=false`; and `--no-NAME` is its contrary.
        case boolean
        /// Nothing.
        case mark
    }

    /// By name, without dashes.
    public var kinds: [String: Kind] = [:]
    /// One letter for an option.
    public var shorts: [Character: String] = [:]

    public init() {}

    /// Every spelling behind two dashes, for guesses at what was meant.
    var names: [String] {
        kinds.keys.sorted() + kinds.filter { $0.value == .boolean }.keys.sorted().map { "no-" + $0 }
    }
}

/// Splits the arguments of a command into options and the rest. Knows names only; values are judged later.
public struct ArgumentSplitter: Sendable {
    /// An option as it was given.
    public struct Given: Sendable, Equatable {
        /// Without dashes.
        public var name: String
        /// As typed, without the value: the origin of the setting.
        public var spelled: String
        /// `true` and `false` for options without a value.
        public var value: String

        public init(name: String, spelled: String, value: String) {
            (self.name, self.spelled, self.value) = (name, spelled, value)
        }
    }

    /// What is wrong: `flag --port`, or empty where the sentence names it; and the sentence.
    public struct Fault: Sendable, Equatable {
        public var place: String
        public var text: String
    }

    /// In the order of the command line; of an option that comes twice the later one wins.
    public private(set) var given: [Given] = []
    public private(set) var positionals: [String] = []
    /// All of them, so that they can be told at once.
    public private(set) var faults: [Fault] = []

    private let known: Vocabulary
    private var rest: ArraySlice<String>

    public init(_ arguments: [String], known: Vocabulary) {
        self.known = known
        rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                positionals += rest
                break
            } else if argument.hasPrefix("--") {
                long(argument)
            } else if argument.hasPrefix("-"), argument != "-" {
                short(argument)
            } else {
                positionals.append(argument)
            }
        }
    }

    private mutating func long(_ argument: String) {
        let body = argument.dropFirst(2)
        let name = String(body.prefix { $0 != "=" })
        let attached = body.firstIndex(of: "=").map { String(body[$0...].dropFirst()) }
        let spelled = "--" + name
        if name.hasPrefix("no-"), known.kinds[String(name.dropFirst(3))] == .boolean {
            guard attached == nil else { return takesNoValue(spelled) }
            return add(String(name.dropFirst(3)), spelled, "false")
        }
        switch (known.kinds[name], attached) {
        case (nil, _):
            let hint = NearestName.hint(spelled, in: known.names.map { "--" + $0 }, quote: "")
            faults.append(Fault(place: "", text: "unknown option \(spelled.shortened)\(hint)"))
        case (.mark?, .some): takesNoValue(spelled)
        case (_, let value?): add(name, spelled, value)
        case (.value?, nil): take(name, spelled)
        case (.boolean?, nil), (.mark?, nil): add(name, spelled, "true")
        }
    }

    /// `-p 80`, `-p80`, `-vc file`.
    private mutating func short(_ argument: String) {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            guard let name = known.shorts[letter] else {
                return faults.append(Fault(place: "", text: "unknown option -\(String(letter).shortened)"))
            }
            guard known.kinds[name] == .value else {
                add(name, "-\(letter)", "true")
                continue
            }
            if letters.isEmpty { return take(name, "-\(letter)") }
            if letters.first == "=" { letters.removeFirst() }
            return add(name, "-\(letter)", String(letters))
        }
    }

    private mutating func take(_ name: String, _ spelled: String) {
        // A number may begin with a dash, an option may not be taken for a value.
        guard let value = rest.first, !value.hasPrefix("-") || value == "-" || Int(value) != nil else {
            return faults.append(Fault(place: "flag \(spelled)", text: "needs a value"))
        }
        rest.removeFirst()
        add(name, spelled, value)
    }

    private mutating func add(_ name: String, _ spelled: String, _ value: String) {
        given.append(Given(name: name, spelled: spelled, value: value))
    }

    private mutating func takesNoValue(_ spelled: String) {
        faults.append(Fault(place: "flag \(spelled)", text: "takes no value"))
    }
}
