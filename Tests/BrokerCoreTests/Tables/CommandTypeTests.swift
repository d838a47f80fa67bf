import BrokerCore
import TestSupport
import Testing

/// Every member of the commands with every JSON type: a failed subscription is told in two frames, a failed sign-in by 4009, and
/// what a member does not mean it cannot break (Pusher protocol §3.2, §3.4, §5.1).
@Suite("JSON types in commands") struct CommandTypeTests {
    private static let refusedName = ["refused InvalidChannelName 4009", "error null"]
    private static let refusedAuth = ["refused AuthError 401", "error null"]
    private static let refusedData = ["refused InvalidChannelData 4302", "error 4302"]

    /// What is no string. `nil`: the member is not there.
    private static let noStrings: [Row<String>] = [
        Row("a number", "7"), Row("a fraction", "-1.5e3"), Row("true", "true"), Row("false", "false"),
        Row("an object", "{}"),
        Row("an object with text", #"{"a":"b"}"#), Row("an array", "[]"), Row("an array of strings", #"["x"]"#),
        Row("half of a surrogate pair", #""\ud800""#), Row("text cut through a character", #""key:ab\uD83D""#),
    ]
    private static let absent: [Row<String>] = [Row("null", "null"), Row("absent", "")]

    /// The members as one object; those with an empty value are left out.
    private func object(_ members: [(String, String)]) -> String {
        "{" + members.filter { !$0.1.isEmpty }.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    /// What a command is answered; the same must come when `data` is a string that holds the object (PW-041).
    private func answers(
        _ fixture: BrokerFixture, _ peer: Peer, _ event: String, _ members: [(String, String)]
    ) throws -> [String] {
        let data = object(members)
        let plain = fixture.say(peer, #"{"event":"pusher:\#(event)","data":\#(data)}"#)
        let channel = members.first { $0.0 == "channel" }?.1 ?? ""
        if plain.first?.contains("subscription_succeeded") == true {
            fixture.say(peer, #"{"event":"pusher:unsubscribe","data":{"channel":\#(channel)}}"#)
        }
        let twice = fixture.say(peer, #"{"event":"pusher:\#(event)","data":\#(Text.literal(data))}"#)
        // The words for people may differ: what is no text in the one is an escape sequence in the other.
        #expect(twice.map(BrokerFixture.gist) == plain.map(BrokerFixture.gist), "\(data)")
        if twice.first?.contains("subscription_succeeded") == true {
            fixture.say(peer, #"{"event":"pusher:unsubscribe","data":{"channel":\#(channel)}}"#)
        }
        #expect(fixture.closed.isEmpty)
        return plain
    }

    @Test("On a channel without a signature auth and channel_data mean nothing", arguments: noStrings + absent)
    func publicChannels(_ row: Row<String>) throws {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        fixture.signIn(peer, #"{"id":"u1"}"#)
        for channel in ["c", "cache-c", Model.userChannel("u1")] {
            let members = [("auth", row.value), ("channel", Text.literal(channel)), ("channel_data", row.value)]
            let heard = try answers(fixture, peer, "subscribe", members)
            #expect(heard.first == Text.succeeded(channel))
        }
        // Given twice, they mean no more.
        let twice = [
            ("channel", "\"c\""), ("auth", "1"), ("auth", "2"), ("channel_data", "{}"), ("channel_data", "[]"),
        ]
        #expect(try answers(fixture, peer, "subscribe", twice) == [Text.succeeded("c")])
    }

    @Test("An auth that is no text is a refused auth", arguments: noStrings + absent + [Row("empty", "\"\"")])
    func refusedAuths(_ row: Row<String>) throws {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        for channel in ["private-a", "private-cache-a", "private-encrypted-a", "presence-a"] {
            let members = [
                ("channel", Text.literal(channel)), ("auth", row.value), ("channel_data", #""{\"user_id\":\"u\"}""#),
            ]
            let heard = try answers(fixture, peer, "subscribe", members)
            #expect(heard.map(BrokerFixture.gist) == Self.refusedAuth)
            #expect(heard[0].contains(#","channel":"\#(channel)","#))
        }
        let twice = [("channel", "\"private-a\""), ("auth", "\"x\""), ("auth", "\"y\"")]
        #expect(try answers(fixture, peer, "subscribe", twice).map(BrokerFixture.gist) == Self.refusedAuth)
    }

    @Test("A channel_data that is no text is refused wherever it is signed", arguments: noStrings)
    func refusedChannelData(_ row: Row<String>) throws {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        for channel in ["private-a", "private-encrypted-cache-a", "presence-a"] {
            let auth = fixture.signer.channel(channel, socket: fixture.socket(peer))
            let members = [
                ("channel", Text.literal(channel)), ("auth", Text.literal(auth)), ("channel_data", row.value),
            ]
            #expect(try answers(fixture, peer, "subscribe", members).map(BrokerFixture.gist) == Self.refusedData)
        }
    }

    @Test("Absent and null are no channel_data, empty is one: signed as hosted Pusher does, or without it")
    func emptyChannelData() throws {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        func subscribe(_ channel: String, signed data: String?, sent: String) throws -> [String] {
            let auth = Text.literal(fixture.signer.channel(channel, socket: fixture.socket(peer), data: data))
            let members = [("channel", Text.literal(channel)), ("auth", auth), ("channel_data", sent)]
            return try answers(fixture, peer, "subscribe", members).map(BrokerFixture.gist)
        }
        for channel in ["private-a", "private-encrypted-a"] {
            for sent in ["", "null", "\"\""] {
                #expect(try subscribe(channel, signed: nil, sent: sent) == [Text.succeeded(channel)])
            }
            #expect(try subscribe(channel, signed: "", sent: "\"\"") == [Text.succeeded(channel)])
            #expect(try subscribe(channel, signed: "", sent: "null") == Self.refusedAuth)
            #expect(try subscribe(channel, signed: " ", sent: "\"\"") == Self.refusedAuth)
            #expect(try subscribe(channel, signed: nil, sent: "\" \"") == Self.refusedAuth)
        }
        for signed in [nil, ""] {
            #expect(try subscribe("presence-a", signed: signed, sent: "\"\"") == Self.refusedData, "it names nobody")
        }
        #expect(try subscribe("presence-a", signed: "x", sent: "\"\"") == Self.refusedAuth)
    }

    @Test("A presence channel_data that was forgotten is called missing, not its signature wrong", arguments: absent)
    func missingChannelData(_ row: Row<String>) throws {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        for data in [nil, #"{"user_id":"u"}"#] {
            let auth = fixture.signer.channel("presence-a", socket: fixture.socket(peer), data: data)
            let members = [("channel", "\"presence-a\""), ("auth", Text.literal(auth)), ("channel_data", row.value)]
            let heard = try answers(fixture, peer, "subscribe", members)
            #expect(heard.map(BrokerFixture.gist) == Self.refusedData)
            #expect(heard.allSatisfy { $0.contains("channel_data is missing") })
        }
        // Who is signed in needs none, so that there the signature is what is wrong.
        fixture.signIn(peer, #"{"id":"u1"}"#)
        let wrong = Text.literal(fixture.signer.channel("presence-a", socket: "1.1"))
        let members = [("channel", "\"presence-a\""), ("auth", wrong), ("channel_data", row.value)]
        #expect(try answers(fixture, peer, "subscribe", members).map(BrokerFixture.gist) == Self.refusedAuth)
    }

    @Test("A subscribe without a channel fails as every subscription does", arguments: noStrings + absent)
    func refusedChannels(_ row: Row<String>) throws {
        for (dialect, wanted) in [
            (AppSettings.SubscriptionErrorDialect.both, Self.refusedName), (.soketi, Array(Self.refusedName.prefix(1))),
            (.hosted, Array(Self.refusedName.suffix(1))),
        ] {
            let fixture = BrokerFixture { $0.subscriptionErrors = dialect }
            let peer = fixture.connect()
            for auth in ["", "\"x\"", "{}"] {
                let heard = try answers(fixture, peer, "subscribe", [("channel", row.value), ("auth", auth)])
                #expect(heard.map(BrokerFixture.gist) == wanted)
                // The name as it came, where it is a string; else none.
                let name = row.value.hasPrefix("\"") ? row.value : "\"\""
                if dialect != .hosted { #expect(heard[0].contains(#","channel":\#(name),"data":{"#)) }
            }
            #expect(try answers(fixture, peer, "subscribe", [("channel", "\"\"")]).map(BrokerFixture.gist) == wanted)
            #expect(
                try answers(fixture, peer, "subscribe", [("channel", "\"a\""), ("channel", "\"a\"")]).map(
                    BrokerFixture.gist)
                    == wanted)
        }
    }

    @Test(
        "Data that is no object fails the command it was for",
        arguments: noStrings + absent + [
            Row("empty", "\"\""), Row("no JSON", "\"{\""), Row("an array inside", "\"[]\""),
            Row("a number inside", "\"7\""),
            Row("more than one", #""{\"channel\":\"a\"}{}""#),
        ])
    func refusedObjects(_ row: Row<String>) {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        let member = row.value.isEmpty ? "" : ",\"data\":" + row.value
        for (event, wanted) in [
            ("subscribe", Self.refusedName), ("signin", ["error 4009"]), ("unsubscribe", ["error null"]),
        ] {
            let heard = fixture.say(peer, #"{"event":"pusher:\#(event)"\#(member)}"#)
            // An object is one, and holds nothing: that is what is wrong with it.
            #expect(heard.map(BrokerFixture.gist) == wanted, "\(event)")
        }
        let twice = #"{"event":"pusher:subscribe","data":{"channel":"a"},"data":{"channel":"a"}}"#
        #expect(fixture.say(peer, twice).map(BrokerFixture.gist) == Self.refusedName)
        #expect(fixture.closed.isEmpty && fixture.app.channelCount == 0)
    }

    @Test(
        "An unsubscribe without a channel is an error of its own",
        arguments: noStrings + absent + [Row("empty", "\"\"")])
    func refusedUnsubscribes(_ row: Row<String>) throws {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        fixture.subscribe(peer, "a")
        #expect(
            try answers(fixture, peer, "unsubscribe", [("channel", row.value)]).map(BrokerFixture.gist) == [
                "error null"
            ])
        #expect(fixture.app.channelCount == 1)
        #expect(try answers(fixture, peer, "unsubscribe", [("channel", "\"a\""), ("auth", row.value)]).isEmpty)
        #expect(fixture.app.channelCount == 0)
    }

    @Test(
        "A sign-in with a member that is missing or no text is 4009",
        arguments: noStrings + absent + [Row("empty", "\"\"")])
    func refusedSignIns(_ row: Row<String>) throws {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        let data = #"{"id":"u1"}"#
        let (auth, text) = (Text.literal(fixture.signer.user(data, socket: fixture.socket(peer))), Text.literal(data))
        for members in [
            [("auth", row.value), ("user_data", text)], [("auth", auth), ("user_data", row.value)],
            [("auth", row.value), ("user_data", row.value)], [("user_data", row.value), ("auth", "7")],
        ] {
            #expect(
                try answers(fixture, peer, "signin", members).map(BrokerFixture.gist) == ["error 4009"], "\(members)")
        }
        let empty = Text.literal(fixture.signer.user("", socket: fixture.socket(peer)))
        #expect(
            try answers(fixture, peer, "signin", [("auth", empty), ("user_data", "\"\"")]).map(BrokerFixture.gist) == [
                "error 4009"
            ]
        )
        #expect(!fixture.brokers[0].isAuthorized(peer.slot))
        #expect(
            try answers(fixture, peer, "signin", [("auth", auth), ("user_data", text), ("channel", row.value)]).count
                == 1)
    }

    @Test("No pusher:error of a refused subscription has a code that makes Pysher hang up")
    func codes() {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        let long = String(repeating: "x", count: 201)
        for (channel, type) in [(long, "LimitReached"), ("a b", "InvalidChannelName"), ("#x", "InvalidChannelName")] {
            #expect(
                fixture.say(peer, Text.subscribe(channel)).map(BrokerFixture.gist) == [
                    "refused \(type) 4009", "error null",
                ])
        }
    }
}
