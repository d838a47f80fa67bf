import BrokerCore

/// What a configuration file says, each value with its place. Problems of all of its members are collected.
struct FileSettings {
    let source: SourceText
    var settings = ServerSettings()
    var origins: [String: Origin] = [:]
    var drafts: [AppDraft] = []
    var problems = ProblemList()
    /// A list of apps that is empty, which is not the same as no list.
    private(set) var emptyApps: Origin?

    private static let serverByKey = Dictionary(uniqueKeysWithValues: Option.server.map { ($0.key, $0) })
    private static let appByKey = Dictionary(uniqueKeysWithValues: Option.app.map { ($0.key, $0) })
    private static let limitKeys = Option.app.map(\.key).filter { $0.hasPrefix("limits.") }.map {
        String($0.dropFirst(7))
    }

    private static let sections = Set(Option.server.compactMap(\.section))
    private static let serverNames =
        serverByKey.keys.filter { !$0.contains(".") }.sorted() + sections.sorted() + ["apps"]
        + SoketiNames.marks.sorted()
    private static let appNames = appByKey.keys.filter { !$0.hasPrefix("limits.") }.sorted() + ["limits"]

    /// `base` holds what is weaker than the file.
    init(_ node: Node, _ source: SourceText, base: ServerSettings = ServerSettings()) {
        self.source = source
        settings = base
        guard case .object(let members) = node.content else {
            problems.error(source.place(node.offset), "a configuration is an object, not \(node.kindName)")
            return
        }
        for member in members { server(member) }
    }

    private mutating func server(_ member: Node.Member) {
        switch member.key {
        case "$schema": return
        case "apps":
            guard case .array(let elements) = member.value.content else {
                return problems.error(
                    source.place(member.value.offset), "apps: must be an array of objects, not \(member.value.kindName)"
                )
            }
            for (index, element) in elements.enumerated() { app(element, "apps[\(index)]") }
            if elements.isEmpty { emptyApps = source.origin(at: member.value.offset) }
        case let name where Self.sections.contains(name): section(member)
        default:
            guard !member.key.contains("."), let option = Self.serverByKey[member.key] else {
                let hint = serverHint(member.key)
                return problems.error(source.place(member.keyOffset), "unknown key \(member.key.quoted)\(hint)")
            }
            server(option, member.value)
        }
    }

    /// The members of an object such as `tls`.
    private mutating func section(_ member: Node.Member) {
        let name = member.key
        guard case .object(let members) = member.value.content else {
            return problems.error(
                source.place(member.value.offset), "\(name): must be an object, not \(member.value.kindName)")
        }
        for inner in members {
            guard !inner.key.contains("."), let option = Self.serverByKey["\(name).\(inner.key)"] else {
                let known = Option.server.filter { $0.section == name }.map(\.member)
                let hint = problems.hint(inner.key, in: known)
                problems.error(source.place(inner.keyOffset), "unknown key \(inner.key.quoted) in \(name)\(hint)")
                continue
            }
            server(option, inner.value)
        }
    }

    private mutating func server(_ option: Option<ServerSettings>, _ node: Node) {
        if case .objects(let list) = option.field {
            let (value, places) = objects(list, node, key: option.key, label: option.key)
            value.map { option.field.write($0, to: &settings) }
            origins.merge(places) { $1 }
            return origins[option.name] = source.origin(at: node.offset)
        }
        switch option.field.parse(node) {
        case .success(let value):
            option.field.write(value, to: &settings)
            origins[option.name] = source.origin(at: node.offset)
        case .failure(let error):
            problems.error(source.place(error.offset ?? node.offset), "\(option.key): \(error.text)")
        }
    }

    /// A list of objects; the places of its elements and their members are kept beside that of the list, because some of them are checked
    /// when all is known.
    private mutating func objects<Settings>(
        _ list: ObjectList<Settings>, _ node: Node, key: String, label: String
    ) -> (value: OptionValue?, places: [String: Origin]) {
        var reader = ObjectReader(source)
        let value = reader.read(node, list, key: key, label: label)
        problems.append(reader.problems.all)
        return (value, reader.origins)
    }

    /// Where a key belongs that is none of ours at this place. A soketi name that is spelled well is not offered again: this file is not
    /// soketi's.
    private func serverHint(_ key: String) -> String {
        if Self.appByKey[key] != nil { return "; it belongs into an element of \"apps\"" }
        if let option = Self.serverByKey[key], let section = option.section {
            return "; write \(option.member.quoted) into the object \(section.quoted)"
        }
        let head = String(key.prefix { $0 != "." })
        guard SoketiNames.marks.contains(head) else { return problems.hint(key, in: Self.serverNames) }
        return head == "cors"
            ? "; " + Unsupported.cors : "; only soketi has it, and a file with \"apps\" is not soketi's"
    }

    private mutating func app(_ node: Node, _ label: String) {
        guard case .object(let members) = node.content else {
            return problems.error(source.place(node.offset), "\(label): must be an object, not \(node.kindName)")
        }
        var draft = AppDraft(label: label, origin: source.origin(at: node.offset))
        for member in members {
            switch member.key {
            case "limits":
                guard case .object(let limits) = member.value.content else {
                    problems.error(
                        source.place(member.value.offset),
                        "\(label).limits: must be an object, not \(member.value.kindName)")
                    continue
                }
                for limit in limits { appMember(limit, "limits." + limit.key, label, Self.limitKeys, &draft) }
            default:
                appMember(member, member.key, label, Self.appNames, &draft)
            }
        }
        drafts.append(draft)
    }

    private mutating func appMember(
        _ member: Node.Member, _ path: String, _ label: String, _ names: [String], _ draft: inout AppDraft
    ) {
        guard !member.key.contains("."), let option = Self.appByKey[path] else {
            let owner = path == member.key ? label : label + ".limits"
            let isLimit = path == member.key && Self.limitKeys.contains(member.key)
            let hint =
                isLimit
                ? "; it belongs into \"limits\""
                : Self.ownName(ofSoketi: member.key).map { "; here it is \($0.quoted)" }
                    ?? problems.hint(member.key, in: names)
            return problems.error(source.place(member.keyOffset), "unknown key \(member.key.quoted) in \(owner)\(hint)")
        }
        if case .objects(let list) = option.field {
            let (value, places) = objects(list, member.value, key: path, label: "\(label).\(path)")
            value.map { option.field.write($0, to: &draft) }
            draft.origins.merge(places) { $1 }
            return draft.origins[option.name] = source.origin(at: member.value.offset)
        }
        switch option.field.parse(member.value) {
        case .success(let value):
            option.field.write(value, to: &draft)
            draft.origins[option.name] = source.origin(at: member.value.offset)
        case .failure(let error):
            problems.error(source.place(error.offset ?? member.value.offset), "\(label).\(path): \(error.text)")
        }
    }

    /// What we call a member of a soketi app, in any of soketi's spellings.
    private static func ownName(ofSoketi key: String) -> String? {
        guard case .app(let names, _)? = SoketiNames.appMember(key) else { return nil }
        return names.first.flatMap { Loader.appByName[$0]?.key }
    }
}
