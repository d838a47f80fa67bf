/// A list of objects, such as `tls.certificates` or an app's `webhooks`: a table of what stands in an element, of which file, text, printing
/// and the reference page come, as `Option` is one for what stands alone.
struct ObjectList<Settings: Sendable>: Sendable {
    /// A member of each element.
    struct Member: Sendable {
        let name: String
        let unit: String
        let help: String
        let expectation: String
        let isSecret: Bool
        /// Of an element that does not say it.
        let standard: OptionValue
    }

    let members: [Member]
    /// How an element is written in a flag or a variable: `CERTIFICATE:KEY`.
    let textForm: String
    /// What others call a member, without underscores and in lower case, and what to say about it: `here it is "events"`.
    let foreignNames: [String: String]
    let read: @Sendable (Settings) -> [ObjectValue]
    let write: @Sendable ([ObjectValue], inout Settings) -> Void
    /// The value of a member that stands in a file.
    let parseMember: @Sendable (_ name: String, Node) -> Result<OptionValue, ValueError>?
    /// An element in its text form.
    let parseText: @Sendable (Substring) -> Result<ObjectValue, ValueError>

    /// - Parameters:
    ///   - rows: a member each; those with the names `name` has.
    ///   - parseText: an element from its text form.
    init<Element: Sendable>(
        _ path: any WritableKeyPath<Settings, [Element]> & Sendable, blank: Element, rows: [Option<Element>],
        textForm: String, foreignNames: [String: String] = [:],
        parseText: @escaping @Sendable (Substring) -> Result<Element, ValueError>
    ) {
        @Sendable func value(_ element: Element) -> ObjectValue {
            ObjectValue(
                members: rows.compactMap { row in
                    let value = row.field.read(element)
                    guard value != row.field.read(blank) else { return nil }
                    return .init(name: row.key, value: value, isSecret: row.field.isSecret)
                })
        }
        members = rows.map { row in
            Member(
                name: row.key, unit: row.unit, help: row.help, expectation: row.field.expectation,
                isSecret: row.field.isSecret, standard: row.field.read(blank))
        }
        (self.textForm, self.foreignNames) = (textForm, foreignNames)
        read = { $0[keyPath: path].map(value) }
        write = { values, settings in
            settings[keyPath: path] = values.map { value in
                var element = blank
                for row in rows { value[row.key].map { row.field.write($0, to: &element) } }
                return element
            }
        }
        parseMember = { name, node in rows.first { $0.key == name }?.field.parse(node) }
        self.parseText = { text in parseText(text).map(value) }
    }

    var isSecret: Bool { members.contains(where: \.isSecret) }

    var expectation: String {
        let shown = members.prefix(3).map { "\"\($0.name)\": …" }.joined(separator: ", ")
        return "a list of {\(shown)\(members.count > 3 ? ", …" : "")}"
    }

    /// Elements in their text form, separated by commas.
    func parse(_ text: String) -> Result<OptionValue, ValueError> {
        var values: [ObjectValue] = []
        for part in text.split(separator: ",") {
            switch parseText(part) {
            case .success(let value): values.append(value)
            case .failure(let error): return .failure(error)
            }
        }
        return .success(.objects(values))
    }
}

/// An element: its members that are not as they are when nothing is said.
struct ObjectValue: Sendable, Equatable {
    struct Member: Sendable, Equatable {
        var name: String
        var value: OptionValue
        var isSecret: Bool
    }

    var members: [Member] = []

    subscript(_ name: String) -> OptionValue? { members.first { $0.name == name }?.value }

    func json(showingSecrets: Bool) -> JSONText {
        .object(
            members.map { member in
                let isHidden = member.isSecret && !showingSecrets
                return (member.name, isHidden ? member.value.hidden : member.value.json(showingSecrets: showingSecrets))
            })
    }
}

/// Reads lists of objects of a file, or of a variable in the form of one. Each element and member keeps its place.
struct ObjectReader {
    let source: SourceText
    private(set) var problems = ProblemList()
    /// `webhooks[0]`, `webhooks[0].url`; also of members that were refused.
    private(set) var origins: [String: Origin] = [:]

    init(_ source: SourceText) { self.source = source }

    /// - Parameters:
    ///   - key: what origins begin with.
    ///   - label: what it is called in a message: `apps[0].webhooks`.
    /// - Returns: nil when it is no list. What cannot be an element is told and left out.
    mutating func read<Settings>(
        _ node: Node, _ list: ObjectList<Settings>, key: String, label: String
    ) -> OptionValue? {
        if case .string(let text, isInterpolated: true) = node.content {
            switch list.parse(text) {
            case .success(let value): return value
            case .failure(let error):
                problems.error(source.place(node.offset), "\(label): \(error.text)")
                return nil
            }
        }
        guard case .array(let elements) = node.content else {
            problems.error(source.place(node.offset), "\(label): must be an array of objects, not \(node.kindName)")
            return nil
        }
        var values: [ObjectValue] = []
        for (index, element) in elements.enumerated() {
            let path = "\(label)[\(index)]"
            guard case .object(let members) = element.content else {
                problems.error(source.place(element.offset), "\(path): must be an object, not \(element.kindName)")
                continue
            }
            let place = "\(key)[\(values.count)]"
            origins[place] = source.origin(at: element.offset)
            var value = ObjectValue()
            for member in members { read(member, list, place: place, path: path, into: &value) }
            values.append(value)
        }
        return .objects(values)
    }

    private mutating func read<Settings>(
        _ member: Node.Member, _ list: ObjectList<Settings>, place: String, path: String, into value: inout ObjectValue
    ) {
        guard let row = list.members.first(where: { $0.name == member.key }),
            let parsed = list.parseMember(member.key, member.value)
        else {
            return problems.error(
                source.place(member.keyOffset), "unknown key \(member.key.quoted) in \(path)\(hint(member.key, list))")
        }
        origins["\(place).\(member.key)"] = source.origin(at: member.value.offset)
        switch parsed {
        case .success(let parsed): value.members.append(.init(name: row.name, value: parsed, isSecret: row.isSecret))
        case .failure(let error):
            problems.error(
                source.place(error.offset ?? member.value.offset), "\(path).\(member.key): \(error.text)")
        }
    }

    private func hint<Settings>(_ key: String, _ list: ObjectList<Settings>) -> String {
        list.foreignNames[key.lowercased().filter { $0 != "_" }].map { "; " + $0 }
            ?? problems.hint(key, in: list.members.map(\.name))
    }
}
