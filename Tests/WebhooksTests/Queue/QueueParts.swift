import BrokerCore
import PusherProtocol
import Wire

@testable import Webhooks

/// What tests of the queues are made of.
enum QueueParts {
    static func endpoint(
        _ number: UInt64, batchMilliseconds: Int = 0, batchEventsMax: Int = 10
    ) -> WebhookEndpoint {
        var endpoint = WebhookEndpoint(
            id: WebhookEndpointID(number),
            url: WebURL(isSecure: false, host: "h\(number)", port: 80, target: "/"))
        (endpoint.batchMilliseconds, endpoint.batchEventsMax) = (batchMilliseconds, batchEventsMax)
        return endpoint
    }

    static func target(_ endpoint: WebhookEndpoint, app: String = "shop") -> DeliveryTarget {
        DeliveryTarget(endpoint: endpoint, app: app, key: AppKey(key: "k", secret: "s"))
    }

    static func event(_ number: UInt64, bytes: Int = 2, unix: Int64 = 0) -> WebhookEvent {
        WebhookEvent(
            id: .init(run: 7, number: number), kind: .channelOccupied, app: "shop", channel: [0x63],
            unixMilliseconds: unix, json: Array(repeating: 0x7B, count: bytes))
    }

    static func waiting(_ number: UInt64, at milliseconds: UInt64, bytes: Int = 2) -> WaitingEvent {
        WaitingEvent(
            event: event(number, bytes: bytes), sinceMilliseconds: milliseconds, queuedMilliseconds: milliseconds)
    }

    /// Numbers of the events, and a counter that makes each request another.
    final class Maker {
        var made = 0

        func make(_ target: DeliveryTarget, _ events: [WebhookEvent]) -> OutgoingRequest {
            made += 1
            let text = events.map { String($0.id.number) }.joined(separator: ",") + ";\(made)"
            return OutgoingRequest(endpoint: target.endpoint, bytes: Array(text.utf8))
        }
    }

    /// The numbers that a request of `Maker`'s is about.
    static func numbers(_ request: OutgoingRequest) -> [UInt64] {
        let text = String(decoding: request.bytes, as: UTF8.self).split(separator: ";")[0]
        return text.split(separator: ",").compactMap { UInt64($0) }
    }

    static let ok = AttemptOutcome.answered(status: 200, retryAfterSeconds: nil)
    static let no = AttemptOutcome.answered(status: 500, retryAfterSeconds: nil)
}
