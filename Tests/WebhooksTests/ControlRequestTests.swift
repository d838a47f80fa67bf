import BrokerCore
import PusherProtocol
import TestSupport
import Testing
import Wire

@testable import Webhooks

@Suite("What is asked over the control socket")
struct ControlRequestTests {
    static let endpoint = WebhookEndpointID(0x00AB_0000_0000_0012)
    static let event = WebhookEvent.ID(run: 0x3F9C, number: 0x1A2)
    static let url = WebURL(isSecure: true, host: "example.com", port: 8443, target: "/hooks?token=a%20b")

    static let requests: [Row<ControlRequest>] = [
        Row("all endpoints", .endpoints(app: nil)),
        Row("those of an app whose id is odd", .endpoints(app: "a b&c=d%ü")),
        Row("an endpoint", .explain(.endpoint(endpoint))),
        Row("an event", .explain(.event(event))),
        Row("attempts", .attempts(app: nil, limit: 1_000)),
        Row("one attempt of an app", .attempts(app: "app-id", limit: 1)),
        Row("retry all", .retry(.all)),
        Row("retry an endpoint", .retry(.one(.endpoint(endpoint)))),
        Row("purge all", .purge(.all)),
        Row("purge an event", .purge(.one(.event(event)))),
        Row("test", .test(url, app: nil, allowsPrivate: false)),
        Row("test in the name of an app", .test(url, app: "quo\"ted\n", allowsPrivate: true)),
    ]

    @Test("What is written is read back", arguments: requests)
    func roundTrip(_ row: Row<ControlRequest>) throws {
        let message = row.value.message
        let head = try #require(try HTTPRequestParser.parse(message.span, limits: HTTPLimits()))
        let length = if case .length(let length) = head.body { length } else { 0 }
        #expect(head.headBytes + length == message.count)
        #expect(try Self.parse(message) == row.value)
    }

    struct Fault: Sendable {
        var method: String, target: String, body: String, status: Int, text: String
        init(_ method: String, _ target: String, _ status: Int, _ text: String, body: String = "") {
            (self.method, self.target, self.body, self.status, self.text) = (method, target, body, status, text)
        }
    }

    static let idText =
        "An ID has 16 digits of base 16 (an endpoint's), or those, a dash and up to 16 more (an event's)"
    static let faults: [Row<Fault>] = [
        Row("nothing", Fault("GET", "/", 404, "There is nothing here but /webhooks and what is below it")),
        Row("elsewhere", Fault("GET", "/metrics", 404, "There is nothing here but /webhooks and what is below it")),
        Row("too deep", Fault("GET", "/webhooks/a/b", 404, "There is nothing here but /webhooks and what is below it")),
        Row("a write by reading", Fault("GET", "/webhooks/retry", 405, "It is asked with POST here")),
        Row("a read by writing", Fault("POST", "/webhooks", 405, "It is asked with GET here", body: "{}")),
        Row("an ID by writing", Fault("DELETE", "/webhooks/00ab000000000012", 405, "It is asked with GET here")),
        Row("no ID", Fault("GET", "/webhooks/12", 400, idText)),
        Row("an ID in capitals", Fault("GET", "/webhooks/00AB000000000012", 400, idText)),
        Row("a body where none is", Fault("GET", "/webhooks", 400, "A GET has no body here", body: "{}")),
        Row("an unknown field", Fault("GET", "/webhooks?apps=x", 400, "\"apps\" is not known here")),
        Row("a field of another question", Fault("GET", "/webhooks?limit=5", 400, "\"limit\" is not known here")),
        Row(
            "a field that an ID has not",
            Fault("GET", "/webhooks/00ab000000000012?app=x", 400, "\"app\" is not known here")),
        Row("a field twice", Fault("GET", "/webhooks?app=x&app=y", 400, "\"app\" is there twice")),
        Row("half an escape", Fault("GET", "/webhooks?app=%4", 400, "The query has a % without two digits behind it")),
        Row("no attempts", Fault("GET", "/webhooks/attempts?limit=0", 400, "\"limit\" is a number from 1 to 1000")),
        Row("too many", Fault("GET", "/webhooks/attempts?limit=1001", 400, "\"limit\" is a number from 1 to 1000")),
        Row("neither", Fault("POST", "/webhooks/retry", 400, "One of \"id\" and \"all\": true is wanted", body: "{}")),
        Row(
            "both",
            Fault(
                "POST", "/webhooks/purge", 400, "One of \"id\" and \"all\": true is wanted",
                body: "{\"all\":true,\"id\":\"00ab000000000012\"}")),
        Row(
            "not all",
            Fault("POST", "/webhooks/purge", 400, "One of \"id\" and \"all\": true is wanted", body: "{\"all\":false}")),
        Row("a number", Fault("POST", "/webhooks/purge", 400, "\"id\" is a text, or true", body: "{\"id\":12}")),
        Row(
            "no object",
            Fault("POST", "/webhooks/purge", 400, "Invalid JSON: an object was expected (byte 0)", body: "[]")),
        Row(
            "no body",
            Fault("POST", "/webhooks/purge", 400, "Invalid JSON: the text ends inside a value (byte 0)", body: "")),
        Row(
            "more than all",
            Fault("POST", "/webhooks/retry", 400, "\"app\" is not known here", body: "{\"all\":true,\"app\":\"x\"}")),
        Row("no URL", Fault("POST", "/webhooks/test", 400, "The member \"url\" is missing", body: "{\"app\":\"x\"}")),
        Row(
            "another scheme",
            Fault(
                "POST", "/webhooks/test", 400, "The URL must begin with https:// or http://",
                body: "{\"url\":\"ftp://example.com/\"}")),
        Row(
            "half a character",
            Fault(
                "POST", "/webhooks/test", 400, "A text has half of a surrogate pair in it",
                body: "{\"url\":\"\\ud800\"}")),
    ]

