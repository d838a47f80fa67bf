import BrokerCore
import Configuration
import PusherProtocol
import Testing
import Wire

@testable import BrokerServer
@testable import Webhooks

@Suite("How starling webhooks shows an answer")
struct WebhooksViewTests {
    static let (first, second) = (WebhookEndpointID(0x12), WebhookEndpointID(0xAB))
    static let event = WebhookEvent(
        id: WebhookEvent.ID(run: 1, number: 0x1F), kind: .memberAdded, app: "shop", channel: Array("presence-a".utf8),
        unixMilliseconds: 1_764_480_067_123, json: Array("{\"name\":\"member_added\",\"user_id\":\"ü\"}".utf8))

    static func report(_ id: WebhookEndpointID, _ app: String) -> EndpointReport {
        EndpointReport(id: id, app: app, url: "https://\(app).example/hooks?…")
    }

    static func attempt(_ outcome: AttemptOutcome) -> AttemptRecord {
        AttemptRecord(
            unixMilliseconds: 1_764_480_067_123, app: "shop", endpoint: first, first: event.id, events: 3, attempt: 12,
            milliseconds: 4_001, outcome: outcome)
    }

    static let (taken, busy, hanging) = (
        AttemptOutcome.answered(status: 204, retryAfterSeconds: nil),
        AttemptOutcome.answered(status: 503, retryAfterSeconds: 30),
        AttemptOutcome.failed(AttemptFailure(.timeout, "no answer within 4 s"))
    )

    private func view(
        _ question: WebhookInquiry.Question, _ reply: ControlReply, isColored: Bool = false
    ) throws -> WebhooksView {
        WebhooksView(question: question, reply: try #require(ControlAnswer(reply.json)), isColored: isColored)
    }

    @Test(
        "What a client wrote is shown and not obeyed",
        arguments: [
            ("a\u{9B}31mred", #"a\u009b31mred"#), ("\u{1B}]0;title\u{7}", #"\u001b]0;title\u0007"#),
            ("\u{202E}txt.exe", #"\u202etxt.exe"#), ("\u{7F}\u{85}\u{2028}", #"\u007f\u0085\u2028"#),
            ("line\nbreak\t", #"line\u000abreak\u0009"#), ("ü 日本 😀", "ü 日本 😀"),
        ])
    func printable(text: String, shown: String) {
        #expect(text.printable == shown)
        var table = TextTable([.init("NAME")])
        table.add([.init(text)])
        #expect(table.text(isColored: false) == "NAME\n\(shown)\n")
    }

    @Test func anEventOfAHostileClientIsShownAsItIs() throws {
        var event = Self.event
        event.channel = Array("presence-\u{9B}".utf8)
        event.json = Array("{\"name\":\"member_added\",\"user_id\":\"\u{9B}\u{202E}\"}".utf8)
        for isColored in [false, true] {
            let reply = ControlReply.event(event, [])
            let view = try view(.show(id: event.id.description), reply, isColored: isColored)
            for text in [view.text, view.lines] {
                #expect(!text.unicodeScalars.contains { $0 == "\u{9B}" || $0 == "\u{202E}" })
                #expect(text.contains(#"\u009b\u202e"#))
            }
        }
    }

    @Test("A list has its columns below one another")
    func list() throws {
        var (fine, late, gone) = (
            Self.report(Self.first, "shop"), Self.report(Self.second, "a"), Self.report(Self.second, "b")
        )
        (late.waiting, late.oldestMilliseconds, late.failures, late.retryMilliseconds) = (12_345, 240_900, 3, 7_100)
        (late.deadLetters, gone.isRemoved, gone.failures, gone.waiting) = (20, true, 1, 1)
        fine.deadLetters = 0
        let reply = ControlReply.endpoints([fine, late, gone])
        #expect(
            try view(.list(app: nil), reply).text == """
                ENDPOINT          APP   WAITING  OLDEST  DEAD  STATE                    URL
                0000000000000012  shop        0       -     0  ok                       https://shop.example/hooks?…
                00000000000000ab  a       12345   4 min    20  3 failures, next in 7 s  https://a.example/hooks?…
                00000000000000ab  b           1     0 s     0  1 failure, removed       https://b.example/hooks?…

                """)
        let colored = try view(.list(app: nil), reply, isColored: true).text
        #expect(colored.contains("\u{1B}[1mENDPOINT\u{1B}[0m  "))
        #expect(colored.contains("\u{1B}[32mok\u{1B}[0m  "))
        #expect(colored.contains("\u{1B}[31m1 failure, removed\u{1B}[0m  "))
        #expect(try view(.list(app: nil), reply).lines.split(separator: "\n").count == 3)
        #expect(try view(.list(app: nil), .endpoints([])).text == "no webhooks are configured\n")
        #expect(try view(.list(app: nil), .endpoints([])).lines == "")
    }

    @Test("Attempts tell how they ended")
    func attempts() throws {
        let reply = ControlReply.attempts([
            Self.attempt(Self.taken), Self.attempt(Self.busy), Self.attempt(Self.hanging),
        ])
        let line = "2025-11-30 05:21:07  shop  0000000000000012  0000000000000001-1f       3   12  4001  "
        #expect(
            try view(.attempts(app: nil), reply).text == """
                TIME (UTC)           APP   ENDPOINT          FIRST EVENT          EVENTS  TRY    MS  RESULT
                \(line)204
                \(line)503, Retry-After 30 s
                \(line)timeout: no answer within 4 s

                """)
        let lines = try view(.attempts(app: nil), reply).lines
        #expect(lines.split(separator: "\n").count == 3 && lines.hasPrefix("{\"time\":1764480067123,"))
        #expect(try view(.attempts(app: nil), .attempts([])).text == "no attempt was made yet\n")
    }

    @Test("An endpoint is explained")
    func endpoint() throws {
        var report = Self.report(Self.first, "shop")
        (report.waiting, report.oldestMilliseconds, report.deadLetters) = (2, 7_300_000, 1)
        var settings = WebhookEndpoint(
            id: Self.first, url: WebURL(isSecure: true, host: "shop.example", port: 443, target: "/"))
        settings.kinds = [WebhookKinds(.memberAdded), WebhookKinds(.memberRemoved)]
        (settings.channelPrefix, settings.channelSuffix) = (Array("presence-".utf8), Array("-eu".utf8))
        settings.headers = [.init(name: "X-A", value: "hush")]
        settings.batchMilliseconds = 50
        let letter = DeadLetter(
            event: Self.event, endpoint: Self.first, unixMilliseconds: 1_764_480_367_123, reason: "it was 500")
        let reply = ControlReply.endpoint(
            report, settings: settings, deadLetters: [letter], attempts: [Self.attempt(Self.taken)])
        #expect(
            try view(.show(id: ""), reply).text == """
                endpoint  0000000000000012
                app       shop
                url       https://shop.example/hooks?…
                state     ok
                waiting   2
                oldest    2 h ago
                events    member_added, member_removed
                channels  begins with presence-, ends with -eu
                headers   X-A
                batches   10 events or 50 ms
                timeout   4 s
                private   refused

                dead letters:
                EVENT                NAME          CHANNEL     HAPPENED             GIVEN UP             REASON
                0000000000000001-1f  member_added  presence-a  2025-11-30 05:21:07  2025-11-30 05:26:07  it was 500

                attempts:
                TIME (UTC)           APP   ENDPOINT          FIRST EVENT          EVENTS  TRY    MS  RESULT
                2025-11-30 05:21:07  shop  0000000000000012  0000000000000001-1f       3   12  4001  204

                """)
        let bare = try view(
            .show(id: ""), .endpoint(Self.report(Self.first, "shop"), settings: nil, deadLetters: [], attempts: [])
        )
        #expect(bare.text.hasSuffix("state     ok\nwaiting   0\n"))
        #expect(bare.lines.split(separator: "\n").count == 1)
    }

    @Test("An event is explained")
    func event() throws {
        let reply = ControlReply.event(
            Self.event,
            [
                EventPlace(endpoint: Self.first, url: "https://a/", state: .sending),
                EventPlace(endpoint: Self.second, url: "https://b/", state: .dead, reason: "it was 500"),
            ])
        #expect(
            try view(.show(id: ""), reply).text == """
                event     0000000000000001-1f
                app       shop
                name      member_added
                channel   presence-a
                happened  2025-11-30 05:21:07
                json      {"name":"member_added","user_id":"ü"}

                where it is:
                ENDPOINT          STATE    URL         REASON
                0000000000000012  sending  https://a/  
                00000000000000ab  dead     https://b/  it was 500

                """)
    }

