import BrokerCore
import Testing

@testable import Configuration

@Suite("Allow-lists") struct AllowListTests {
    @Test(
        "an origin has one form",
        arguments: [
            ("*", "*"), ("null", "null"), ("https://d.example", "https://d.example"),
            ("https://d.example/", "https://d.example"),
            (" https://D.Example ", "https://d.example"), ("HTTPS://D.EXAMPLE:443/", "https://d.example"),
            ("http://d.example:80", "http://d.example"), ("http://d.example:443", "http://d.example:443"),
            ("https://d.example:80", "https://d.example:80"), ("https://d.example:08443", "https://d.example:8443"),
            ("https://d.example:", "https://d.example"), ("d.example", "d.example"), ("D.Example/", "d.example"),
            ("*.D.example", "*.d.example"), ("*.d.example/", "*.d.example"),
            ("http://[::1]:3000/", "http://[::1]:3000"),
            ("[::1]", "[::1]"), ("localhost", "localhost"), ("http://localhost:5173", "http://localhost:5173"),
            ("capacitor://localhost", "capacitor://localhost"), ("file:///", "file://"),
            ("chrome-extension://abc/", "chrome-extension://abc"),
            ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"), ("my_host", "my_host"),
        ]) func hasOneForm(_ text: String, _ expected: String)
    {
        #expect(OriginPattern.parse(text) == .success(expected))
        #expect(OriginPattern.parse(expected) == .success(expected), "the form itself stays")
    }

    @Test(
        "what would never match is told",
        arguments: [
            ("https://d.example/shop", "has a path, which no origin has; write \"https://d.example\""),
            ("d.example/shop", "has a path, which no origin has; write \"d.example\""),
            ("https://d.example?x", "has a path, which no origin has; write \"https://d.example\""),
            ("https://d.example:443/#", "has a path, which no origin has; write \"https://d.example\""),
            ("https://u@d.example", "has a user name, which no origin has"),
            ("d.example:8080", "has a port and no scheme; write \"https://d.example:8080\" or http://…"),
            ("wss://d.example", "is where pages connect to; the origin of a page begins with https://"),
            ("ws://d.example", "is where pages connect to; the origin of a page begins with http://"),
            ("https://*.d.example", "is a pattern, which stands without scheme and port; write \"*.d.example\""),
            ("*.d.example:8080", "is a pattern, which stands without scheme and port; write \"*.d.example\""),
            ("https://*", "is no pattern that is known; those are \"*\" and \"*.host\""),
            ("d.*", "is no pattern that is known; those are \"*\" and \"*.host\""),
            ("*d.example", "is no pattern that is known; those are \"*\" and \"*.host\""),
            (".d.example", "begins with a dot; write \"*.d.example\" for all names below"),
            ("*://d.example", "has a scheme that is none; write https://…, or only the host for any scheme"),
            ("://d.example", "begins without a scheme; write https://… or only the host"),
            ("https://", "has no host"), ("https:///", "has no host"), ("*.", "has a host that is none"),
            ("d example", "has a host that is none"),
            ("https://d.example:0", "has a port that is none (1 to 65535)"),
            ("https://d.example:65536", "has a port that is none (1 to 65535)"),
            ("https://d.example:8o", "has a port that is none (1 to 65535)"),
            ("::1", "is an IPv6 address, which an origin has in brackets; write [::1]"),
            ("https://[::1", "lacks the ] of an IPv6 address"), ("https://[::1]x", "has text after the ]"),
            ("https://münchen.example", "is not ASCII; browsers send such a name as xn--…, so write it like that"),
            ("https://d.example,https://e.example", "has a host that is none"),
        ]) func isTold(_ text: String, _ expected: String)
    {
        guard case .failure(let error) = OriginPattern.parse(text) else { Issue.record("accepted"); return }
        #expect(error.text == "\"\(text.lowercased())\" \(expected)")
    }