    @Test("What cannot be asked is told why", arguments: faults)
    func refusal(_ row: Row<Fault>) {
        let fault = row.value
        let message =
            "\(fault.method) \(fault.target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(fault.body.utf8.count)\r\n\r\n\(fault.body)"
        #expect(throws: ControlReply.failure(fault.status, fault.text)) { try Self.parse(Array(message.utf8)) }
    }

    @Test("A plus in a query is a blank")
    func plus() throws {
        let message = "GET /webhooks?app=a+b HTTP/1.1\r\nHost: x\r\n\r\n"
        #expect(try Self.parse(Array(message.utf8)) == .endpoints(app: "a b"))
    }

    private static func parse(_ message: [UInt8]) throws -> ControlRequest {
        let head = try #require(try HTTPRequestParser.parse(message.span, limits: HTTPLimits()))
        return try ControlRequest.parse(
            head.method, path: message.span.extracting(head.path), query: message.span.extracting(head.query),
            body: message.span.extracting(head.headBytes..<message.count))
    }
}

@Suite("What is answered over the control socket")
struct ControlReplyTests {
    static let endpoint = WebhookEndpointID(0x12)
    static let event = WebhookEvent(
        id: WebhookEvent.ID(run: 1, number: 0x1F), kind: .memberAdded, app: "app",
        channel: Array("presence-\"a\"".utf8),
        unixMilliseconds: 1_500, json: Array("{\"name\":\"member_added\"}".utf8))

    static func attempt(_ outcome: AttemptOutcome) -> AttemptRecord {
        AttemptRecord(
            unixMilliseconds: 2_000, app: "app", endpoint: endpoint, first: event.id, events: 3, attempt: 2,
            milliseconds: 17, outcome: outcome)
    }

    static let head =
        "{\"time\":2000,\"app\":\"app\",\"endpoint\":\"0000000000000012\",\"event\":\"0000000000000001-1f\",\"events\":3,"
        + "\"attempt\":2,\"milliseconds\":17,"

    static let outcomes: [Row<(AttemptOutcome, String)>] = [
        Row("taken", (.answered(status: 204, retryAfterSeconds: nil), "\"result\":\"delivered\",\"status\":204}")),
        Row(
            "busy",
            (
                .answered(status: 503, retryAfterSeconds: 30),
                "\"result\":\"refused\",\"status\":503,\"retryAfterSeconds\":30}"
            )),
        Row(
            "hanging",
            (
                .failed(AttemptFailure(.timeout, "no answer within 4 s")),
                "\"result\":\"failed\",\"failure\":\"timeout\",\"text\":\"no answer within 4 s\"}"
            )),
    ]

    @Test("An attempt tells how it ended", arguments: outcomes)
    func attempts(_ row: Row<(AttemptOutcome, String)>) {
        let reply = ControlReply.attempts([Self.attempt(row.value.0)])
        #expect(reply.status == 200)
        #expect(text(reply) == "{\"attempts\":[\(Self.head)\(row.value.1)]}")
    }

