import PusherProtocol
import Testing
import Wire

@Suite("Server frames (Pusher protocol §2–§5)") struct ServerFrameTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let expected: String
        let encode: @Sendable (inout [UInt8]) -> Void
    }

    private static let channel = Array("presence-foobar".utf8)
    private static let awkward = Array("#server-to-user-a\"b\\c".utf8)

    static let rows: [Row] = [
        Row(
            testDescription: "PW-001…PW-005: connection_established",
            expected:
                #"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1234.5\",\"activity_timeout\":120}"}"#
        ) {
            ServerFrame.connectionEstablished(
                socketID: SocketID(high: 1234, low: 5), activityTimeoutSeconds: 120, to: &$0)
        },
        Row(testDescription: "PW-024: pong has data and no channel", expected: #"{"event":"pusher:pong","data":"{}"}"#)
        {
            ServerFrame.pong(to: &$0)
        },
        Row(
            testDescription: "PW-038: error with a code",
            expected: #"{"event":"pusher:error","data":{"code":4009,"message":"a \"b\" \\c"}}"#
        ) { ServerFrame.error(code: 4009, message: #"a "b" \c"#, to: &$0) },
        Row(
            testDescription: "PW-038: error without a code",
            expected: #"{"event":"pusher:error","data":{"code":null,"message":"m"}}"#
        ) { ServerFrame.error(code: nil, message: "m", to: &$0) },
        Row(
            testDescription: "PW-039: subscription_succeeded",
            expected:
                #"{"event":"pusher_internal:subscription_succeeded","channel":"presence-foobar","data":"{}"}"#
        ) { ServerFrame.subscriptionSucceeded(channel: channel.span, to: &$0) },
        Row(
            testDescription: "a user channel's name is escaped",
            expected:
                #"{"event":"pusher_internal:subscription_succeeded","channel":"#
                + ##""#server-to-user-a\"b\\c","data":"{}"}"##
        ) { ServerFrame.subscriptionSucceeded(channel: awkward.span, to: &$0) },
        Row(
            testDescription: "PW-063: subscription_error, with any name a client may send",
            expected: #"{"event":"pusher:subscription_error","channel":"a\n\"b","data":"#
                + #"{"type":"AuthError","error":"no","status":401}}"#
        ) { out in
            let literal = Array(#""a\n\"b""#.utf8)
            ServerFrame.subscriptionError(channelLiteral: literal.span, .auth, error: "no", to: &out)
        },
        Row(
            testDescription: "subscription_error of a known failure",
            expected: #"{"event":"pusher:subscription_error","channel":"presence-foobar","data":"#
                + #"{"type":"LimitReached","error":"full","status":4100}}"#
        ) { out in
            let literal = Array(#""presence-foobar""#.utf8)
            ServerFrame.subscriptionError(channelLiteral: literal.span, .presenceFull, error: "full", to: &out)
        },
        Row(
            testDescription: "PW-072: member_added",
            expected: #"{"event":"pusher_internal:member_added","channel":"presence-foobar","#
                + #""data":"{\"user_id\":\"11\",\"user_info\":{\"name\":\"E\\u0076e\\n\"}}"}"#
        ) { out in
            let id = Array("11".utf8), info = Array(#"{"name":"E\u0076e\n"}"#.utf8)
            ServerFrame.memberAdded(channel: channel.span, userID: id.span, userInfoJSON: info.span, to: &out)
        },
        Row(
            testDescription: "member_added without user_info",
            expected: #"{"event":"pusher_internal:member_added","channel":"presence-foobar","#
                + #""data":"{\"user_id\":\"a\\\"b\"}"}"#
        ) { out in
            let id = Array("a\"b".utf8)
            ServerFrame.memberAdded(channel: channel.span, userID: id.span, userInfoJSON: nil, to: &out)
        },
        Row(
            testDescription: "PW-075: member_removed",
            expected: #"{"event":"pusher_internal:member_removed","channel":"presence-foobar","#
                + #""data":"{\"user_id\":\"11\"}"}"#
        ) { out in
            let id = Array("11".utf8)
            ServerFrame.memberRemoved(channel: channel.span, userID: id.span, to: &out)
        },
        Row(
            testDescription: "PW-085: cache_miss has channel and data",
            expected: #"{"event":"pusher:cache_miss","channel":"presence-foobar","data":"{}"}"#
        ) { ServerFrame.cacheMiss(channel: channel.span, to: &$0) },
        Row(
            testDescription: "PW-181: subscription_count",
            expected: #"{"event":"pusher_internal:subscription_count","channel":"presence-foobar","#
                + #""data":"{\"subscription_count\":3}"}"#
        ) { ServerFrame.subscriptionCount(channel: channel.span, count: 3, to: &$0) },
        Row(
            testDescription: "PW-109: signin_success echoes user_data as a string in a string",
            expected: #"{"event":"pusher:signin_success","data":"{\"user_data\":\"{\\\"id\\\":\\\"u1\\\"}\"}"}"#
        ) { out in
            let data = Array(#"{"id":"u1"}"#.utf8)
            ServerFrame.signinSuccess(userData: data.span, to: &out)
        },
        Row(
            testDescription: "PW-119: watchlist_events",
            expected: #"{"event":"pusher_internal:watchlist_events","data":"{\"events\":["#
                + #"{\"name\":\"online\",\"user_ids\":[\"a\",\"b\"]},{\"name\":\"offline\",\"user_ids\":[\"c\"]}]}"}"#
        ) { ServerFrame.watchlistEvents(online: [[0x61], [0x62]], offline: [[0x63]], to: &$0) },
        Row(
            testDescription: "watchlist_events with one list",
            expected: #"{"event":"pusher_internal:watchlist_events","data":"{\"events\":["#
                + #"{\"name\":\"offline\",\"user_ids\":[\"c\"]}]}"}"#
        ) { ServerFrame.watchlistEvents(online: [], offline: [[0x63]], to: &$0) },
        Row(
            testDescription: "PW-042: an event's literals go out as they came in",
            expected: #"{"event":"App\\Events\\X","channel":"presence-foobar","data":"{\u0022x\u0022:\/1}"}"#
        ) { out in
            let name = Array(#""App\\Events\\X""#.utf8), data = Array(#""{\u0022x\u0022:\/1}""#.utf8)
            ServerFrame.event(nameLiteral: name.span, channel: channel.span, dataLiteral: data.span, to: &out)
        },
        Row(
            testDescription: "PW-096: a presence client event has its sender's user_id",
            expected: #"{"event":"client-x","channel":"presence-foobar","data":"1","user_id":"a\"b"}"#
        ) { out in
            let name = Array(#""client-x""#.utf8), data = Array(#""1""#.utf8), id = Array("a\"b".utf8)
            ServerFrame.event(
                nameLiteral: name.span, channel: channel.span, dataLiteral: data.span, isOpen: true, to: &out)
            ServerFrame.appendUserID(id.span, to: &out)
        },
    ]

    static let connectionLevel: Set = [
        "pusher:connection_established", "pusher:pong", "pusher:error", "pusher:signin_success",
        "pusher_internal:watchlist_events",
    ]

    @Test(arguments: rows) func encodesExactly(_ row: Row) throws {
        let frame = text(row.encode)
        #expect(frame == row.expected)
        // PW-036, PW-183: a JSON object; `data` always there; `channel` absent on connection-level frames.
        let found = try members(frame)
        #expect(found["data"] != nil)
        let event = try #require(found["event"])
        #expect((found["channel"] == nil) == Self.connectionLevel.contains(event))
    }

    @Test("PW-068, PW-070: a roster of fragments makes a snapshot with count, ids and hash")
    func presenceSnapshot() throws {
        var ids: [UInt8] = [], hash: [UInt8] = []
        let one = Array("10".utf8), two = Array("Ann \"A\"\n".utf8), info = Array(#"{ "name" : "Mr. \"P\"" }"#.utf8)
        ServerFrame.appendIDFragment(userID: one.span, to: &ids)
        ids.append(UInt8(ascii: ","))
        ServerFrame.appendIDFragment(userID: two.span, to: &ids)
        ServerFrame.appendHashFragment(userID: one.span, userInfoJSON: info.span, to: &hash)
        hash.append(UInt8(ascii: ","))
        ServerFrame.appendHashFragment(userID: two.span, userInfoJSON: nil, to: &hash)
        let frame = text { out in
            ServerFrame.presenceSucceeded(
                channel: Self.channel.span, count: 2, idsEscaped: ids.span, hashEscaped: hash.span, to: &out)
        }
        let outer = try members(frame)
        #expect(outer["event"] == "pusher_internal:subscription_succeeded")
        let data = try members(try #require(outer["data"]))
        let presence = try members(try #require(data["presence"]))
        #expect(presence["count"] == "2")
        #expect(presence["ids"] == #"["10","Ann \"A\"\n"]"#)
        let map = try members(try #require(presence["hash"]))
        #expect(map == ["10": #"{ "name" : "Mr. \"P\"" }"#, "Ann \"A\"\n": "null"])
    }

    @Test("Text escaped for two levels reads back from both", arguments: 0..<64)
    func escapingTwiceRoundTrips(seed: Int) throws {
        var state = UInt64(seed) &+ 7
        let scalars = (0..<40).map { _ -> Character in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            let pick = UInt32(truncatingIfNeeded: state >> 33)
            let special: [UInt32] = [0x22, 0x5C, 0x0A, 0x00, 0x1F, 0x08, 0x0C, 0x2F, 0x7F, 0xE9, 0x20AC, 0x1F600]
            return Character(UnicodeScalar(special[Int(pick) % special.count]) ?? " ")
        }
        let value = String(scalars), bytes = Array(value.utf8)
        let frame = text { ServerFrame.signinSuccess(userData: bytes.span, to: &$0) }
        let data = try #require(try members(frame)["data"])
        #expect(try members(data)["user_data"] == value)
    }
}
