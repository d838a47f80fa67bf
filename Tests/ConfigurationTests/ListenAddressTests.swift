@testable import Configuration
import Testing

@Suite("What to listen on") struct ListenAddressTests {
    @Test(
        arguments: [
            ("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("::", "::"), ("broker.local", "broker.local"),
            ("unix:/run/s.sock", "unix:/run/s.sock?mode=0660"),
            ("unix:/run/s.sock?mode=600", "unix:/run/s.sock?mode=0600"),
            ("unix:/run/s.sock?mode=0777", "unix:/run/s.sock?mode=0777"),
            ("unix:/\(String(repeating: "x", count: 106))", "unix:/\(String(repeating: "x", count: 106))?mode=0660"),
        ])
    func eachHasOneForm(text: String, form: String) throws {
        let address = try ListenAddress.parse(text).get()
        #expect(address.text == form)
        #expect(ListenAddress(form) == address, "it reads back")
    }

    @Test(
        arguments: [
            ("", "must be a name, an address or unix:/PATH, not \"\""),
            ("a b", "must be a name, an address or unix:/PATH, not \"a b\""),
            ("a/b", "must be a name, an address or unix:/PATH, not \"a/b\""),
            ("/run/s", "must be a name, an address or unix:/PATH, not \"/run/s\""),
            ("unix:", "unix: needs an absolute path of at most 107 bytes without blanks, not \"\""),
            ("unix:run/s", "unix: needs an absolute path of at most 107 bytes without blanks, not \"run/s\""),
            ("unix:/", "unix: needs an absolute path of at most 107 bytes without blanks, not \"/\""),
            ("unix:/run/", "unix: needs an absolute path of at most 107 bytes without blanks, not \"/run/\""),
            ("unix:/a b", "unix: needs an absolute path of at most 107 bytes without blanks, not \"/a b\""),
            ("unix:/s?mode=", "the mode of a socket is three octal digits such as 0660, not \"\""),
            ("unix:/s?mode=888", "the mode of a socket is three octal digits such as 0660, not \"888\""),
            ("unix:/s?mode=1777", "the mode of a socket is three octal digits such as 0660, not \"1777\""),
            ("unix:/s?mode=-66", "the mode of a socket is three octal digits such as 0660, not \"-66\""),
            ("unix:/s?mode=66", "the mode of a socket is three octal digits such as 0660, not \"66\""),
        ])
    func whatIsWrongIsSaid(text: String, why: String) {
        guard case .failure(let error) = ListenAddress.parse(text) else { Issue.record("taken"); return }
        #expect(error.text == why)
    }

    private func hosts(
        _ arguments: [String] = [], env: [String: String] = [:], file: String? = nil
    ) throws(ConfigurationFailure) -> [String] {
        try load(arguments, env: env, file: file).get().settings.hosts
    }

    @Test func severalComeByCommasRepetitionAndLists() throws {
        #expect(try hosts() == ["auto"])
        #expect(try hosts(["--host", "::1, 127.0.0.1"]) == ["::1", "127.0.0.1"])
        #expect(try hosts(["--host", "::1", "--port", "1", "--host", "unix:/s"]) == ["::1", "unix:/s?mode=0660"])
        #expect(try hosts(["--host", "::1", "--host", "[::1]"]) == ["::1"], "each once")
        #expect(try hosts(env: ["STARLING_HOST": "10.0.0.1,10.0.0.2"]) == ["10.0.0.1", "10.0.0.2"])
        #expect(try hosts(file: #"{"host": ["::1", "unix:/s?mode=600"]}"#) == ["::1", "unix:/s?mode=0600"])
        #expect(try hosts(file: #"{"host": "::1"}"#) == ["::1"])
        #expect(
            try hosts(["--host", "::1"], env: ["STARLING_HOST": "10.0.0.1"]) == ["::1"], "layers replace one another")
    }

    @Test(
        arguments: [
            (#"{"host": []}"#, "config.json:1:10: host: must not be empty"),
            (
                #"{"host": ["::1", "a b"]}"#,
                "config.json:1:18: host: must be a name, an address or unix:/PATH, not \"a b\""
            ),
            (#"{"host": 7}"#, "config.json:1:10: host: must be text, or a list of texts, not a number"),
            (
                #"{"takeoverSocket": "run/t"}"#,
                "config.json:1:20: takeoverSocket: must be auto, none or an absolute path of at most 103 bytes, not \"run/t\""
            ),
            (#"{"takeover": true, "takeoverSocket": "none"}"#, "config.json:1:38: takeoverSocket: takeover needs one"),
            (#"{"logFormat": "xml"}"#, "config.json:1:15: logFormat: must be one of text, json, not \"xml\""),
        ])
    func aFileIsToldWhereItIsWrong(file: String, problem: String) {
        guard case .failure(let failure) = load(file: file) else { Issue.record("loaded"); return }
        #expect(failure.problems.map(\.description).first?.hasSuffix(problem) == true, "\(failure.problems)")
    }

    @Test func oneIsShownAsTextAndSeveralAsAList() {
        #expect(OptionValue.texts(["::1"]).json().printed() == "\"::1\"")
        #expect(OptionValue.texts(["::1", "a"]).json().printed().contains("["))
    }
}