    @Test("An endpoint tells what waits, and nothing secret")
    func endpoints() {
        var report = EndpointReport(id: Self.endpoint, app: "app", url: "https://example.com/?…")
        (report.waiting, report.oldestMilliseconds, report.deadLetters, report.failures) = (3, 1_200, 2, 4)
        let same =
            "{\"id\":\"0000000000000012\",\"app\":\"app\",\"url\":\"https://example.com/?…\",\"waiting\":3,"
            + "\"oldestMilliseconds\":1200,\"deadLetters\":2,\"failures\":4,\"retryMilliseconds\":"
        #expect(text(.endpoints([report])) == "{\"endpoints\":[\(same)null,\"removed\":false}]}")
        (report.retryMilliseconds, report.isRemoved) = (900, true)
        #expect(
            text(.endpoints([report, report]))
                == "{\"endpoints\":[\(same)900,\"removed\":true},\(same)900,\"removed\":true}]}")
        #expect(text(.endpoints([])) == "{\"endpoints\":[]}")

        var settings = WebhookEndpoint(
            id: Self.endpoint, url: WebURL(isSecure: true, host: "example.com", port: 443, target: "/?token"))
        settings.headers = [.init(name: "Authorization", value: "Bearer hush")]
        settings.kinds = [WebhookKinds(.memberAdded), WebhookKinds(.slowConsumer)]
        settings.channelPrefix = Array("presence-".utf8)
        let letter = DeadLetter(
            event: Self.event, endpoint: Self.endpoint, unixMilliseconds: 9_000, reason: "it was 500")
        let shown = text(.endpoint(report, settings: settings, deadLetters: [letter], attempts: []))
        #expect(
            shown
                == "{\"endpoint\":\(same)900,\"removed\":true},\"settings\":{\"events\":[\"member_added\",\"slow_consumer\"],"
                + "\"channelPrefix\":\"presence-\",\"channelSuffix\":\"\",\"headers\":[\"Authorization\"],"
                + "\"batchMilliseconds\":0,\"batchEvents\":10,\"timeoutSeconds\":4,\"allowPrivate\":false},"
                + "\"deadLetters\":[{\"event\":\"0000000000000001-1f\",\"name\":\"member_added\","
                + "\"channel\":\"presence-\\\"a\\\"\",\"happened\":1500,\"time\":9000,\"reason\":\"it was 500\"}],"
                + "\"attempts\":[]}")
        #expect(!shown.contains("hush"))
        #expect(text(.endpoint(report, settings: nil, deadLetters: [], attempts: [])).contains("},\"deadLetters\":[]"))
    }

    @Test("An event tells what it is and where")
    func events() {
        let places = [
            EventPlace(endpoint: Self.endpoint, url: "http://a/", state: .waiting),
            EventPlace(endpoint: Self.endpoint, url: "http://b/", state: .dead, reason: "it was 500"),
        ]
        #expect(
            text(.event(Self.event, places)) == "{\"event\":{\"id\":\"0000000000000001-1f\",\"app\":\"app\","
                + "\"name\":\"member_added\",\"channel\":\"presence-\\\"a\\\"\",\"happened\":1500,"
                + "\"json\":{\"name\":\"member_added\"}},\"places\":["
                + "{\"endpoint\":\"0000000000000012\",\"url\":\"http://a/\",\"state\":\"waiting\"},"
                + "{\"endpoint\":\"0000000000000012\",\"url\":\"http://b/\",\"state\":\"dead\",\"reason\":\"it was 500\"}]}"
        )
    }

    @Test("Changes, tests and failures")
    func others() {
        #expect(text(.changed(events: 2, endpoints: 1)) == "{\"events\":2,\"endpoints\":1}")
        let url = WebURL(isSecure: false, host: "a", port: 80, target: "/x?token=hush")
        let tested = text(.tested(Self.attempt(.answered(status: 200, retryAfterSeconds: nil)), url))
        #expect(tested.hasPrefix("{\"url\":\"http://a/x?…\",\"attempt\":{\"time\":2000"))
        let failure = ControlReply.failure(404, "There is no \"x\"")
        #expect(failure.status == 404 && text(failure) == "{\"error\":\"There is no \\\"x\\\"\"}")
    }

    private func text(_ reply: ControlReply) -> String { String(decoding: reply.json, as: UTF8.self) }
}

@Suite("IDs of endpoints")
struct EndpointIDTests {
    @Test("Are written in one form and read back from it alone")
    func identifiers() {
        #expect(WebhookEndpointID(0xAB).description == "00000000000000ab")
        #expect(WebhookEndpointID("00000000000000ab") == WebhookEndpointID(0xAB))
        for text in ["", "ab", "00000000000000AB", "+0000000000000ab", "000000000000000ab", "00000000000000ag"] {
            #expect(WebhookEndpointID(text) == nil, "\(text)")
        }
    }
}
