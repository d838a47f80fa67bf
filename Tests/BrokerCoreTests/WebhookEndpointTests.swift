import BrokerCore
import PusherProtocol
import Testing
import Wire

@Suite("Endpoints of webhooks") struct WebhookEndpointTests {
    static let url = WebURL(isSecure: true, host: "a.example", port: 443, target: "/hook?x=1")

    @Test("an endpoint's name is the beginning of a SHA-256, so that it lasts") func theName() {
        // printf 'app-id\0https://a.example/hook?x=1\0%d' 0 | sha256sum
        #expect(WebhookEndpointID(app: "app-id", url: Self.url, ordinal: 0).value == 0xD24C5E83B37F1B45)
        #expect(WebhookEndpointID(app: "app-id", url: Self.url, ordinal: 12).value == 0x084C54BCB211F2DB)
    }

    @Test func anotherAppURLOrOrdinalIsAnotherEndpoint() {
        var other = Self.url
        other.port = 8443
        let names = [
            WebhookEndpointID(app: "a", url: Self.url, ordinal: 0),
            WebhookEndpointID(app: "b", url: Self.url, ordinal: 0),
            WebhookEndpointID(app: "a", url: other, ordinal: 0), WebhookEndpointID(app: "a", url: Self.url, ordinal: 1),
            WebhookEndpointID(app: "a", url: Self.url, prefix: [0x61], ordinal: 0),
            WebhookEndpointID(app: "a", url: Self.url, suffix: [0x61], ordinal: 0),
        ]
        #expect(Set(names).count == names.count)
    }

    @Test func anAppThatIsDisabledOrRemovedHasNoneInForce() throws {
        var settings = AppSettings(id: "a", keys: [.init(key: "k", secret: "s")])
        settings.webhooks = [WebhookEndpoint(id: WebhookEndpointID(1), url: Self.url)]
        let broker = SharedBroker(
            settings: [settings], loopCount: 1,
            secrets: BrokerSecrets(names: SecretKey(1, 2), socketIDs: SecretKey(3, 4)), headroomBytes: 0)
        func webhooks(_ apps: [AppSettings]) throws -> Int? {
            try broker.replaceApps(apps).apps.first?.settings.webhooks.count
        }
        #expect(broker.apps.first?.settings.webhooks.count == 1)
        var closed = settings
        closed.isEnabled = false
        #expect(try webhooks([closed]) == 0, "disabled")
        #expect(try webhooks([settings]) == 1, "enabled again")
        #expect(try webhooks([]) == 0, "removed")
        #expect(try webhooks([settings]) == 1, "back")
    }
}
