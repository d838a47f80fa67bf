import BrokerCore
import Wire

extension ServerSettings {
    /// Everything that no log line may show.
    public var secrets: [String] {
        apps.flatMap { app in app.keys.map(\.secret) + app.webhooks.flatMap(\.secrets) } + [metrics.token]
    }
}

extension WebhookEndpoint {
    /// Headers that say who asks and what he takes, and nothing that opens a door.
    private static let openHeaders: Set<String> = ["accept", "accept-language", "user-agent"]

    /// Values of headers and of the query, whole and in their words: where one is repeated, the rest of it may not be.
    fileprivate var secrets: [String] {
        let values = headers.filter { !Self.openHeaders.contains($0.name.lowercased()) }.map(\.value)
        let query = url.target.firstIndex(of: "?").map { url.target[$0...].dropFirst() } ?? ""
        let members = query.split(separator: "&").map { member in
            String(member.firstIndex(of: "=").map { member[$0...].dropFirst() } ?? member)
        }
        return values + values.flatMap { $0.split(separator: " ").map(String.init) } + [String(query)] + members
    }
}