    @Test("Changes and tests are told in a sentence")
    func sentences() throws {
        #expect(
            try view(.retry(id: nil), .changed(events: 1, endpoints: 2)).text
                == "1 dead letter waits again; what waits is tried at once by 2 endpoints\n")
        #expect(
            try view(.retry(id: nil), .changed(events: 0, endpoints: 1)).text
                == "0 dead letters wait again; what waits is tried at once by 1 endpoint\n")
        #expect(try view(.purge(id: nil), .changed(events: 5, endpoints: 0)).text == "5 dead letters forgotten\n")
        let url = WebURL(isSecure: true, host: "a", port: 443, target: "/x?token=hush")
        for (outcome, isFailure, text) in [
            (Self.taken, false, "delivered to https://a/x?… in 4001 ms: it answered 204\n"),
            (
                Self.busy, true,
                "not delivered to https://a/x?…, after 4001 ms: it answered 503, Retry-After 30 s, and only 200 to 299 is "
                    + "success\n"
            ),
            (Self.hanging, true, "not delivered to https://a/x?…, after 4001 ms: timeout: no answer within 4 s\n"),
        ] {
            let view = try view(.test(url, app: nil, allowsPrivate: false), .tested(Self.attempt(outcome), url))
            #expect(view.text == text && view.isFailure == isFailure)
            #expect(view.lines.hasPrefix("{\"url\":\"https://a/x?…\",\"attempt\":{"))
        }
    }

    @Test("What is no object is no answer", arguments: ["", "[]", "{", "{} x", "null"])
    func noAnswer(_ text: String) { #expect(ControlAnswer(Array(text.utf8)) == nil) }

    @Test("What is missing, or of another kind, reads as nothing")
    func missing() throws {
        let answer = try #require(
            ControlAnswer(Array("{\"a\":1,\"b\":\"2\",\"c\":[1,{},\"x\"],\"d\":true,\"e\":1.5}".utf8)))
        #expect(
            answer.text("a") == nil && answer.text("z") == nil && answer.number("b") == nil && answer.number("e") == nil
        )
        #expect(answer.number("a") == 1 && answer.text("b") == "2")
        #expect(answer.isTrue("d") && !answer.isTrue("a") && !answer.isTrue("z"))
        #expect(answer.objects("c").count == 1 && answer.texts("c") == ["x"] && answer.objects("b").isEmpty)
        #expect(answer.object("a") == nil)
    }
}
