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

    private static let serverNames = serverByKey.keys.sorted() + ["apps"] + SoketiNames.marks.sorted()
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
        default:
            guard let option = Self.serverByKey[member.key] else {
                let hint = serverHint(member.key)
                return problems.error(source.place(member.keyOffset), "unknown key \(member.key.quoted)\(hint)")
            }
            switch option.field.parse(member.value) {
            case .success(let value):
                option.field.write(value, to: &settings)
                origins[option.name] = source.origin(at: member.value.offset)
            case .failure(let error):
                problems.error(source.place(error.offset ?? member.value.offset), "\(member.key): \(error.text)")
            }
        }
    }

    /// Where a key belongs that is none of ours at this place. A soketi name that is spelled well is not offered again: this file is not
    /// soketi's.
    private func serverHint(_ key: String) -> String {
        if Self.appByKey[key] != nil { return "; it belongs into an element of \"apps\"" }
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
            case "keys": keys(member.value, label, &draft)
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

    private mutating func keys(_ node: Node, _ label: String, _ draft: inout AppDraft) {
        guard case .array(let elements) = node.content else {
            return problems.error(
                source.place(node.offset), "\(label).keys: must be an array of objects, not \(node.kindName)")
        }
        for (index, element) in elements.enumerated() {
            let path = "\(label).keys[\(index)]"
            guard case .object(let members) = element.content else {
                problems.error(source.place(element.offset), "\(path): must be an object, not \(element.kindName)")
                continue
            }
            var pair = AppSettings.Key(key: "", secret: "")
            for member in members {
                guard member.key == "key" || member.key == "secret" else {
                    let hint = problems.hint(member.key, in: ["key", "secret"])
                    problems.error(source.place(member.keyOffset), "unknown key \(member.key.quoted) in \(path)\(hint)")
                    continue
                }
                guard case .string(let text, _) = member.value.content else {
                    problems.error(
                        source.place(member.value.offset),
                        "\(path).\(member.key): must be text, not \(member.value.kindName)")
                    continue
                }
                if member.key == "key" { pair.key = text } else { pair.secret = text }
            }
            draft.moreKeys.append(pair)
            draft.keyOrigins.append(source.origin(at: element.offset))
        }
        draft.origins["app-keys"] = source.origin(at: node.offset)
    }
}
