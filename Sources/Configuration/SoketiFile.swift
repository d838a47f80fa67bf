/// Turns soketi's configuration file, nested or dotted, into the native one; every value keeps its place.
///
/// Facts in Pusher protocol, Appendix C. A feature that we lack is an error when serving, and a remark when importing.
struct SoketiFile {
    let source: SourceText
    /// Importing: what is not supported is listed instead of refused.
    let isImport: Bool
    var problems = ProblemList()
    private var server: [Node.Member] = []
    private var everyApp: [(key: String, value: Node)] = []
    private var apps: [Node]?

    private static let marks = [
        "adapter", "appManager", "cache", "channelLimits", "cluster", "cors", "database", "databasePooling",
        "eventLimits",
        "httpApi", "instance", "metrics", "presence", "queue", "rateLimiter", "ssl", "userAuthenticationTimeout",
        "shutdownGracePeriod", "debug", "mode", "webhooks",
    ]

    static let options: [String: ForeignFamily.Effect] = [
        "host": .server("host"),
        "port": .server("port"),
        "pathPrefix": .server("path-prefix"),
        "debug": .debug,
        "mode": .driver(supported: ["full", "server"], otherwise: "to run a process that only sends webhooks"),
        "shutdownGracePeriod": .server("shutdown-grace-seconds", .milliseconds),
        "httpApi.acceptTraffic.memoryThreshold": .server("memory-threshold-percent"),
        "httpApi.requestLimitInMb": .server("request-body-bytes", .megabytes),
        "userAuthenticationTimeout": .everyApp(["authorization-timeout-seconds"], .milliseconds),
        "channelLimits.maxNameLength": .everyApp(["channel-name-bytes"]),
        "channelLimits.cacheTtl": .everyApp(["cache-seconds"]),
        "eventLimits.maxChannelsAtOnce": .everyApp(["event-channels"]),
        "eventLimits.maxNameLength": .everyApp(["event-name-characters"]),
        "eventLimits.maxPayloadInKb": .everyApp(["event-data-bytes", "client-event-bytes"], .kilobytes),
        "eventLimits.maxBatchSize": .everyApp(["batch-events"]),
        "presence.maxMembersPerChannel": .everyApp(["presence-members"]),
        "presence.maxMemberSizeInKb": .everyApp(["presence-member-bytes"], .kilobytes),
        "adapter.driver": .driver(supported: ["local"], otherwise: "to start single-node by accident"),
        "appManager.driver": .driver(supported: ["array"], otherwise: "to start without those apps"),
        "cache.driver": .driver(supported: ["memory"], otherwise: "to keep the cache in memory by accident"),
        "queue.driver": .driver(supported: ["sync"], otherwise: "to start without that queue"),
        "rateLimiter.driver": .driver(supported: ["local"], otherwise: "to limit per process by accident"),
        "ssl.certPath": .refused(Unsupported.tls),
        "ssl.keyPath": .refused(Unsupported.tls),
        "metrics.enabled": .later("the separate metrics port comes in a later release"),
        "webhooks.batching.enabled": .later("webhooks come in a later release"),
    ]

    /// Names of an app's members without underscores and in lower case, since soketi takes three spellings of each.
    static let appMembers: [String: ForeignFamily.Effect] = [
        "id": .app("app-id"), "key": .app("app-key"), "secret": .app("app-secret"), "enabled": .app("app-enabled"),
        "maxconnections": .app("app-connections"),
        "enableclientmessages": .app("client-events"),
        "enableuserauthentication": .app("authorized-connections"),
        "maxbackendeventspersecond": .app("backend-events-per-second"),
        "maxbackendeventspersec": .app("backend-events-per-second"),
        "maxclienteventspersecond": .app("client-events-per-second"),
        "maxclienteventspersec": .app("client-events-per-second"),
        "maxreadrequestspersecond": .app("read-requests-per-second"),
        "maxreadreqpersec": .app("read-requests-per-second"),
        "maxpresencemembersperchannel": .app("presence-members"),
        "maxpresencemembersizeinkb": .app("presence-member-bytes", .kilobytes),
        "maxchannelnamelength": .app("channel-name-bytes"),
        "maxeventchannelsatonce": .app("event-channels"),
        "maxeventnamelength": .app("event-name-characters"),
        "maxeventpayloadinkb": .app("event-data-bytes", .kilobytes),
        "maxeventbatchsize": .app("batch-events"),
        "webhooks": .webhooks,
    ]

    /// True when some member is one that only soketi has and the native list of apps is missing.
    static func isSoketi(_ node: Node) -> Bool {
        guard case .object(let members) = node.content else { return false }
        return !members.contains { $0.key == "apps" } && members.contains { marks.contains(head(of: $0.key)) }
    }

    private static func head(of path: String) -> String { String(path.prefix { $0 != "." }) }

    static func translate(_ node: Node, _ source: SourceText, isImport: Bool = false) -> (
        node: Node, problems: ProblemList
    ) {
        var file = SoketiFile(source: source, isImport: isImport)
        file.walk(node, path: "", depth: 0)
        return (file.native(node.offset), file.problems)
    }

    private init(source: SourceText, isImport: Bool) {
        self.source = source
        self.isImport = isImport
    }

    // MARK: Members

