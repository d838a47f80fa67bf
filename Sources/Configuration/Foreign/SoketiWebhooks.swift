import Arguments
import BrokerCore
import PusherProtocol
import Wire

/// Turns webhooks in soketi's form into ours; every value keeps its place.
///
///     {"url": …, "event_types": […], "filter": {"channel_name_starts_with": …, "channel_name_ends_with": …}, "headers": {…}}
///
/// What soketi would not have sent is left out with a warning, so that its configuration starts.
struct SoketiWebhooks {
    private let source: SourceText
    private var problems: ProblemList

    /// - Parameters:
    ///   - path: what the list is called in a message.
    ///   - problems: warnings are added.
    /// - Returns: an array as in our file; nil: there are none. What is no array goes on as it is, and is refused there.
    static func native(_ node: Node, _ source: SourceText, _ path: String, _ problems: inout ProblemList) -> Node? {
        var reader = SoketiWebhooks(source: source, problems: problems)
        defer { problems = reader.problems }
        return reader.list(node, path)
    }

    private mutating func list(_ node: Node, _ path: String) -> Node? {
        switch node.content {
        case .null, .broken, .string("", _): return nil
        // A database column, and whatever was made from one, has them as text.
        case .string(let text, _):
            let (inner, found) = FileReader.read(SourceText(path: source.place(node.offset), bytes: Array(text.utf8)))
            problems.append(found.all)
            return inner.flatMap { list($0.moved(to: node.offset), path) }
        case .array(let elements):
            let endpoints = elements.enumerated().compactMap { endpoint($1, "\(path)[\($0)]") }
            return Node(content: .array(endpoints), offset: node.offset)
        default: return node
        }
    }

    /// - Returns: nil when soketi sends nothing there that we would.
    private mutating func endpoint(_ node: Node, _ path: String) -> Node? {
        guard case .object(let members) = node.content else { return node }
        var native: [Node.Member] = []
        for member in members where member.value.content != .null {
            switch member.key.lowercased().filter({ $0 != "_" }) {
            case "url":
                native.append(renamed(member, "url"))
                // soketi calls whatever it is told to.
                if isInside(member.value) {
                    let isAllowed = Node(content: .boolean(true), offset: member.value.offset)
                    native.append(.init(key: "allowPrivate", keyOffset: member.keyOffset, value: isAllowed))
                }
            case "eventtypes":
                guard let events = events(member.value, "\(path).\(member.key)") else { return nil }
                native.append(.init(key: "events", keyOffset: member.keyOffset, value: events))
            case "filter": native += filter(member.value, "\(path).\(member.key)")
            case "headers": native.append(headers(member, "\(path).\(member.key)"))
            case "lambdafunction", "lambda":
                warn(
                    member.keyOffset,
                    "\(path).\(member.key): AWS Lambda is called by the URL of a function only; not taken over")
            default:
                let hint = problems.hint(member.key, in: ["url", "event_types", "filter", "headers"])
                warn(member.keyOffset, "unknown soketi option \("\(path).\(member.key)".quoted); not taken over\(hint)")
            }
        }
        let isLambda = members.contains { $0.key.lowercased().hasPrefix("lambda") }
        if isLambda, !native.contains(where: { $0.key == "url" }) { return nil }
        return Node(content: .object(native), offset: node.offset)
    }

    /// Names that are events of soketi's or ours; nil: none is.
    private mutating func events(_ node: Node, _ path: String) -> Node? {
        guard case .array(let elements) = node.content else { return node }
        let names = WebhookKind.allCases.map(\.name)
        let known = elements.filter { (element: Node) -> Bool in
            guard case .string(let name, _) = element.content, !names.contains(name) else { return true }
            warn(
                element.offset,
                "\(path): \(name.quoted) is no event of webhooks; not taken over\(problems.hint(name, in: names))")
            return false
        }
        guard known.isEmpty else { return Node(content: .array(known), offset: node.offset) }
        warn(node.offset, "\(path): names no event, so nothing is sent there; not taken over")
        return nil
    }

    private mutating func filter(_ node: Node, _ path: String) -> [Node.Member] {
        guard case .object(let members) = node.content else {
            problems.error(source.place(node.offset), "\(path): must be an object, not \(node.kindName)")
            return []
        }
        return members.compactMap { member -> Node.Member? in
            guard member.value.content != .null else { return nil }
            switch member.key.lowercased().filter({ $0 != "_" }) {
            case "channelnamestartswith": return renamed(member, "channelPrefix")
            case "channelnameendswith": return renamed(member, "channelSuffix")
            default:
                let hint = problems.hint(member.key, in: ["channel_name_starts_with", "channel_name_ends_with"])
                warn(member.keyOffset, "unknown soketi option \("\(path).\(member.key)".quoted); not taken over\(hint)")
                return nil
            }
        }
    }

    /// Without those that we write, as soketi does, and with numbers as text.
    private mutating func headers(_ member: Node.Member, _ path: String) -> Node.Member {
        guard case .object(let members) = member.value.content else { return renamed(member, "headers") }
        let kept = members.compactMap { header -> Node.Member? in
            guard !WebhookHeaders.isOurs(header.key) else {
                warn(header.keyOffset, "\(path): \(header.key.quoted) is written by the broker itself; not taken over")
                return nil
            }
            guard let text = header.value.plainText, header.value.content != .null else { return header }
            let value = Node(content: .string(text, isInterpolated: false), offset: header.value.offset)
            return Node.Member(key: header.key, keyOffset: header.keyOffset, value: value)
        }
        let object = Node(content: .object(kept), offset: member.value.offset)
        return Node.Member(key: "headers", keyOffset: member.keyOffset, value: object)
    }

    private func isInside(_ node: Node) -> Bool {
        guard case .string(let text, _) = node.content, let url = try? WebURL.parse(text) else { return false }
        return url.seemsInside
    }

    private func renamed(_ member: Node.Member, _ key: String) -> Node.Member {
        Node.Member(key: key, keyOffset: member.keyOffset, value: member.value)
    }

    private mutating func warn(_ offset: Int, _ text: String) { problems.warning(source.place(offset), text) }
}

extension Node {
    /// The same with all that is in it at one place.
    fileprivate func moved(to offset: Int) -> Node {
        switch content {
        case .array(let elements): Node(content: .array(elements.map { $0.moved(to: offset) }), offset: offset)
        case .object(let members):
            Node(
                content: .object(
                    members.map { Member(key: $0.key, keyOffset: offset, value: $0.value.moved(to: offset)) }),
                offset: offset)
        default: Node(content: content, offset: offset)
        }
    }
}

extension WebURL {
    /// Why its host is no public one; nil when it is one, or a name that may be anybody's.
    var insideKind: String? {
        if let address = IPAddress(host) { return address.reservedKind }
        // RFC 6761 §6.3.
        return host == "localhost" || host.hasSuffix(".localhost") ? "loopback" : nil
    }

    /// Its host is of a network of one's own as far as one can tell: it is so by itself, a bare name, or one of the names that never are
    /// public ones (RFC 6761, RFC 6762 with its appendix G, RFC 8375; `svc` is what Kubernetes has).
    var seemsInside: Bool {
        if insideKind != nil { return true }
        guard IPAddress(host) == nil, let last = host.split(separator: ".").last else { return false }
        let names = ["local", "test", "internal", "intranet", "private", "corp", "home", "lan", "svc"]
        return last == host || names.contains(String(last)) || host.hasSuffix(".home.arpa")
    }
}
