import Testing
import Webhooks

@Suite("Webhook events")
struct WebhookEventTests {
    @Test("An id is written in one form and read back from it alone")
    func identifiers() {
        let id = WebhookEvent.ID(run: 0x3F9C, number: 0x1A2)
        #expect(id.description == "0000000000003f9c-1a2")
        #expect(WebhookEvent.ID("0000000000003f9c-1a2") == id)
        for text in [
            "", "-", "3f9c-1a2", "0000000000003f9c", "0000000000003F9C-1a2", "0000000000003f9c-01a2",
            "+000000000003f9c-1",
        ] {
            #expect(WebhookEvent.ID(text) == nil, "\(text)")
        }
    }
}
