import PusherProtocol
import Testing

@Suite("Who joins and who signs in (Pusher protocol §3.7, §5.1, §5.3)") struct IdentityTests {
    private func member(_ json: String) -> Result<(id: String, info: String?), IdentityError> {
        let bytes = Array(json.utf8)
        return Result { () throws(IdentityError) in
            let member = try PresenceMember.parse(bytes.span, userIDCharactersMax: 128)
            return (string(member.userID), member.userInfo.map { string(bytes[$0]) })
        }
    }

    private func user(_ json: String, watchlistMax: Int = 100) throws(IdentityError) -> UserData {
        let bytes = Array(json.utf8)
        return try UserData.parse(bytes.span, watchlistMax: watchlistMax, userIDCharactersMax: 128)
    }

    @Test(
        "PW-069: ids become text",
        arguments: zip(
            [
                #""u1""#, #""""# + " ", "10", "10.0", "10.000", "-0", "-7", "1e2", "1.5e1", "10.5", "1e400",
                #""a\u0062""#,
                "12345678901234567890", "9007199254740993.0", "1.0e0", "0.0", "100e-2",
            ],
            [
                "u1", nil, "10", "10", "10", "0", "-7", "100", "15", "10.5", "1e400", "ab", "12345678901234567890",
                "9007199254740993", "1", "0", "1",
            ]))
    func userIDs(_ literal: String, _ expected: String?) {
        #expect((try? member(#"{"user_id":\#(literal)}"#).get())?.id == expected)
    }

    @Test("PW-070: user_info is kept as raw text; absent and null are none")
    func userInfo() throws {
        #expect(try member(#"{"user_id":"a","user_info": {"n": "\u00e9" } }"#).get().info == #"{"n": "\u00e9" }"#)
        #expect(try member(#"{"user_info":[1, 2],"user_id":"a"}"#).get().info == "[1, 2]")
        #expect(try member(#"{"user_id":"a","user_info":null}"#).get().info == nil)
        #expect(try member(#"{"user_id":"a","other":1}"#).get().info == nil)
    }

    @Test(
        "PW-071: channel_data that names nobody is refused with a text about the field",
        arguments: [
            "", "not json", "[]", "{}", #"{"user_id":null}"#, #"{"user_id":true}"#, #"{"user_id":[]}"#,
            #"{"user_id":{}}"#, #"{"user_id":""}"#, #"{"user_id":"a","user_id":"b"}"#, #"{"user_id":"a"}x"#,
            #"{"user_id":"a","user_info":1,"user_info":2}"#,
        ])
    func refusedMembers(_ json: String) {
        guard case .failure(let error) = member(json) else {
            Issue.record("accepted")
            return
        }
        #expect(error.text.contains("channel_data"))
    }

    @Test("PW-109: sign-in data") func signIn() throws {
        let data = try user(#"{"id":"u1","user_info":{"name":"Ann"},"watchlist":["u2","u3","u2"]}"#)
        #expect(string(data.id) == "u1")
        #expect(data.watchlist.map(string) == ["u2", "u3"])
        #expect(data.userInfo == 23..<37)
        #expect(!data.isWatchlistTooLong)
        #expect(try user(#"{"id":"u1","watchlist":null}"#).watchlist.isEmpty)
    }

    @Test("PW-121: a watchlist of 150 is cut to its first 100") func longWatchlist() throws {
        let list = (0..<150).map { "\"w\($0)\"" }.joined(separator: ",")
        let data = try user(#"{"id":"u1","watchlist":[\#(list)]}"#)
        #expect(data.isWatchlistTooLong)
        #expect(data.watchlist.map(string) == (0..<100).map { "w\($0)" })
        #expect(try user(#"{"id":"u1","watchlist":["a"]}"#, watchlistMax: 1).isWatchlistTooLong == false)
        #expect(try user(#"{"id":"u1","watchlist":["a"]}"#, watchlistMax: 0).isWatchlistTooLong)
    }

    @Test(
        "PW-110: user_data that names nobody is refused",
        arguments: [
            "", "x", "{}", #"{"id":5}"#, #"{"id":""}"#, #"{"id":null}"#, #"{"id":"a","id":"a"}"#,
            #"{"id":"a","watchlist":{}}"#, #"{"id":"a","watchlist":["b",5]}"#, #"{"id":"a","watchlist":[""]}"#,
        ])
    func refusedUsers(_ json: String) {
        #expect { try user(json) } throws: { ($0 as? IdentityError)?.text.contains("user_data") == true }
    }

    @Test("The message names the position in the watchlist") func watchlistPosition() {
        #expect { try user(#"{"id":"a","watchlist":["b",5]}"#) } throws: {
            ($0 as? IdentityError)?.text == "user_data.watchlist[1] must be a user id (a string), not a number"
        }
    }
}
