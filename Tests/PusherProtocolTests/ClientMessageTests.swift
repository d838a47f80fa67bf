import PusherProtocol
import Testing
import Wire

@Suite("Client messages (Pusher protocol §2.1, §3.2, §3.6, §4, §5.1)") struct ClientMessageTests {
    /// A message's decoded fields as text.
    struct Read: Equatable, Sendable {
        var kind: ClientMessage.Kind
        var channel = "", auth = "", channelData = "", userData = "", data = ""
    }

    private func read(_ json: String) -> Result<Read, ClientMessageError> {
        let bytes = Array(json.utf8)
        var scratch = Array("left over".utf8)
        return Result { () throws(ClientMessageError) in
            let message = try ClientMessage.parse(bytes.span, scratch: &scratch)
            return Read(
                kind: message.kind, channel: string(scratch[message.channel]), auth: shown(message.auth, scratch),
                channelData: shown(message.channelData, scratch), userData: shown(message.userData, scratch),
                data: text { message.appendDataLiteral(in: bytes.span, to: &$0) })
        }
    }

    /// A member as text: nothing when absent, `<…>` when it is none.
    private func shown(_ field: CommandField, _ scratch: [UInt8]) -> String {
        switch field {
        case .absent: ""
        case .text(let range): range.isEmpty ? "<empty>" : string(scratch[range])
        case .wrongKind(let kind): "<\(kind)>"
        case .loneSurrogate: "<lone surrogate>"
        case .twice: "<twice>"
        }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String, json: String, expected: Read
    }

    static let accepted = [
        Row(
            testDescription: "PW-021: ping of pusher-js", json: #"{"event":"pusher:ping","data":{}}"#,
            expected: .init(kind: .ping)),
        Row(
            testDescription: "PW-022: ping without data", json: #"{"event": "pusher:ping"}"#,
            expected: .init(kind: .ping)),
        Row(
            testDescription: "PW-022: ping with data \"\"", json: #"{"event":"pusher:ping","data":""}"#,
            expected: .init(kind: .ping)),
        Row(
            testDescription: "PW-022: ping with data null", json: #"{"event":"pusher:ping","data":null}"#,
            expected: .init(kind: .ping)),
        Row(testDescription: "PW-025: pong", json: #"{"event":"pusher:pong","data":{}}"#, expected: .init(kind: .pong)),
        Row(
            testDescription: "ping by escapes", json: #"{"\u0065vent":"pusher\u003aping"}"#,
            expected: .init(kind: .ping)),
        Row(
            testDescription: "PW-032: unknown pusher event", json: #"{"event":"pusher:foo","data":5}"#,
            expected: .init(kind: .ignored)),
        Row(
            testDescription: "server-only name",
            json: #"{"event":"pusher_internal:member_added","channel":"c","data":"{}"}"#,
            expected: .init(kind: .ignored)),
        Row(
            testDescription: "server-only connection_established", json: #"{"event":"pusher:connection_established"}"#,
            expected: .init(kind: .ignored)),
        Row(
            testDescription: "PW-104: Client-x", json: #"{"event":"Client-x","channel":"private-c","data":1}"#,
            expected: .init(kind: .ignored)),
        Row(
            testDescription: "PW-104: xclient-y", json: #"{"event":"xclient-y","channel":"private-c","data":1}"#,
            expected: .init(kind: .ignored)),
        Row(
            testDescription: "PW-039: subscribe without auth",
            json: #"{"event":"pusher:subscribe","data":{"channel":"my-channel"}}"#,
            expected: .init(kind: .subscribe, channel: "my-channel")),
        Row(
            testDescription: "PW-040: subscribe with auth \"\"",
            json: #"{"event":"pusher:subscribe","data":{"auth":"","channel":"c"}}"#,
            expected: .init(kind: .subscribe, channel: "c", auth: "<empty>")),
        Row(
            testDescription: "members of another kind are for the subscription to judge",
            json: #"{"event":"pusher:subscribe","data":{"auth":{},"channel":"c","channel_data":[1]}}"#,
            expected: .init(kind: .subscribe, channel: "c", auth: "<object>", channelData: "<array>")),
        Row(
            testDescription: "so are those given twice or thrice, and those that are no text",
            json:
                #"{"event":"pusher:subscribe","data":{"auth":1,"channel":"c","auth":2,"channel_data":"\ud800","auth":3}}"#,
            expected: .init(kind: .subscribe, channel: "c", auth: "<twice>", channelData: "<lone surrogate>")),
        Row(
            testDescription: "given once as null and once not is twice",
            json: #"{"event":"pusher:subscribe","data":{"channel_data":null,"channel":"c","channel_data":""}}"#,
            expected: .init(kind: .subscribe, channel: "c", channelData: "<twice>")),
        Row(
            testDescription: "PW-047: what is wrong with the name \"\" is for the subscription to say",
            json: #"{"event":"pusher:subscribe","data":{"channel":""}}"#, expected: .init(kind: .subscribe)),
        Row(
            testDescription: "PW-110: signin without anything", json: #"{"event":"pusher:signin","data":{}}"#,
            expected: .init(kind: .signin)),
        Row(
            testDescription: "PW-110: signin with other kinds, in data that is a string",
            json: #"{"event":"pusher:signin","data":"{\"auth\":true,\"user_data\":\"\"}"}"#,
            expected: .init(kind: .signin, auth: "<boolean>", userData: "<empty>")),
        Row(
            testDescription: "lone surrogates in what is ignored",
            json: #"{"\ud800":"\udc00","event":"pusher:ping","channel":"\ud800"}"#,
            expected: .init(kind: .ping)),
        Row(
            testDescription: "lone surrogates in an ignored member of a command",
            json: #"{"event":"pusher:subscribe","data":{"channel":"c","\udfff":"\ud83d"}}"#,
            expected: .init(kind: .subscribe, channel: "c")),
        Row(
            testDescription: "a client event's text cut through a character is kept",
            json: #"{"event":"client-t","channel":"private-c","data":"ab\ud83d"}"#,
            expected: .init(kind: .clientEvent, channel: "private-c", data: #""ab\ud83d""#)),
        Row(
            testDescription: "and stringified with its escape",
            json: #"{"event":"client-t","channel":"private-c","data":{ "t\uDC00": "ab\ud83d" }}"#,
            expected: .init(kind: .clientEvent, channel: "private-c", data: #""{\"t\\uDC00\":\"ab\\ud83d\"}""#)),
        Row(
            testDescription: "PW-040: subscribe with auth null, channel_data null, extra members",
            json:
                #" { "data" : {"auth":null,"channel_data":null,"x":[{}],"channel":"c"} , "event":"pusher:subscribe","z":1 } "#,
            expected: .init(kind: .subscribe, channel: "c")),
        Row(
            testDescription: "subscribe to a presence channel",
            json:
                #"{"event":"pusher:subscribe","data":{"auth":"k:s","channel_data":"{\"user_id\":\"u\u0031\"}","channel":"presence-c"}}"#,
            expected: .init(kind: .subscribe, channel: "presence-c", auth: "k:s", channelData: #"{"user_id":"u1"}"#)),
        Row(
            testDescription: "PW-041: data as a JSON string",
            json: #"{"event":"pusher:subscribe","data":"{\"channel\":\"a\\u0062c\",\"auth\":\"k:s\"}"}"#,
            expected: .init(kind: .subscribe, channel: "abc", auth: "k:s")),
        Row(
            testDescription: "PW-045: unsubscribe",
            json: #"{"event":"pusher:unsubscribe","data":{"channel":"c","auth":5}}"#,
            expected: .init(kind: .unsubscribe, channel: "c")),
        Row(
            testDescription: "PW-109: signin",
            json: #"{"event":"pusher:signin","data":{"auth":"k:s","user_data":"{\"id\":\"u1\"}"}}"#,
            expected: .init(kind: .signin, auth: "k:s", userData: #"{"id":"u1"}"#)),
        Row(
            testDescription: "PW-098: client event with an object is stringified",
            json:
                #"{"event":"client-t","channel":"private-c","data":{ "who" : "A\"nn", "n":[1, 2] },"user_id":"forged"}"#,
            expected: .init(kind: .clientEvent, channel: "private-c", data: #""{\"who\":\"A\\\"nn\",\"n\":[1,2]}""#)),
        Row(
            testDescription: "PW-098: client event with a string is kept",
            json: #"{"event":"client-t","channel":"private-c","data":"a\u0020\/b"}"#,
            expected: .init(kind: .clientEvent, channel: "private-c", data: #""a\u0020\/b""#)),
        Row(
            testDescription: "client event with null", json: #"{"event":"client-","channel":"private-c","data":null}"#,
            expected: .init(kind: .clientEvent, channel: "private-c", data: #""null""#)),
        Row(
            testDescription: "client event by escapes",
            json: #"{"event":"\u0063lient-x","channel":"\u0063","data":1.0}"#,
            expected: .init(kind: .clientEvent, channel: "c", data: #""1.0""#)),
    ]

    @Test(arguments: accepted) func reads(_ row: Row) { #expect(read(row.json) == .success(row.expected)) }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String, json: String, text: String
    }

    static let refused = [
        Refusal(
            testDescription: "PW-030: malformed JSON", json: #"{"event":"pusher:ping""#,
            text: "Invalid JSON: the text ends"),
        Refusal(testDescription: "empty message", json: "", text: "Invalid JSON"),
        Refusal(testDescription: "two values", json: #"{"event":"pusher:ping"} {}"#, text: "Invalid JSON"),
        Refusal(testDescription: "PW-031: array", json: "[]", text: "Invalid JSON: an object was expected"),
        Refusal(testDescription: "PW-031: number", json: "5", text: "Invalid JSON: an object was expected"),
        Refusal(
            testDescription: "PW-031: event 5", json: #"{"event":5}"#, text: "event must be a string, not a number"),
        Refusal(testDescription: "PW-031: {}", json: "{}", text: "Missing parameter: event"),
        Refusal(
            testDescription: "event twice", json: #"{"event":"pusher:ping","event":"pusher:pong"}"#,
            text: "event is given twice"),
        Refusal(
            testDescription: "event twice, once by escapes", json: #"{"event":"a","\u0065vent":"b"}"#,
            text: "event is given twice"),
        Refusal(
            testDescription: "data twice", json: #"{"event":"client-x","channel":"c","data":1,"data":2}"#,
            text: "data is given twice"),
        Refusal(
            testDescription: "channel twice", json: #"{"event":"client-x","channel":"c","channel":"d","data":1}"#,
            text: "channel is given twice"),
        Refusal(
            testDescription: "PW-047: no data", json: #"{"event":"pusher:subscribe"}"#, text: "Missing parameter: data"),
        Refusal(
            testDescription: "PW-047: data null", json: #"{"event":"pusher:subscribe","data":null}"#,
            text: "data must be an object, not null"),
        Refusal(
            testDescription: "PW-047: no channel", json: #"{"event":"pusher:subscribe","data":{}}"#,
            text: "Missing parameter: data.channel"),
        Refusal(
            testDescription: "unsubscribe from an empty channel",
            json: #"{"event":"pusher:unsubscribe","data":{"channel":""}}"#, text: "Missing parameter: data.channel"),
        Refusal(
            testDescription: "PW-047: channel not a string",
            json: #"{"event":"pusher:subscribe","data":{"channel":["c"]}}"#,
            text: "data.channel must be a string, not an array"),
        Refusal(
            testDescription: "unsubscribe without channel", json: #"{"event":"pusher:unsubscribe","data":{}}"#,
            text: "Missing parameter: data.channel"),
        Refusal(
            testDescription: "inner member twice",
            json: #"{"event":"pusher:subscribe","data":{"channel":"a","channel":"b"}}"#,
            text: "data.channel is given twice"),
        Refusal(
            testDescription: "string data that is not JSON", json: #"{"event":"pusher:subscribe","data":"x"}"#,
            text: "data: Invalid JSON"),
        Refusal(
            testDescription: "string data with something after",
            json: #"{"event":"pusher:subscribe","data":"{\"channel\":\"c\"}x"}"#,
            text: "data: Invalid JSON"),
        Refusal(
            testDescription: "a lone surrogate in the event's name",
            json: #"{"event":"client-\ud83d","channel":"c","data":1}"#,
            text: "event holds a \\u escape that is half"),
        Refusal(
            testDescription: "a lone surrogate in the event's name, unknown event", json: #"{"event":"\udc00"}"#,
            text: "event holds a \\u escape that is half"),
        Refusal(
            testDescription: "a lone surrogate in a client event's channel",
            json: #"{"event":"client-x","channel":"private-\ud83d","data":1}"#,
            text: "channel holds a \\u escape that is half"),
        Refusal(
            testDescription: "a lone surrogate in the channel of a command",
            json: #"{"event":"pusher:unsubscribe","data":{"channel":"\ud83d"}}"#,
            text: "data.channel holds a \\u escape that is half"),
        Refusal(
            testDescription: "a lone surrogate in data that is a string",
            json: #"{"event":"pusher:subscribe","data":"{\"channel\":\"c\",\"x\":\"\ud83d\"}"}"#,
            text: "data holds a \\u escape that is half"),
        Refusal(
            testDescription: "client event without channel", json: #"{"event":"client-x","data":1}"#,
            text: "Invalid client event: it must contain channel and data"),
        Refusal(
            testDescription: "client event without data", json: #"{"event":"client-x","channel":"c"}"#,
            text: "Invalid client event: it must contain channel and data"),
        Refusal(
            testDescription: "client event with a numeric channel", json: #"{"event":"client-x","channel":1,"data":1}"#,
            text: "Invalid client event: it must contain channel and data"),
        Refusal(
            testDescription: "depth",
            json: #"{"event":"pusher:ping","data":"# + String(repeating: "[", count: 40) + "}",
            text: "Invalid JSON: the value is nested too deeply"),
    ]

    @Test(arguments: refused) func refuses(_ row: Refusal) {
        guard case .failure(let error) = read(row.json) else {
            Issue.record("accepted: \(row.json)")
            return
        }
        #expect(error.text.hasPrefix(row.text), "\(error.text)")
        // Whose failure it is can be told as soon as the event's name is known.
        let command = ["subscribe", "unsubscribe", "signin"].first { row.json.contains("pusher:\($0)\"") }
        if let command, !row.text.hasPrefix("Invalid JSON") { #expect(error.kind.map { "\($0)" } == command) }
        if row.text.hasPrefix("event") || row.text.hasPrefix("Invalid") { #expect(error.kind == nil || command == nil) }
    }

    @Test("A subscribe to a name that is no text keeps the name as it came, for the answer")
    func aChannelThatIsNoText() {
        let json = #"{"event":"pusher:subscribe","data":{"auth":"x","channel":"private-\u0061\ud83d"}}"#
        let bytes = Array(json.utf8)
        var scratch: [UInt8] = []
        do throws(ClientMessageError) {
            _ = try ClientMessage.parse(bytes.span, scratch: &scratch)
            Issue.record("accepted")
        } catch {
            #expect(error.kind == .subscribe)
            #expect(string(scratch[error.channelLiteral]) == #""private-\u0061\ud83d""#)
        }
    }

    @Test("PW-104, PW-105: limits can be measured without decoding")
    func sizes() throws {
        var scratch: [UInt8] = []
        let bytes = Array(#"{"event":"client-é\u00e9\ud83d\ude00","channel":"c","data":"\u00e9a"}"#.utf8)
        let message = try ClientMessage.parse(bytes.span, scratch: &scratch)
        let characters = message.nameCharacters(in: bytes.span)
        #expect(characters == 10)
        #expect(message.dataBytes == 3)
        let object = Array(#"{"event":"client-x","channel":"c","data":{"a":1}}"#.utf8)
        let second = try ClientMessage.parse(object.span, scratch: &scratch)
        #expect(second.dataBytes == 7)
        let plain = second.nameCharacters(in: object.span)
        #expect(plain == 8)
    }

    @Test(
        "No truncation, byte flip or insertion of a message traps or reads outside its scratch",
        arguments: 0..<accepted.count)
    func mutationsAreSurvived(index: Int) {
        let original = Array(Self.accepted[index].json.utf8)
        var state = UInt64(index) &+ 99
        for _ in 0..<400 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            var bytes = original
            let at = Int(state >> 33) % bytes.count, byte = UInt8(truncatingIfNeeded: state >> 24)
            switch state >> 62 {
            case 0: bytes.removeSubrange(at...)
            case 1: bytes[at] = byte
            case 2: bytes.insert(byte, at: at)
            default: bytes.remove(at: at)
            }
            _ = read(string(bytes))
        }
    }
}
