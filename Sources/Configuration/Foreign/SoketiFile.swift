/// Turns soketi's configuration file, nested or dotted, into the native one; every value keeps its place.
///
/// Nothing of it vanishes: a name that is not in `SoketiNames` is told, and when apps stand under it, it is an error.
struct SoketiFile {
    /// A limit that soketi has once for all apps; weaker than what an app says itself.
    struct EveryApp {
        var option: String
        var value: OptionValue
        var origin: Origin
    }

    let source: SourceText
    private(set) var problems = ProblemList()
    private(set) var everyApp: [EveryApp] = []
    private(set) var batching = SoketiBatching()
    /// Where a key or a secret stands alone in a place that nobody reads; an error when nothing else names an app.
    private(set) var misnamed: [Origin] = []
    private var server: [Node.Member] = []
    private var apps: Node?
    /// Path → where it was given first; dotted and nested names may meet.
    private var places: [String: Int] = [:]

    /// True when some member is one that only soketi has and the native list of apps is missing.
    static func isSoketi(_ node: Node) -> Bool {
        guard case .object(let members) = node.content else { return false }
        return !members.contains { $0.key == "apps" }
            && members.contains { SoketiNames.marks.contains(String($0.key.prefix { $0 != "." })) || isSoketis($0) }
    }

    /// A section of ours that soketi has too (`metrics`) is its own when its name is dotted, or something in it is soketi's and none of ours.
    private static func isSoketis(_ member: Node.Member) -> Bool {
        let head = String(member.key.prefix { $0 != "." })
        guard SoketiNames.sections.contains(head) else { return false }
        guard head == member.key, case .object(let inner) = member.value.content else { return head != member.key }
        let ours = Option.server.map(\.key)
        return inner.contains { member in
            let path = "\(head).\(member.key)"
            return !ours.contains(path) && (SoketiNames.leaves.contains(path) || SoketiNames.sections.contains(path))
        }
    }

    init(_ node: Node, _ source: SourceText) {
        self.source = source
        walk(node, path: "")
        native = Node(content: .object(Self.nested(server) + appsMember), offset: node.offset)
    }

    /// The same settings as a document of ours, without `everyApp`.
    private(set) var native = Node(content: .null, offset: 0)

