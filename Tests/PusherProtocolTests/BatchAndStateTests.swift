import PusherProtocol
import Testing

@Suite("Batches, state queries and replies (Pusher protocol §6.6–§6.9)") struct BatchAndStateTests {
    private func batch(_ json: String) -> Result<[PublishRequestTests.Event], APIError> {
        let body = Array(json.utf8)
        return Result { () throws(APIError) in
            try BatchRequest.parse(body: body.span, limits: PayloadLimits()).events.map { .init($0, body: body) }
        }
    }

    private static func item(_ name: String) -> String { #"{"channel":"c","name":"\#(name)","data":"{}"}"# }

    @Test("PW-151: ten events are accepted in their order, eleven are not") func batchSize() {
        let items = (0..<11).map { Self.item("e\($0)") }
        let ten = batch(#"{"batch":[\#(items.dropLast().joined(separator: ","))]}"#)
        #expect((try? ten.get())?.map(\.name) == (0..<10).map { "\"e\($0)\"" })
        #expect(
            batch(#"{"batch":[\#(items.joined(separator: ","))]}"#)
                == .failure(APIError(status: 400, text: #""batch": must be an array of 1 to 10 events, not more"#)))
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String, json: String, text: String
        var status = 400
    }

    static let refused = [
        Row(testDescription: "empty body", json: "", text: "Invalid JSON"),
        Row(testDescription: "missing", json: "{}", text: #""batch": required; an array of 1 to 10 events"#),
        Row(testDescription: "null", json: #"{"batch":null}"#, text: #""batch": required"#),
        Row(
            testDescription: "object", json: #"{"batch":{}}"#,
            text: #""batch": must be an array of 1 to 10 events, not an object"#),
        Row(
            testDescription: "empty", json: #"{"batch":[]}"#,
            text: #""batch": must be an array of 1 to 10 events, not empty"#),
        Row(testDescription: "twice", json: #"{"batch":[],"batch":[]}"#, text: #""batch": given twice"#),
        Row(
            testDescription: "not an object", json: #"{"batch":[\#(item("a")),5]}"#,
            text: #""batch[1]": must be an object, not a number"#),
        Row(
            testDescription: "PW-151: bad channel",
            json: #"{"batch":[\#(item("a")),{"channel":"a b","name":"e","data":"1"}]}"#,
            text: #""batch[1].channel": byte 0x20 at position 1"#),
        Row(
            testDescription: "no name", json: #"{"batch":[{"channel":"a","data":"1"}]}"#,
            text: #""batch[0].name": required"#),
        Row(
            testDescription: "PW-151: data too large",
            json: #"{"batch":[{"channel":"a","name":"e","data":"\#(String(repeating: "x", count: 10_241))"}]}"#,
            text: #""batch[0].data": 10241 bytes"#, status: 413),
        Row(
            testDescription: "bad list entry", json: #"{"batch":[{"channels":["a",1],"name":"e","data":"1"}]}"#,
            text: #""batch[0].channels[1]": must be a string"#),
        Row(
            testDescription: "a lone surrogate in a name",
            json: #"{"batch":[\#(item("a")),{"channel":"a","name":"e\ud83d","data":"1"}]}"#,
            text: #""batch[1].name": holds a \u escape that is half of a surrogate pair"#),
        Row(
            testDescription: "a lone surrogate in a channel",
            json: #"{"batch":[{"channels":["a","\ud83d"],"name":"e","data":"1"}]}"#,
            text: #""batch[0].channels[1]": holds a \u escape that is half of a surrogate pair"#),
        Row(
            testDescription: "bad grammar in the third event",
            json: #"{"batch":[\#(item("a")),\#(item("b")),{"channel":"c","name":"e","data":"\x"}]}"#,
            text: #""batch[2]": Invalid JSON: the escape sequence is malformed"#),
        Row(
            testDescription: "bad grammar in the first event", json: #"{"x":[1],"batch":[{"channel":"c","name":e}]}"#,
            text: #""batch[0]": Invalid JSON: a value was expected"#),
        Row(
            testDescription: "no comma after the first event", json: #"{"batch":[\#(item("a")) \#(item("b"))]}"#,
            text: #""batch[1]": Invalid JSON: a comma or the end"#),
        Row(
            testDescription: "too deep in the second event",
            json: #"{"batch":[{},{"x":"# + String(repeating: "[", count: 14) + String(repeating: "]", count: 14)
                + "}]}",
            text: #""batch[1]": Invalid JSON: the value is nested too deeply"#),
        Row(
            testDescription: "bad grammar beside the list", json: #"{"batch":[\#(item("a"))],"x":01}"#,
            text: "Invalid JSON: "),
        Row(
            testDescription: "bad grammar after the limit",
            json: #"{"batch":["# + String(repeating: "{},", count: 20) + "{]}",
            text: #""batch[11]": Invalid JSON: a member"#),
        Row(
            testDescription: "unknown info", json: #"{"batch":[{"channel":"a","name":"e","data":"1","info":"x"}]}"#,
            text: #""batch[0].info": unknown attribute 'x'"#),
    ]

    @Test("PW-151: the first invalid event is named and fails the batch", arguments: refused)
    func refusesBatches(_ row: Row) {
        guard case .failure(let error) = batch(row.json) else {
            Issue.record("accepted")
            return
        }
        #expect(error.status == row.status)
        #expect(error.text.hasPrefix(row.text), "\(error.text)")
    }

    @Test("PW-152: a batch knows whether its reply has a body") func batchInfo() throws {
        let plain = Array(#"{"batch":[\#(Self.item("a"))]}"#.utf8)
        #expect(try !BatchRequest.parse(body: plain.span, limits: PayloadLimits()).hasInfo)
        let asking = Array(
            #"{"batch":[\#(Self.item("a")),{"channels":["x"],"name":"e","data":1,"info":"user_count"}]}"#.utf8)
        #expect(try BatchRequest.parse(body: asking.span, limits: PayloadLimits()).hasInfo)
    }

    private func query(_ text: String) -> APIQuery {
        let raw = Array(text.utf8)
        return APIQuery(raw.span)
    }

    @Test("PW-159: user_count on the list needs a presence prefix") func listQueries() throws {
        let found = try StateRequest.channels(query("filter_by_prefix=presence-a&info=user_count%2Csubscription_count"))
        #expect(string(found.prefix) == "presence-a")
        #expect(found.info == [.userCount, .subscriptionCount])
        let all = try StateRequest.channels(query(""))
        #expect(all.prefix.isEmpty && all.info.isEmpty)
        #expect(try StateRequest.channels(query("info[0]=subscription_count")).info == .subscriptionCount)
        for refused in ["info=user_count", "info=user_count&filter_by_prefix=private-", "info=cache", "info=x"] {
            #expect(throws: APIError.self, "\(refused)") { try StateRequest.channels(query(refused)) }
        }
    }

    @Test("PW-161, PW-162, PW-163: attributes fit the channel") func channelQueries() throws {
        let open = ChannelKind(access: .public), presence = ChannelKind(access: .presence)
        let cache = ChannelKind(access: .public, isCache: true)
        #expect(try StateRequest.channel(open, query("info=subscription_count")) == .subscriptionCount)
        #expect(try StateRequest.channel(presence, query("info=user_count")) == .userCount)
        #expect(try StateRequest.channel(cache, query("info=cache")) == .cache)
        #expect(throws: APIError(status: 400, text: #""info": user_count is only available for presence channels"#)) {
            try StateRequest.channel(open, query("info=user_count"))
        }
        #expect(throws: APIError.self) { try StateRequest.channel(open, query("info=cache")) }
        #expect(throws: APIError.self) { try StateRequest.users(open) }
        try StateRequest.users(presence)
    }

    @Test("PW-164: the name in the path is percent-decoded once") func pathNames() throws {
        func name(_ segment: String) throws -> String {
            let segment = Array(segment.utf8)
            let found = try StateRequest.channelName(segment: segment.span, bytesMax: 200, userIDCharactersMax: 128)
            return string(found.name)
        }
        #expect(try name("presence-a%2Cb%40c%3B") == "presence-a,b@c;")
        for refused in ["a%2", "a%252C", "a%20b", "", "%23x"] {
            #expect(throws: APIError.self, "\(refused)") { try name(refused) }
        }
    }

    struct Reply: Sendable, CustomTestStringConvertible {
        let testDescription: String, expected: String
        let encode: @Sendable (inout [UInt8]) -> Void
    }

    private static let presence = ChannelReport(name: Array("presence-a".utf8), userCount: 42, subscriptionCount: 51)
    private static let counted = ChannelReport(name: Array("b".utf8), subscriptionCount: 13)
    private static let bare = ChannelReport(name: Array("c".utf8))

    static let replies = [
        Reply(testDescription: "PW-139: success", expected: "{}") { APIReply.empty(to: &$0) },
        Reply(testDescription: "PW-138: error", expected: #"{"error":"a\n\"b\"","code":401}"#) {
            APIReply.error(APIError(status: 401, text: "a\n\"b\""), to: &$0)
        },
        Reply(
            testDescription: "PW-148: publish info",
            expected:
                #"{"channels":{"presence-a":{"user_count":42,"subscription_count":51},"b":{"subscription_count":13},"c":{}}}"#
        ) { APIReply.publishInfo([presence, counted, bare], to: &$0) },
        Reply(testDescription: "PW-158: no channels is an empty object", expected: #"{"channels":{}}"#) {
            APIReply.channels([], to: &$0)
        },
        Reply(
            testDescription: "PW-152: batch info", expected: #"{"batch":[{},{"user_count":3}]}"#
        ) { APIReply.batchInfo([nil, ChannelReport(name: [], userCount: 3)], to: &$0) },
        Reply(testDescription: "PW-160: unoccupied", expected: #"{"occupied":false}"#) {
            APIReply.channel(isOccupied: false, userCount: nil, subscriptionCount: nil, cache: .notAsked, to: &$0)
        },
        Reply(testDescription: "PW-161: counts", expected: #"{"occupied":true,"user_count":2,"subscription_count":3}"#)
        {
            APIReply.channel(isOccupied: true, userCount: 2, subscriptionCount: 3, cache: .notAsked, to: &$0)
        },
        Reply(testDescription: "PW-162: empty cache", expected: #"{"occupied":true,"cache":null}"#) {
            APIReply.channel(isOccupied: true, userCount: nil, subscriptionCount: nil, cache: .empty, to: &$0)
        },
        Reply(testDescription: "PW-162: cache", expected: #"{"occupied":true,"cache":{"data":"{\"x\":1}","ttl":60}}"#) {
            out in
            let cache = APIReply.CachedEvent.event(dataLiteral: Array(#""{\"x\":1}""#.utf8), ttlSeconds: 60)
            APIReply.channel(isOccupied: true, userCount: nil, subscriptionCount: nil, cache: cache, to: &out)
        },
        Reply(testDescription: "PW-163: users", expected: #"{"users":[{"id":"u1"},{"id":"a\"b"}]}"#) {
            APIReply.users([Array("u1".utf8), Array("a\"b".utf8)], to: &$0)
        },
        Reply(testDescription: "PW-163: no users", expected: #"{"users":[]}"#) { APIReply.users([], to: &$0) },
        Reply(testDescription: "connections", expected: #"{"connections":7}"#) { APIReply.connections(7, to: &$0) },
    ]

    @Test(arguments: replies) func encodes(_ row: Reply) throws {
        let body = text(row.encode)
        #expect(body == row.expected)
        _ = try members(body)
    }
}
