import Arguments
import PusherProtocol

/// What the elements of a list are. Every list says it in its row of the table, so that an element which could never match
/// anything is told at the start, and all others have one form.
enum ListElement: Sendable {
    /// An id of an app.
    case identifier
    /// A page that may connect.
    case origin
    /// What is listened on.
    case host
    /// What a webhook tells.
    case webhookEvent

    func parse(_ text: String) -> Result<String, ValueError> {
        switch self {
        case .identifier:
            Identifier.fault(of: text, as: .id).map { .failure(ValueError(text: $0)) } ?? .success(text)
        case .origin: OriginPattern.parse(text)
        case .host: ListenAddress.parse(text).map(\.text)
        case .webhookEvent: Self.webhookEvent(text)
        }
    }

    private static func webhookEvent(_ text: String) -> Result<String, ValueError> {
        let names = WebhookKind.allCases.map(\.name)
        guard !names.contains(text) else { return .success(text) }
        let meant = NearestName.hint(text, in: names)
        return .failure(
            ValueError(
                text: "\(text.quoted) is no event of webhooks"
                    + (meant.isEmpty ? "; those are \(names.joined(separator: ", "))" : meant)))
    }
}