    /// Our dotted keys as members of their sections.
    private static func nested(_ members: [Node.Member]) -> [Node.Member] {
        var top = members.filter { !$0.key.contains(".") }
        for member in members {
            let parts = member.key.split(separator: ".", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { continue }
            let inner = Node.Member(key: parts[1], keyOffset: member.keyOffset, value: member.value)
            if let index = top.firstIndex(where: { $0.key == parts[0] }),
                case .object(let others) = top[index].value.content
            {
                top[index].value.content = .object(others + [inner])
            } else {
                let section = Node(content: .object([inner]), offset: member.value.offset)
                top.append(Node.Member(key: parts[0], keyOffset: member.keyOffset, value: section))
            }
        }
        return top
    }

    private var appsMember: [Node.Member] { apps.map { [.init(key: "apps", keyOffset: $0.offset, value: $0)] } ?? [] }

    // MARK: Members

    private mutating func walk(_ node: Node, path: String) {
        guard case .object(let members) = node.content else { return }
        for member in members { visit(member, below: path) }
    }

    private mutating func visit(_ member: Node.Member, below parent: String) {
        let path = parent.isEmpty ? member.key : parent + "." + member.key
        if path == "$schema" { return }
        if SoketiNames.sections.contains(path) {
            visit(section: member, path)
        } else if SoketiNames.leaves.contains(path) {
            if let first = places.updateValue(member.keyOffset, forKey: path) {
                problems.error(
                    source.place(member.keyOffset),
                    "\(path.quoted) is given twice; the first is at \(source.place(first))")
            } else {
                visit(leaf: member, path)
            }
        } else {
            unknown(member, path)
        }
    }

    private mutating func visit(section member: Node.Member, _ path: String) {
        switch member.value.content {
        case .object: walk(member.value, path: path)
        case .null, .broken: break
        default:
            problems.error(
                source.place(member.value.offset), "\(path): must be an object, not \(member.value.kindName)")
        }
    }

    private mutating func visit(leaf member: Node.Member, _ path: String) {
        if path == SoketiNames.apps {
            readApps(member.value)
        } else if SoketiNames.foreign.contains(path) {
            if ![.null, .object([]), .array([])].contains(member.value.content) {
                problems.warning(source.place(member.keyOffset), "\(path): has no effect here")
            }
        } else if let effect = SoketiNames.options[path] {
            apply(effect, path, member)
        } else if case .object = member.value.content {
            problems.error(source.place(member.value.offset), "\(path): cannot be \(member.value.kindName)")
        }
    }

    private mutating func unknown(_ member: Node.Member, _ path: String) {
        let place = source.place(member.keyOffset)
        guard !Self.namesApps(member, path) else {
            let text =
                "unknown soketi option \(path.quoted), and apps stand in it; soketi has them in \(SoketiNames.apps)"
            return problems.error(place, text)
        }
        if Self.holdsCredentials(member, path) { misnamed.append(source.origin(at: member.keyOffset)) }
        let hint = problems.hint(path, in: SoketiNames.all)
        problems.warning(place, "unknown soketi option \(path.quoted); not taken over\(hint)")
    }

    /// Whether somebody meant to name an app with this, so that starting without it would be another broker.
    private static func namesApps(_ member: Node.Member, _ path: String) -> Bool {
        let word = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
        return word == "apps" || word == "app" || path.hasPrefix(SoketiNames.apps + ".") || holdsApps(member.value)
    }

    private static func holdsApps(_ node: Node) -> Bool {
        switch node.content {
        case .array(let elements): elements.contains(where: holdsApps)
        case .object(let members):
            members.filter { isIdentity($0.key) }.count > 1
                || members.contains { $0.key.lowercased() == "apps" || holdsApps($0.value) }
        default: false
        }
    }

    /// Whether this is a key or a secret that could be meant for an app, or holds one. What the sections of other things have is theirs,
    /// and an id alone says little.
    private static func holdsCredentials(_ member: Node.Member, _ path: String) -> Bool {
        let parent = path.contains(".") ? String(path.prefix { $0 != "." }) : ""
        guard parent.isEmpty || parent == "appManager" || !SoketiNames.sections.contains(parent) else { return false }
        let word = path.split(separator: ".").last.map(String.init) ?? ""
        return SoketiNames.isCredential(word) || holdsCredentials(member.value)
    }

    private static func holdsCredentials(_ node: Node) -> Bool {
        switch node.content {
        case .array(let elements): elements.contains(where: holdsCredentials)
        case .object(let members):
            members.contains { SoketiNames.isCredential($0.key) || holdsCredentials($0.value) }
        default: false
        }
    }

    private static func isIdentity(_ name: String) -> Bool {
        guard case .app(let options, _)? = SoketiNames.appMember(name) else { return false }
        return options.contains(where: Loader.identity.contains)
    }

    // MARK: Effects

    private mutating func apply(_ effect: ForeignFamily.Effect, _ path: String, _ member: Node.Member) {
        if case .elsewhere(let text) = effect {
            if member.value.plainText == "" { return }
            return problems.warning(source.place(member.keyOffset), "\(path): \(text)")
        }
        guard let text = member.value.plainText else {
            return problems.error(source.place(member.value.offset), "\(path): cannot be \(member.value.kindName)")
        }
        guard !text.isEmpty else { return }
        switch effect {
        case .server(let name, let conversion):
            guard let option = Loader.serverByName[name], let node = convert(text, conversion, path, member.value)
            else { return }
            server.append(Node.Member(key: option.key, keyOffset: member.keyOffset, value: node))
        case .everyApp(let names, let conversion): limit(text, names, conversion, path, member.value)
        case .debug:
            guard Boolean.parse(text) == true else { return }
            let node = Node(content: .string("debug", isInterpolated: true), offset: member.value.offset)
            server.append(Node.Member(key: "logLevel", keyOffset: member.keyOffset, value: node))
        case .driver(let supported, let otherwise):
            guard !supported.contains(text) else { return }
            let choices = supported.joined(separator: ", ")
            problems.error(
                source.place(member.value.offset),
                "\(path): \(text.quoted) is not supported here (\(choices)); refusing \(otherwise)")
        case .refused(let why):
            if Boolean.parse(text) != false { problems.error(source.place(member.value.offset), "\(path): \(why)") }
        case .later(let why):
            if Boolean.parse(text) != false { problems.warning(source.place(member.value.offset), "\(path): \(why)") }
        case .batching(let part):
            if let fault = batching.set(part, text, source.origin(at: member.value.offset)) {
                problems.error(source.place(member.value.offset), "\(path): \(fault)")
            }
        case .app, .size, .webhooks, .wholeApp, .ignored, .elsewhere: break
        }
    }

    private mutating func limit(
        _ text: String, _ names: [String], _ conversion: ForeignFamily.Conversion, _ path: String, _ node: Node
    ) {
        for name in names {
            guard let option = Loader.appByName[name] else { continue }
            switch conversion.apply(text).flatMap({ option.field.parse($0) }) {
            case .success(let value):
                everyApp.append(EveryApp(option: name, value: value, origin: source.origin(at: node.offset)))
            case .failure(let error): return problems.error(source.place(node.offset), "\(path): \(error.text)")
            }
        }
    }

    /// Text marked as interpolated, which the native options take for a number or a boolean as well.
    private mutating func convert(
        _ text: String, _ conversion: ForeignFamily.Conversion, _ path: String, _ node: Node
    ) -> Node? {
        switch conversion.apply(text) {
        case .success(let text): return Node(content: .string(text, isInterpolated: true), offset: node.offset)
        case .failure(let error):
            problems.error(source.place(node.offset), "\(path): \(error.text)")
            return nil
        }
    }

    // MARK: Apps

    private mutating func readApps(_ node: Node) {
        switch node.content {
        case .array(let elements):
            let apps = elements.enumerated().map { app($0.element, "\(SoketiNames.apps)[\($0.offset)]") }
            self.apps = Node(content: .array(apps), offset: node.offset)
        case .null, .broken: break
        default:
            problems.error(
                source.place(node.offset), "\(SoketiNames.apps): must be an array, not \(node.kindName)")
        }
    }

    private mutating func app(_ node: Node, _ label: String) -> Node {
        guard case .object(let members) = node.content else { return node }
        var (plain, limits): ([Node.Member], [Node.Member]) = ([], [])
        var given: [String: Node.Member] = [:]
        for member in members {
            let path = "\(label).\(member.key)"
            switch SoketiNames.appMember(member.key) {
            case .app(let names, let conversion)?:
                guard member.value.content != .null else { continue }
                if let first = given[names[0]] {
                    problems.error(
                        source.place(member.keyOffset),
                        "\(path) says the same as \(first.key.quoted) (\(source.place(first.keyOffset))); give one of them"
                    )
                    continue
                }
                given[names[0]] = member
                for name in names {
                    guard let option = appOption(name, conversion, path, member) else { break }
                    if option.key.hasPrefix("limits.") { limits.append(option) } else { plain.append(option) }
                }
            case .webhooks?:
                SoketiWebhooks.native(member.value, source, path, &problems).map {
                    plain.append(Node.Member(key: "webhooks", keyOffset: member.keyOffset, value: $0))
                }
            default:
                let hint = problems.hint(member.key, in: SoketiNames.appMemberSpellings)
                problems.warning(
                    source.place(member.keyOffset), "unknown soketi option \(path.quoted); not taken over\(hint)")
            }
        }
        let nested = limits.map {
            Node.Member(key: String($0.key.dropFirst(7)), keyOffset: $0.keyOffset, value: $0.value)
        }
        plain.append(
            Node.Member(
                key: "limits", keyOffset: node.offset, value: Node(content: .object(nested), offset: node.offset)))
        return Node(content: .object(plain), offset: node.offset)
    }

    private mutating func appOption(
        _ name: String, _ conversion: ForeignFamily.Conversion, _ path: String, _ member: Node.Member
    ) -> Node.Member? {
        guard let option = Loader.appByName[name] else { return nil }
        guard let text = member.value.plainText else {
            problems.error(source.place(member.value.offset), "\(path): cannot be \(member.value.kindName)")
            return nil
        }
        return convert(text, conversion, path, member.value).map {
            Node.Member(key: option.key, keyOffset: member.keyOffset, value: $0)
        }
    }
}

extension Node {
    /// A scalar as a variable would hold it; `nil` for objects and arrays.
    var plainText: String? {
        switch content {
        case .string(let text, _), .number(let text): text
        case .boolean(let isTrue): isTrue ? "true" : "false"
        case .null, .broken: ""
        case .object, .array: nil
        }
    }
}
