public import BrokerCore
internal import Crypto
public import PusherProtocol
internal import Wire

/// The request around an envelope.
extension Envelope {
    /// Field names that we write ourselves, or that say how a message is framed and a connection used; in lower case.
    private static let ownFields: Set<String> = [
        "host", "content-type", "content-length", "x-pusher-key", "x-pusher-signature",
        "x-starling-event-id", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect",
    ]

    /// The request that delivers events: the same bytes for the same arguments, so that a repeated one has the same signature.
    ///
    /// The names of fields are written as here: PHP's library looks for exactly these, and Node's for exactly this content type.
    /// - Parameters:
    ///   - events: of one app, in their order; never empty.
    ///   - key: the oldest active key of the app.
    ///   - version: ours, for `User-Agent`.
    public static func request(
        to endpoint: WebhookEndpoint, events: [WebhookEvent], key: AppKey, version: String = ""
    ) -> OutgoingRequest {
        let body = body(of: events)
        var out: [UInt8] = []
        out.reserveCapacity(512 + body.count)
        out.append(contentsOf: "POST \(endpoint.url.target) HTTP/1.1\r\nHost: \(endpoint.url.authority)\r\n".utf8)
        if !endpoint.headers.contains(where: { $0.name.lowercased() == "user-agent" }) {
            out.append(contentsOf: "User-Agent: Starling\(version.isEmpty ? "" : "/")\(version)\r\n".utf8)
        }
        out.append(text: "Content-Type: application/json\r\nContent-Length: ")
        JSON.appendInteger(body.count, to: &out)
        out.append(text: "\r\nX-Pusher-Key: ")
        out.append(contentsOf: key.key)
        out.append(text: "\r\nX-Pusher-Signature: ")
        key.secret.sign(body.span).appendHex(to: &out)
        out.append(text: "\r\nX-Starling-Event-Id: ")
        out.append(contentsOf: events.map(\.id.description).joined(separator: ", ").utf8)
        out.append(text: "\r\n")
        for header in endpoint.headers where isSendable(header) {
            out.append(contentsOf: "\(header.name): \(header.value)\r\n".utf8)
        }
        out.append(text: "\r\n")
        out.append(contentsOf: body)
        return OutgoingRequest(endpoint: endpoint, bytes: out)
    }

    /// A configured header that is neither ours nor anything but one field (RFC 9110 §5.1, §5.5). Configuration says so to the operator.
    private static func isSendable(_ header: WebhookEndpoint.Header) -> Bool {
        guard !header.name.isEmpty, header.name.utf8.allSatisfy(isTokenByte) else { return false }
        guard header.value.utf8.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }) else { return false }
        return !ownFields.contains(header.name.lowercased())
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
