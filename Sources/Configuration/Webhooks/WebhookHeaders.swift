import BrokerCore
import Wire

/// The header fields that an endpoint of webhooks gets besides those that we write (RFC 9110 §5).
enum WebhookHeaders {
    static let countMax = 32
    private static let nameBytesMax = 128
    private static let valueBytesMax = 8_192

    /// Written by us, or about the connection and the framing of the body, which are ours. `User-Agent` and `Accept` may be other ones.
    private static let ours: Set<String> = [
        "host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "keep-alive",
        "proxy-connection", "te", "trailer", "expect", "upgrade",
    ]
    private static let ourPrefixes = ["x-pusher-", "x-starling-"]

    /// Those of an object of a file, in its order, or what is wrong with the first that is none.
    static func read(_ members: [Node.Member]) -> Result<[WebhookEndpoint.Header], ValueError> {
        guard members.count <= countMax else {
            return .failure(ValueError(text: "has \(members.count) headers, and may have \(countMax)"))
        }
        var headers: [WebhookEndpoint.Header] = []
        var names: Set<String> = []
        for member in members {
            if let fault = fault(ofName: member.key) {
                return .failure(ValueError(text: fault, offset: member.keyOffset))
            }
            guard names.insert(member.key.lowercased()).inserted else {
                let text = "\(member.key.quoted) is given twice; names of headers differ by more than case"
                return .failure(ValueError(text: text, offset: member.keyOffset))
            }
            guard case .string(let value, _) = member.value.content else {
                let text = "the value of \(member.key.quoted) must be text, not \(member.value.kindName)"
                return .failure(ValueError(text: text, offset: member.value.offset))
            }
            if let fault = fault(ofValue: value, name: member.key) {
                return .failure(ValueError(text: fault, offset: member.value.offset))
            }
            headers.append(.init(name: member.key, value: value))
        }
        return .success(headers)
    }

    /// Whether a name is one of those that nobody else may write.
    static func isOurs(_ name: String) -> Bool {
        let name = name.lowercased()
        return ours.contains(name) || ourPrefixes.contains(where: name.hasPrefix)
    }

    private static func fault(ofName name: String) -> String? {
        let isToken = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        guard isToken, (1...nameBytesMax).contains(name.utf8.count) else {
            return "\(name.quoted) is no name of a header: 1 to \(nameBytesMax) letters, digits and !#$%&'*+-.^_`|~"
        }
        return isOurs(name) ? "\(name.quoted) is written by the broker itself; leave it out" : nil
    }

    /// Shows nothing of the value, which may be a secret.
    private static func fault(ofValue value: String, name: String) -> String? {
        guard value.utf8.count <= valueBytesMax else {
            return "the value of \(name.quoted) has \(value.utf8.count) bytes, and may have \(valueBytesMax)"
        }
        let isLegal = value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
        guard !isLegal else { return nil }
        let ending = value.trimmed == value ? "" : "; one at its end may come from the file it was read from"
        return "the value of \(name.quoted) has a line end or another control character in it\(ending)"
    }
}
