import BrokerCore
import PusherProtocol
import Wire

/// An endpoint of an app's webhooks as the file has it; it becomes one when its app is known.
struct WebhookDraft: Sendable, Equatable {
    /// Without one it is none; `Loader.checkWebhooks` tells.
    var url: WebURL?
    /// Everything else, under a name and a URL that stand for the ones that come.
    var endpoint = WebhookEndpoint(
        id: WebhookEndpointID(0), url: WebURL(isSecure: false, host: "-", port: 80, target: "/"))

    init() {}

    init(_ endpoint: WebhookEndpoint) {
        url = endpoint.url
        let blank = self.endpoint
        self.endpoint = endpoint
        (self.endpoint.id, self.endpoint.url) = (blank.id, blank.url)
    }

    /// Names of kinds that are.
    var events: [String] {
        get { WebhookKind.allCases.filter { endpoint.kinds.contains($0) }.map(\.name) }
        set {
            endpoint.kinds = WebhookKind.allCases.filter { newValue.contains($0.name) }
                .reduce(into: []) { $0.insert(WebhookKinds($1)) }
        }
    }

    var channelPrefix: String {
        get { String(decoding: endpoint.channelPrefix, as: UTF8.self) }
        set { endpoint.channelPrefix = Array(newValue.utf8) }
    }

    var channelSuffix: String {
        get { String(decoding: endpoint.channelSuffix, as: UTF8.self) }
        set { endpoint.channelSuffix = Array(newValue.utf8) }
    }

    /// Of an app that has them all and no other.
    static func endpoints(_ drafts: [WebhookDraft], app: String) -> [WebhookEndpoint] {
        struct Kin: Hashable {
            let url: WebURL
            let prefix, suffix: [UInt8]
        }
        var ordinals: [Kin: Int] = [:]
        return drafts.compactMap { draft in
            guard let url = draft.url else { return nil }
            var endpoint = draft.endpoint
            endpoint.url = url
            let kin = Kin(url: url, prefix: endpoint.channelPrefix, suffix: endpoint.channelSuffix)
            endpoint.id = WebhookEndpointID(
                app: app, url: url, prefix: kin.prefix, suffix: kin.suffix, ordinal: ordinals[kin, default: 0])
            ordinals[kin, default: 0] += 1
            return endpoint
        }
    }
}
