import BrokerCore
import Crypto
import PusherProtocol
import TestSupport
import Testing
import Wire

@testable import Webhooks

/// The bytes that receivers get (Pusher protocol §7.1, §7.2; PW-167, PW-168, PW-171, PW-172).
@Suite("The request of a webhook") struct EnvelopeTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// An event of a frame, as the broker makes it.
    private static func event(
        _ name: String, _ data: String, socketID: SocketID? = nil, userID: String? = nil
    ) -> ChannelEdge.Event {
        let json = bytes(#"{"event":\#(name),"channel":"c","data":\#(data)}"#)
        let nameEnd = 9 + name.utf8.count
        return ChannelEdge.Event(
            json: json, name: 9..<nameEnd, data: json.count - 1 - data.utf8.count..<json.count - 1, socketID: socketID,
            userID: userID.map(bytes), origin: .local)
    }

    private static func happening(
        _ kind: WebhookKind, _ channel: String = "", _ payload: Happening.Payload = .none
    ) -> Happening {
        Happening(app: 0, kind: kind, channel: bytes(channel), milliseconds: 0, payload: payload)
    }

    static let rows: [Row<(Happening, String)>] = [
        Row("occupied", (happening(.channelOccupied, "open"), #"{"name":"channel_occupied","channel":"open"}"#)),
        Row(
            "vacated",
            (happening(.channelVacated, "private-=@,.;_-"), #"{"name":"channel_vacated","channel":"private-=@,.;_-"}"#)),
        Row(
            "a member's id is a string though it was a number",
            (
                happening(.memberAdded, "presence-a", .user(bytes("7"))),
                #"{"name":"member_added","channel":"presence-a","user_id":"7"}"#
            )),
        Row(
            "a hostile id",
            (
                happening(.memberRemoved, "presence-a", .user(bytes("\"},\\\u{1}é\u{1F600}"))),
                #"{"name":"member_removed","channel":"presence-a","user_id":"\"},\\\u0001é😀"}"#
            )),
        Row(
            "a client event of a private channel",
            (
                happening(
                    .clientEvent, "private-a",
                    .clientEvent(event(#""client-\"x""#, #""{\"a\":1}""#, socketID: SocketID(high: 12, low: 34)))),
                #"{"name":"client_event","channel":"private-a","event":"client-\"x","data":"{\"a\":1}","socket_id":"12.34"}"#
            )),
        Row(
            "a client event of a presence channel",
            (
                happening(
                    .clientEvent, "presence-a",
                    .clientEvent(event(#""client-x""#, #""""#, socketID: SocketID(high: 1, low: 2), userID: "u\"1"))),
                #"{"name":"client_event","channel":"presence-a","event":"client-x","data":"","socket_id":"1.2","user_id":"u\"1"}"#
            )),
        Row(
            "half a surrogate pair",
            (
                happening(.clientEvent, "private-a", .clientEvent(event(#""client-x""#, #""a\ud800b""#))),
                #"{"name":"client_event","channel":"private-a","event":"client-x","data":"a\ufffdb"}"#
            )),
        Row("a miss", (happening(.cacheMiss, "cache-a"), #"{"name":"cache_miss","channel":"cache-a"}"#)),
        Row(
            "a count",
            (
                happening(.subscriptionCount, "open", .count(120)),
                #"{"name":"subscription_count","channel":"open","subscription_count":120}"#
            )),
        Row("online", (happening(.userOnline, "", .user(bytes("7"))), #"{"name":"user_online","user_id":"7"}"#)),
        Row(
            "refused",
            (
                happening(
                    .connectionRefused, "",
                    .refusal(.init(code: 4009, reason: "The origin \"x\"\n is not allowed", address: "2001:db8::1"))),
                #"{"name":"connection_refused","code":4009,"reason":"The origin \"x\"\n is not allowed","address":"2001:db8::1"}"#
            )),
        Row(
            "slow",
            (
                happening(
                    .slowConsumer, "",
                    .slowConsumer(
                        .init(
                            socketID: SocketID(high: 1, low: 2), reason: "Too slow", address: "192.0.2.1",
                            backlogBytes: 99))),
                #"{"name":"slow_consumer","socket_id":"1.2","reason":"Too slow","address":"192.0.2.1","backlog_bytes":99}"#
            )),
    ]

    @Test(arguments: rows) func anEventIsOneObject(_ row: Row<(Happening, String)>) throws {
        let (happening, expected) = row.value
        let object = Envelope.object(of: happening)
        #expect(String(decoding: object, as: UTF8.self) == expected)
        _ = try members(of: object)
    }

    @Test func whatWasLeftOutIsTold() {
        var happening = Self.happening(.connectionRefused, "", .refusal(.init(code: 1, reason: "r", address: "a")))
        happening.leftOut = 3
        let text = String(decoding: Envelope.object(of: happening), as: UTF8.self)
        #expect(text == #"{"name":"connection_refused","code":1,"reason":"r","address":"a","left_out":3}"#)
    }

    static let repairs: [Row<(String, String)>] = [
        Row("nothing to do", (#""a\\ud800\n\u0041\u00e9""#, #""a\\ud800\n\u0041\u00e9""#)),
        Row("a pair", (#""\ud83d\ude00""#, #""\ud83d\ude00""#)),
        Row("in capitals", (#""\uD83D\uDE00\uD83D""#, #""\uD83D\uDE00\ufffd""#)),
        Row("a high half at the end", (#""x\udbff""#, #""x\ufffd""#)),
        Row("a low half", (#""\udc00x""#, #""\ufffdx""#)),
        Row("two high halves", (#""\ud800\ud800""#, #""\ufffd\ufffd""#)),
        Row("a high half before a pair", (#""\ud800\ud83d\ude00""#, #""\ufffd\ud83d\ude00""#)),
        Row("the wrong way round", (#""\ude00\ud83d""#, #""\ufffd\ufffd""#)),
        Row("a high half before another escape", (#""\ud800\n\ud800\\""#, #""\ufffd\n\ufffd\\""#)),
        Row("just outside", (#""\ud7ff\ue000""#, #""\ud7ff\ue000""#)),
    ]

    @Test(arguments: repairs) func halvesOfPairsAreReplaced(_ row: Row<(String, String)>) throws {
        var out: [UInt8] = []
        let literal = Self.bytes(row.value.0)
        LiteralRepair.append(literal.span, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == row.value.1)
        var cursor = JSONCursor()
        #expect(try !cursor.value(out.span).hasLoneSurrogate)
    }

    /// What Wire reads must be what was put in.
    @Test(arguments: 0..<200) func anyTextComesBack(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let user = random.text(random.int(0...40))
        let data = random.text(random.oneIn(10) ? 10_240 : random.int(0...60))
        var literal: [UInt8] = []
        JSON.appendQuoted(data.span, to: &literal)
        let event = Self.event(
            #""client-e""#, String(decoding: literal, as: UTF8.self), socketID: SocketID(high: 1, low: 2),
            userID: String(decoding: user, as: UTF8.self))
        let object = Envelope.object(of: Self.happening(.clientEvent, "presence-a", .clientEvent(event)))
        let found = try members(of: object)
        #expect(found["data"] == data && found["user_id"] == user && found["event"] == Self.bytes("client-e"))
        #expect(found["socket_id"] == Self.bytes("1.2") && found["name"] == Self.bytes("client_event"))
        let reason = String(decoding: random.text(30), as: UTF8.self)
        let refused = Envelope.object(
            of: Self.happening(.connectionRefused, "", .refusal(.init(code: 1, reason: reason, address: "unix"))))
        #expect(try members(of: refused)["reason"] == Self.bytes(reason))
    }

    /// The text of each string of an object, and nil of what is none.
    private func members(of object: [UInt8]) throws -> [String: [UInt8]?] {
        var members: [String: [UInt8]?] = [:]
        var cursor = JSONCursor()
        try cursor.beginObject(object.span)
        while let (key, value) = try cursor.nextMember(object.span) {
            var (name, text): ([UInt8], [UInt8]) = ([], [])
            #expect(JSON.appendDecoded(key, in: object.span, to: &name))
            let isText = value.kind == .string && JSON.appendDecoded(value, in: object.span, to: &text)
            let isNew = members.updateValue(isText ? text : nil, forKey: String(decoding: name, as: UTF8.self)) == nil
            #expect(isNew, "no member is there twice")
        }
        try cursor.finish(object.span)
        return members
    }

    // MARK: Requests

    private static func endpoint(_ headers: [(String, String)] = []) -> WebhookEndpoint {
        let url = WebURL(isSecure: true, host: "example.com", port: 8443, target: "/hook?token=1")
        var endpoint = WebhookEndpoint(id: WebhookEndpointID(1), url: url)
        endpoint.headers = headers.map { .init(name: $0.0, value: $0.1) }
        return endpoint
    }

    private static func events(_ count: Int) -> [WebhookEvent] {
        (0..<count).map {
            WebhookEvent(
                id: .init(run: 0x3F9C, number: 0x1A2 + UInt64($0)), kind: .channelOccupied, app: "a",
                channel: bytes("open"), unixMilliseconds: 1_700_000_000_123 + Int64($0),
                json: Envelope.object(of: happening(.channelOccupied, "open-\($0)")))
        }
    }

    private static let key = AppKey(key: "278d425bdf160c739803", secret: "7ad3773142a6692b25b8")

    @Test func theRequestIsTheseBytes() {
        let request = Envelope.request(to: Self.endpoint(), events: Self.events(2), key: Self.key, version: "0.9")
        let body =
            #"{"time_ms":1700000000123,"events":[{"name":"channel_occupied","channel":"open-0"},{"name":"channel_occupied","channel":"open-1"}]}"#
        // printf BODY | openssl dgst -sha256 -hmac 7ad3773142a6692b25b8
        let signature = "99c87f54cac7fd0fef72fc60cbcd03382dd5bb3d9f85d65dea61d884a53792f1"
        let expected = [
            "POST /hook?token=1 HTTP/1.1", "Host: example.com:8443", "User-Agent: Starling/0.9",
            "Content-Type: application/json", "Content-Length: 130", "X-Pusher-Key: 278d425bdf160c739803",
            "X-Pusher-Signature: \(signature)", "X-Starling-Event-Id: 0000000000003f9c-1a2, 0000000000003f9c-1a3", "",
            body,
        ]
        #expect(String(decoding: request.bytes, as: UTF8.self) == expected.joined(separator: "\r\n"))
        #expect(request.endpoint == Self.endpoint())
    }

    /// Python: `hmac.new(secret, body, 'sha256').hexdigest()`; its library compares it, and `time_ms / 1000` with the clock.
    @Test func theSignatureIsOfTheBodyThatIsSent() throws {
        let request = Envelope.request(to: Self.endpoint(), events: Self.events(1), key: Self.key)
        let text = String(decoding: request.bytes, as: UTF8.self)
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1).map(String.init)
        var hex: [UInt8] = []
        Self.key.secret.sign(Self.bytes(parts[1]).span).appendHex(to: &hex)
        #expect(parts[0].contains("\r\nX-Pusher-Signature: " + String(decoding: hex, as: UTF8.self)))
        #expect(parts[0].contains("\r\nUser-Agent: Starling\r\n"))
        #expect(parts[0].hasSuffix("\r\nX-Starling-Event-Id: 0000000000003f9c-1a2"))
    }

    @Test func customHeadersCannotTakeOurPlace() {
        let hostile = [
            ("X-Custom", "yes: \"é\"\t"), ("x-pusher-key", "no"), ("X-PUSHER-SIGNATURE", "no"), ("content-type", "no"),
            ("Content-Length", "0"), ("host", "no"), ("X-Starling-Event-ID", "no"),
            ("Transfer-Encoding", "chunked"), ("Connection", "close"), ("X-A\r\nX-B", "no"), ("X-C", "no\r\nX-D: no"),
            ("", "no"), ("X E", "no"), ("X-F:", "no"), ("X-G", "no\u{0}"), ("Authorization", "Bearer 1"),
        ]
        let request = Envelope.request(to: Self.endpoint(hostile), events: Self.events(1), key: Self.key)
        let plain = Envelope.request(to: Self.endpoint(), events: Self.events(1), key: Self.key)
        let text = String(decoding: request.bytes, as: UTF8.self)
        let added = "\r\nX-Custom: yes: \"é\"\t\r\nAuthorization: Bearer 1\r\n\r\n{"
        #expect(text.contains(added))
        #expect(request.bytes.count == plain.bytes.count + added.utf8.count - 5)
    }

    @Test func whoeverWritesAUserAgentHasThatOneAlone() {
        let request = Envelope.request(
            to: Self.endpoint([("user-AGENT", "shop/1")]), events: Self.events(1), key: Self.key)
        let lines = String(decoding: request.bytes, as: UTF8.self).split(separator: "\r\n")
        #expect(lines.filter { $0.lowercased().hasPrefix("user-agent:") } == ["user-AGENT: shop/1"])
    }

    @Test func theSameEventsMakeTheSameBytes() {
        let requests = (0..<2).map { _ in
            Envelope.request(to: Self.endpoint(), events: Self.events(3), key: Self.key, version: "1")
        }
        #expect(requests[0] == requests[1])
    }
}