    @Test func eachElementHasItsPlace() {
        let file = """
            { "host": "::1", "apps": [{ "id": "a", "key": "k", "secret": "s",
              "allowedOrigins": ["https://a.example/", "https://b.example/x"],
              "aliases": ["ok", "a/b"] }] }
            """
        #expect(
            load(file: file).lines == [
                "config.json:2:44: apps[0].allowedOrigins: \"https://b.example/x\" has a path, which no origin has; write \"https://b.example\"",
                "config.json:3:21: apps[0].aliases: must be 1 to 200 of A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) * + , ; = @ :, not \"a/b\"; a slash would end it in the path of a URL",
            ])
        #expect(
            load(file: "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"allowedOrigins\": [\"\"]}]}")
                .lines == [
                    "config.json:1:69: apps[0].allowedOrigins: an entry is empty; write \"*\" to allow all pages"
                ])
    }

    @Test func everyWayLeadsToTheSameForm() throws {
        let text = "HTTPS://D.example:443/, *.e.example"
        let ways = [
            load(["--allowed-origins", text]), load(env: ["STARLING_ALLOWED_ORIGINS": text]),
            load(env: ["SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS": text]),
        ]
        for way in ways {
            #expect(try way.get().settings.apps.first?.allowedOrigins == ["https://d.example", "*.e.example"])
        }
    }
}

@Suite("Ids, keys and secrets as people have them") struct IdentifierTests {
    static func file(_ id: String, _ key: String, _ secret: String = "s") -> String {
        JSONText.object([
            ("host", .string("::1")),
            ("apps", .array([.object([("id", .string(id)), ("key", .string(key)), ("secret", .string(secret))])])),
        ]).printed()
    }

    @Test(arguments: "-._~!$&'()*+,;=@aZ09".map(String.init)) func whatAPathTakesIsTaken(_ character: String) {
        for text in ["a\(character)", "\(character)a", "a\(character)\(character)"] {
            #expect(load(file: Self.file(text, text)).lines == [])
        }
        #expect(load(file: Self.file("a:b", "k")).lines == [], "a colon in an id")
    }

    @Test func base64IsAKey() throws {
        let key = "c2VjcmV0LWtleS0xMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NQ=="
        for family in ["SOKETI_DEFAULT_APP_", "REVERB_APP_", "PUSHER_APP_", "STARLING_APP_"] {
            let env = [family + "ID": "a+b=", family + "KEY": key, family + "SECRET": "x/+y=="]
            let result = load(["--host=::1"], env: env)
            #expect(result.lines == [])
            #expect(try result.get().settings.apps.first?.keys.first?.key == key)
        }
    }

    @Test(arguments: [
        "a/b", "a b", "a%41", "a?b", "a#b", "ä", "a\"b", "a\\b", "a[b", "a{b", "a|b", "a^b", "a`b", "a<b", ".", "..",
        "a\u{7F}",
    ])
    func whatAPathDoesNotTakeIsRefused(_ text: String) {
        let lines = load(file: Self.file(text, text)).lines
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains("must be 1 to 200 of") }, "\(lines)")
    }

    @Test(arguments: [
        ("s\r", "ends with a carriage return (from a file with Windows line ends?), which is part of it here"),
        ("s\r\n", "begins or ends with a blank, which is part of it here"),
        (" s", "begins or ends with a blank, which is part of it here"),
        ("s\t", "begins or ends with a blank, which is part of it here"),
        ("\"s\"", "has quotes around it, which are part of it here"),
        ("'s'", "has quotes around it, which are part of it here"),
    ]) func aSecretThatBroughtSomethingAlongIsTold(_ secret: String, _ expected: String) throws {
        #expect(
            load(file: Self.file("a", "k", secret)).lines.map {
                $0.split(separator: ": ").suffix(3).joined(separator: ": ")
            }
                == ["warning: apps[0]: the secret \(expected)"])
        #expect(
            load(["--host=::1"], env: ["STARLING_APP_KEY": "k", "STARLING_APP_SECRET": secret]).lines
                == ["env STARLING_APP_SECRET: warning: the STARLING_APP_* app: the secret \(expected)"])
        #expect(load(["--host=::1"], env: ["STARLING_APP_KEYS": "k:'s'"]).lines.count == 1)
    }

    @Test(arguments: [
        ("k\r", "; it ends with a carriage return"), ("\"k\"", "; it has quotes around it"),
        (" k", "; it begins or ends with a blank"),
    ])
    func aKeyThatBroughtSomethingAlongIsRefused(_ key: String, _ expected: String) {
        #expect(load(file: Self.file("a", key)).lines.first?.contains(expected) == true)
    }

    @Test(arguments: ["s", "a\"b", "\"", "a b", "\"a", "é"]) func otherSecretsAreFine(_ secret: String) {
        #expect(load(file: Self.file("a", "k", secret)).lines == [])
    }
}