    private mutating func walk(_ node: Node, path: String, depth: Int) {
        guard depth <= FileReader.depthMax, case .object(let members) = node.content else { return }
        for member in members {
            let path = path.isEmpty ? member.key : path + "." + member.key
            if path == "appManager.array.apps" {
                guard case .array(let elements) = member.value.content else {
                    problems.error(
                        source.place(member.value.offset), "\(path): must be an array, not \(member.value.kindName)")
                    continue
                }
                apps = (apps ?? []) + elements.enumerated().map { app($0.element, "\(path)[\($0.offset)]") }
            } else if case .object = member.value.content {
                walk(member.value, path: path, depth: depth + 1)
            } else if let effect = Self.options[path] {
                apply(effect, path, member)
            } else if !Self.marks.contains(Self.head(of: path)) {
                let hint = NearestName.hint(path, in: Self.options.keys.sorted())
                problems.warning(
                    source.place(member.keyOffset), "unknown soketi option \(path.quoted); not taken over\(hint)")
            }
        }
    }

    private mutating func apply(_ effect: ForeignFamily.Effect, _ path: String, _ member: Node.Member) {
        guard let text = member.value.plainText else {
            return problems.error(source.place(member.value.offset), "\(path): cannot be \(member.value.kindName)")
        }
        guard !text.isEmpty else { return }
        switch effect {
        case .server(let name, let conversion):
            guard let option = Loader.serverByName[name], let node = convert(text, conversion, path, member.value)
            else { return }
            server.append(Node.Member(key: option.key, keyOffset: member.keyOffset, value: node))
        case .everyApp(let names, let conversion):
            guard let node = convert(text, conversion, path, member.value) else { return }
            for name in names { if let option = Loader.appByName[name] { everyApp.append((option.key, node)) } }
        case .debug:
            guard Boolean.parse(text) == true else { return }
            let node = Node(content: .string("debug", isInterpolated: true), offset: member.value.offset)
            server.append(Node.Member(key: "logLevel", keyOffset: member.keyOffset, value: node))
        case .driver(let supported, let otherwise):
            guard !supported.contains(text) else { return }
            let choices = supported.joined(separator: ", ")
            unsupported(
                member.value, "\(path): \(text.quoted) is not supported here (\(choices))", "; refusing \(otherwise)")
        case .refused(let why):
            if Boolean.parse(text) != false { unsupported(member.value, "\(path): \(why)", "") }
        case .later(let why):
            if Boolean.parse(text) != false { problems.warning(source.place(member.value.offset), "\(path): \(why)") }
        case .app, .webhooks, .wholeApp, .ignored: break
        }
    }

    private mutating func unsupported(_ node: Node, _ text: String, _ refusal: String) {
        let place = source.place(node.offset)
        if isImport { problems.warning(place, text) } else { problems.error(place, text + refusal) }
    }

    /// Text marked as interpolated, which the native options take for a number or a boolean as well.
    private mutating func convert(_ text: String, _ conversion: ForeignFamily.Conversion, _ path: String, _ node: Node)
        -> Node?
    {
        switch conversion.apply(text) {
        case .success(let text): return Node(content: .string(text, isInterpolated: true), offset: node.offset)
        case .failure(let error):
            problems.error(source.place(node.offset), "\(path): \(error.text)")
            return nil
        }
    }

    // MARK: Apps

    private mutating func app(_ node: Node, _ label: String) -> Node {
        guard case .object(let members) = node.content else { return node }
        var found: [Node.Member] = []
        for member in members {
            let path = "\(label).\(member.key)"
            switch Self.appMembers[member.key.lowercased().filter { $0 != "_" }] {
            case .app(let name, let conversion)?:
                guard let option = Loader.appByName[name], member.value.content != .null else { continue }
                guard let text = member.value.plainText else {
                    problems.error(source.place(member.value.offset), "\(path): cannot be \(member.value.kindName)")
                    continue
                }
                guard let value = convert(text, conversion, path, member.value) else { continue }
                if !found.contains(where: { $0.key == option.key }) {
                    found.append(Node.Member(key: option.key, keyOffset: member.keyOffset, value: value))
                }
            case .webhooks?:
                if !["", "[]"].contains(member.value.plainText), member.value.content != .array([]),
                    member.value.content != .null
                {
                    problems.warning(
                        source.place(member.value.offset), "\(path): webhooks come in a later release; none is sent")
                }
            default:
                let hint = NearestName.hint(
                    member.key, in: ["maxConnections", "enableClientMessages", "enabled", "webhooks"])
                problems.warning(
                    source.place(member.keyOffset), "unknown soketi option \(path.quoted); not taken over\(hint)")
            }
        }
        return Node(content: .object(found), offset: node.offset)
    }

    /// The native document. Limits that soketi has for all apps go into each app that has none of its own.
    private func native(_ offset: Int) -> Node {
        var members = server
        if let apps {
            let complete = apps.map { app -> Node in
                guard case .object(let own) = app.content else { return app }
                let inherited = everyApp.filter { option in !own.contains { $0.key == option.key } }
                let all = own + inherited.map { Node.Member(key: $0.key, keyOffset: $0.value.offset, value: $0.value) }
                let limits = all.filter { $0.key.hasPrefix("limits.") }.map { limit in
                    Node.Member(key: String(limit.key.dropFirst(7)), keyOffset: limit.keyOffset, value: limit.value)
                }
                let plain = all.filter { !$0.key.hasPrefix("limits.") }
                let nested = Node(content: .object(limits), offset: app.offset)
                return Node(
                    content: .object(plain + [Node.Member(key: "limits", keyOffset: app.offset, value: nested)]),
                    offset: app.offset)
            }
            members.append(
                Node.Member(key: "apps", keyOffset: offset, value: Node(content: .array(complete), offset: offset)))
        }
        return Node(content: .object(members), offset: offset)
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
