import PusherProtocol
import Testing
import Wire

@Suite("Publish requests (Pusher protocol §6.5)") struct PublishRequestTests {
    /// A request as text: what every check below compares.
    struct Event: Equatable, Sendable {
        var name: String, channels: [String], data: String
        var excluded: SocketID?
        var info: ChannelInfo = []

        init(_ name: String, _ channels: [String], _ data: String, excluded: SocketID? = nil, info: ChannelInfo = []) {
            (self.name, self.channels, self.data, self.excluded, self.info) = (name, channels, data, excluded, info)
        }

        init(_ event: PublishRequest, body: [UInt8]) {
            func literal(_ place: PublishRequest.Literal) -> String {
                string(place.isInBody ? body[place.range] : event.storage[place.range])
            }
            (name, data) = (literal(event.name), literal(event.data))
            channels = event.channels.map { string(event.storage[$0.name]) }
            (excluded, info) = (event.excluded, event.info)
        }
    }

    static func parse(_ json: String, query: String = "", limits: PayloadLimits = PayloadLimits()) -> Result<
        Event, APIError
    > {
        let body = Array(json.utf8), query = Array(query.utf8)
        return Result { () throws(APIError) in
            Event(try PublishRequest.parse(body: body.span, query: APIQuery(query.span), limits: limits), body: body)
        }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String, json: String
        var query = ""
        let expected: Event
    }

    static let accepted = [
        Row(
            testDescription: "PW-139: one channel", json: #"{"name":"e","channel":"c","data":"d"}"#,
            expected: .init(#""e""#, ["c"], #""d""#)),
        Row(
            testDescription: "PW-139: channels", json: #"{"name":"e","channels":["a","b"],"data":"d"}"#,
            expected: .init(#""e""#, ["a", "b"], #""d""#)),
        Row(
            testDescription: "channels win over channel",
            json: #"{"name":"e","channel":"z","channels":["a"],"data":"d"}"#,
            expected: .init(#""e""#, ["a"], #""d""#)),
        Row(
            testDescription: "PW-141: duplicates collapse",
            json: #"{"name":"e","channels":["a","b","\u0061"],"data":"d"}"#,
            expected: .init(#""e""#, ["a", "b"], #""d""#)),
        Row(
            testDescription: "PW-155: Laravel names go through unchanged",
            json: #"{"name":"App\\Events\\X.y z","channel":"c","data":""}"#,
            expected: .init(#""App\\Events\\X.y z""#, ["c"], #""""#)),
        Row(
            testDescription: "PW-042: data is verbatim",
            json: #"{"name":"e","channel":"c","data":"{\u0022a\u0022: \"\/\"}"}"#,
            expected: .init(#""e""#, ["c"], #""{\u0022a\u0022: \"\/\"}""#)),
        Row(
            testDescription: "PW-145: object data is stringified",
            json: #"{"name":"e","channel":"c","data":{ "a" : [1, "x y"] }}"#,
            expected: .init(#""e""#, ["c"], #""{\"a\":[1,\"x y\"]}""#)),
        Row(
            testDescription: "PW-145: number", json: #"{"name":"e","channel":"c","data": 1.50 }"#,
            expected: .init(#""e""#, ["c"], #""1.50""#)),
        Row(
            testDescription: "PW-145: false", json: #"{"name":"e","channel":"c","data":false}"#,
            expected: .init(#""e""#, ["c"], #""false""#)),
        Row(
            testDescription: "PW-146: socket_id", json: #"{"name":"e","channel":"c","data":"d","socket_id":"12.34"}"#,
            expected: .init(#""e""#, ["c"], #""d""#, excluded: SocketID(high: 12, low: 34))),
        Row(
            testDescription: "PW-146: unknown socket_id",
            json: #"{"name":"e","channel":"c","data":"d","socket_id":"9999999999.1"}"#,
            expected: .init(#""e""#, ["c"], #""d""#)),
        Row(
            testDescription: "PW-146: null optional fields",
            json: #"{"name":"e","channel":"c","channels":null,"data":"d","socket_id":null,"info":null}"#,
            expected: .init(#""e""#, ["c"], #""d""#)),
        Row(
            testDescription: "PW-148: info",
            json: #"{"name":"e","channel":"c","data":"d","info":"user_count, subscription_count"}"#,
            expected: .init(#""e""#, ["c"], #""d""#, info: [.userCount, .subscriptionCount])),
        Row(
            testDescription: "PW-149: unknown members",
            json: #"{"tags":[{"a":{}}],"name":"e","channel":"c","data":"d","x":null}"#,
            expected: .init(#""e""#, ["c"], #""d""#)),
        Row(
            testDescription: "user channel", json: ##"{"name":"e","channel":"#server-to-user-a\"b","data":"d"}"##,
            expected: .init(#""e""#, ["#server-to-user-a\"b"], #""d""#)),
        Row(
            testDescription: "everything from the query", json: "",
            query: "name=e%22&channels[]=a&channels[]=b&channels[]=a&data=%7B%7D&socket_id=1.2&info=user_count",
            expected: .init(#""e\"""#, ["a", "b"], #""{}""#, excluded: SocketID(high: 1, low: 2), info: .userCount)),
        Row(
            testDescription: "channels[0] in the query, the rest in the body", json: #"{"name":"e","data":"d"}"#,
            query: "channels[0]=a&channels[1]=b&name=other", expected: .init(#""e""#, ["a", "b"], #""d""#)),
        Row(
            testDescription: "channel in the query", json: #"{"name":"e","data":"d"}"#, query: "channel=a%2Cb",
            expected: .init(#""e""#, ["a,b"], #""d""#)),
        Row(
            testDescription: "the body wins", json: #"{"name":"e","channel":"c","data":"d"}"#,
            query: "channels[]=x&data=y",
            expected: .init(#""e""#, ["c"], #""d""#)),
        Row(
            testDescription: "client- names are plain events here",
            json: #"{"name":"client-x","channel":"c","data":"d"}"#,
            expected: .init(#""client-x""#, ["c"], #""d""#)),
    ]

    @Test(arguments: accepted) func reads(_ row: Row) {
        #expect(Self.parse(row.json, query: row.query) == .success(row.expected))
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String, json: String, text: String
        var query = "", status = 400
    }

    private static func with(_ members: String) -> String { #"{"name":"e","channel":"c","data":"d",\#(members)}"# }

    static let refused = [
        Refusal(
            testDescription: "PW-150: invalid JSON", json: #"{"name":"e""#,
            text: "Invalid JSON: the text ends inside a value"),
        Refusal(testDescription: "PW-150: array body", json: "[]", text: "Invalid JSON: an object was expected"),
        Refusal(
            testDescription: "PW-150: something after", json: #"{"name":"e","channel":"c","data":"d"} x"#,
            text: "Invalid JSON"),
        Refusal(
            testDescription: "empty body, empty query", json: "",
            text: #""name": required; a string of 1 to 200 characters"#),
        Refusal(
            testDescription: "PW-142: name missing", json: #"{"channel":"c","data":"d"}"#, text: #""name": required"#),
        Refusal(
            testDescription: "PW-142: name null", json: #"{"name":null,"channel":"c","data":"d"}"#,
            text: #""name": required"#),
        Refusal(
            testDescription: "PW-142: name not a string", json: #"{"name":5,"channel":"c","data":"d"}"#,
            text: #""name": must be a string of 1 to 200 characters, not a number"#),
        Refusal(
            testDescription: "PW-142: name empty", json: #"{"name":"","channel":"c","data":"d"}"#,
            text: #""name": must be a string of 1 to 200 characters, not empty"#),
        Refusal(
            testDescription: "PW-156: pusher:", json: #"{"name":"pusher:ping","channel":"c","data":"d"}"#,
            text: #""name": names that start with pusher: or pusher_internal: are reserved"#),
        Refusal(
            testDescription: "PW-156: pusher_internal:, by escapes",
            json: #"{"name":"pusher\u005finternal:x","channel":"c","data":"d"}"#,
            text: #""name": names that start with"#),
        Refusal(
            testDescription: "PW-156: from the query", json: #"{"channel":"c","data":"d"}"#, text: #""name": names"#,
            query: "name=pusher%3Ax"),
        Refusal(
            testDescription: "PW-140: no channel", json: #"{"name":"e","data":"d"}"#,
            text: #""channels": required; an array of 1 to 100 channel names"#),
        Refusal(
            testDescription: "PW-140: empty list", json: #"{"name":"e","channels":[],"data":"d"}"#,
            text: #""channels": must be an array of 1 to 100 channel names, not empty"#),
        Refusal(
            testDescription: "channels as text", json: #"{"name":"e","channels":"c","data":"d"}"#,
            text: #""channels": must be an array of 1 to 100 channel names, not a string"#),
        Refusal(
            testDescription: "PW-147: bad name in the list",
            json: #"{"name":"e","channels":["a","b","c","d e"],"data":"d"}"#,
            text: #""channels[3]": byte 0x20 at position 1 is not allowed in a channel name"#),
        Refusal(
            testDescription: "number in the list", json: #"{"name":"e","channels":["a",7],"data":"d"}"#,
            text: #""channels[1]": must be a string, not a number"#),
        Refusal(
            testDescription: "null in the list", json: #"{"name":"e","channels":[null],"data":"d"}"#,
            text: #""channels[0]": must be a string, not null"#),
        Refusal(
            testDescription: "nested list", json: #"{"name":"e","channels":[["a"]],"data":"d"}"#,
            text: #""channels[0]": must be a string, not an array"#),
        Refusal(
            testDescription: "channel not a string", json: #"{"name":"e","channel":{},"data":"d"}"#,
            text: #""channel": must be a string, not an object"#),
        Refusal(
            testDescription: "empty channel", json: #"{"name":"e","channel":"","data":"d"}"#,
            text: #""channel": a channel name must not be empty"#),
        Refusal(
            testDescription: "reserved channel", json: ##"{"name":"e","channel":"#x","data":"d"}"##,
            text: #""channel": names that start with #"#),
        Refusal(
            testDescription: "bad name in the query", json: #"{"name":"e","data":"d"}"#,
            text: #""channels[1]": '/' at"#, query: "channels[]=a&channels[]=/"),
        Refusal(
            testDescription: "PW-143: data missing", json: #"{"name":"e","channel":"c"}"#, text: #""data": required"#),
        Refusal(
            testDescription: "PW-143: data null", json: #"{"name":"e","channel":"c","data":null}"#,
            text: #""data": required"#, query: "data=x"),
        Refusal(
            testDescription: "data in the query not UTF-8", json: #"{"name":"e","channel":"c"}"#,
            text: #""data": the query parameter is not valid UTF-8"#, query: "data=%ff"),
        Refusal(
            testDescription: "PW-146: socket_id abc", json: with(#""socket_id":"abc""#),
            text: #""socket_id": must be digits"#),
        Refusal(
            testDescription: "socket_id number", json: with(#""socket_id":1.2"#),
            text: #""socket_id": must be a string like "123.456", not a number"#),
        Refusal(
            testDescription: "PW-148: unknown info", json: with(#""info":"user_count,foo""#),
            text: #""info": unknown attribute 'foo'; known are user_count, subscription_count"#),
        Refusal(
            testDescription: "cache is no publish info", json: with(#""info":"cache""#),
            text: #""info": unknown attribute 'cache'"#),
        Refusal(
            testDescription: "info not a string", json: with(#""info":["user_count"]"#),
            text: #""info": must be a comma list"#),
        Refusal(testDescription: "name twice", json: with(#""name":"x""#), text: #""name": given twice"#),
        Refusal(testDescription: "data twice", json: with(#""d\u0061ta":"x""#), text: #""data": given twice"#),
        Refusal(
            testDescription: "socket_id twice", json: with(#""socket_id":null,"socket_id":"1.2""#),
            text: #""socket_id": given twice"#),
        Refusal(
            testDescription: "too deep", json: with(#""x":"# + String(repeating: "[", count: 50)),
            text: "Invalid JSON: the value is nested too deeply"),
    ]

    @Test(arguments: refused) func refuses(_ row: Refusal) {
        guard case .failure(let error) = Self.parse(row.json, query: row.query) else {
            Issue.record("accepted")
            return
        }
        #expect(error.status == row.status)
        #expect(error.text.hasPrefix(row.text), "\(error.text)")
    }

    @Test(
        "PW-142: 200 characters are accepted and 201 are not, counted as Unicode scalars",
        arguments: ["a", "é", "\u{1F600}", #"\u00e9"#, #"\\"#])
    func nameLength(_ character: String) {
        func parse(_ count: Int) -> Result<Event, APIError> {
            Self.parse(#"{"name":"\#(String(repeating: character, count: count))","channel":"c","data":"d"}"#)
        }
        #expect((try? parse(200).get()) != nil)
        #expect(
            parse(201)
                == .failure(APIError(status: 400, text: #""name": must be a string of 1 to 200 characters, not 201"#)))
    }

    @Test("PW-144: 10,240 bytes after unescaping are accepted, 10,241 are 413; characters count as bytes")
    func dataSize() {
        func parse(_ data: String) -> Result<Event, APIError> {
            Self.parse(#"{"name":"e","channel":"c","data":\#(data)}"#)
        }
        let tooLarge = APIError(status: 413, text: #""data": 10241 bytes, but an event may carry at most 10240"#)
        for (unit, bytes) in [("a", 1), (#"\u0061"#, 1), ("é", 2), (#"\ud83d\ude00"#, 4), (#"\n"#, 1)] {
            let full = String(repeating: unit, count: 10_240 / bytes)
            #expect((try? parse("\"\(full)\"").get()) != nil, "\(unit)")
            #expect(parse("\"\(full)x\"") == .failure(tooLarge), "\(unit)")
        }
        let array = "[" + String(repeating: " 1 ,", count: 5_118) + "12]"
        #expect((try? parse(array).get()) != nil)
        #expect(parse(array.replacingLast("12]", "123]")) == .failure(tooLarge))
    }

    @Test("PW-140: 100 channels are accepted, 101 are not, duplicates included") func channelCount() {
        func parse(_ names: [String]) -> Result<Event, APIError> {
            Self.parse(
                #"{"name":"e","channels":["# + names.map { "\"\($0)\"" }.joined(separator: ",") + #"],"data":"d"}"#)
        }
        let names = (0..<100).map { "channel-\($0)" }
        #expect((try? parse(names).get())?.channels == names)
        let error = APIError(status: 400, text: #""channels": must be an array of 1 to 100 channel names, not more"#)
        #expect(parse(names + ["x"]) == .failure(error))
        #expect(parse(names + ["channel-0"]) == .failure(error))
        #expect((try? parse(names.dropLast() + ["channel-0"]).get())?.channels == names.dropLast())
        #expect((try? parse(Array(repeating: "a", count: 100)).get())?.channels == ["a"])
    }

    @Test("A frame is the literals of the request around the channel's name (PW-042)") func frames() throws {
        let body = Array(##"{"name":"n\"","channels":["a","#server-to-user-\"x"],"data":"{\"k\":1}"}"##.utf8)
        let none: [UInt8] = []
        let event = try PublishRequest.parse(body: body.span, query: APIQuery(none.span), limits: PayloadLimits())
        #expect(event.dataBytes == 7)
        #expect(event.channels.map(\.kind.access) == [.public, .user])
        let first = text { event.appendFrame(channel: 0, body: body.span, to: &$0) }
        #expect(first == #"{"event":"n\"","channel":"a","data":"{\"k\":1}"}"#)
        let second = text { event.appendFrame(channel: 1, body: body.span, to: &$0) }
        #expect(second == ##"{"event":"n\"","channel":"#server-to-user-\"x","data":"{\"k\":1}"}"##)
    }
}

extension String {
    fileprivate func replacingLast(_ old: String, _ new: String) -> String {
        hasSuffix(old) ? dropLast(old.count) + new : self
    }
}
