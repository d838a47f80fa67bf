import BrokerCore
import Wire

/// The value of an option, apart from where it is stored.
enum OptionValue: Sendable, Equatable {
    case text(String)
    case boolean(Bool)
    case integer(Int)
    /// `nil`: unlimited, written -1.
    case limit(Int?)
    case list([String])
    /// A list that is mostly one text, and then written as one.
    case texts([String])
    case objects([ObjectValue])
    case networks(NetworkList)
    case memory(MemoryLimit)
    case url(WebURL?)
    case headers([WebhookEndpoint.Header])

    /// As in a configuration file. Secrets are hidden unless asked for.
    func json(showingSecrets: Bool = false) -> JSONText {
        switch self {
        case .text(let text): .string(text)
        case .memory(.bytes(let bytes)): .literal(String(bytes))
        case .memory(let limit): .string(limit.text)
        case .boolean(let isTrue): .literal(isTrue ? "true" : "false")
        case .integer(let number): .literal(String(number))
        case .limit(let number): .literal(number.map(String.init) ?? "-1")
        case .list(let texts): .array(texts.map(JSONText.string))
        case .texts(let texts): texts.count == 1 ? .string(texts[0]) : .array(texts.map(JSONText.string))
        case .networks(let list):
            list.isEveryone || list.isNobody
                ? .literal(list.isEveryone ? "true" : "false") : .array(list.elements.map(JSONText.string))
        case .objects(let elements): .array(elements.map { $0.json(showingSecrets: showingSecrets) })
        case .url(let url): .string(url.map { showingSecrets ? $0.text : $0.shown } ?? "")
        case .headers(let headers):
            .object(headers.map { ($0.name, .string(showingSecrets ? $0.value : OptionValue.redacted)) })
        }
    }

    /// The value of a secret option where secrets are hidden: as much of it as anybody may know.
    var hidden: JSONText {
        switch self {
        case .text(let text): .string(text.isEmpty ? "" : OptionValue.redacted)
        default: json()
        }
    }

    static let redacted = "********"
}
