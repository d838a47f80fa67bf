import BrokerCore
import Testing

@testable import Configuration

@Suite("Messages about a configuration file") struct FileMessageTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String, file: String
        let expected: [String]
        init(_ name: String, _ file: String, _ expected: String...) {
            (testDescription, self.file, self.expected) = (name, file, expected)
        }
    }

    static let syntax = [
        Row("empty file", "", "config.json:1:1: file is empty; expected a JSON object"),
        Row("only a comment", "// nothing\n", "config.json:2:1: file is empty; expected a JSON object"),
        Row("not an object", "[]", "config.json:1:1: a configuration is an object, not an array"),
        Row("trailing comma", "{\n  \"port\": 1,\n}", "config.json:2:12: trailing comma before \"}\""),
        Row(
            "trailing comma in an array", "{\"apps\": [1,]}", "config.json:1:12: trailing comma before \"]\"",
            "config.json:1:11: apps[0]: must be an object, not a number"),
        Row("missing comma", "{\"port\": 1\n \"loops\": 1}", "config.json:1:11: missing comma"),
        Row(
            "duplicate key", "{\"port\": 1,\n \"port\": 2}",
            "config.json:2:2: key \"port\" is given twice; the first is at config.json:1:2"),
        Row("missing colon", "{\"port\" 1}", "config.json:1:9: expected \":\" after key \"port\", not \"1\""),
        Row("unquoted key", "{port: 1}", "config.json:1:2: expected a key in double quotes, not \"p\""),
        Row("single quotes", "{\"host\": 'x'}", "config.json:1:10: strings take double quotes, not single ones"),
        Row("open string", "{\"host\": \"x\n}", "config.json:1:10: string is not closed on its line"),
        Row("open comment", "{ /* \n", "config.json:1:3: comment is not closed"),
        Row("cut off", "{\"apps\": [", "config.json:1:11: file ends where a value was expected"),
        Row(
            "cut off after a value", "{\"port\": 1",
            "config.json:1:11: expected \",\" or \"}\", not the end of the file"),
        Row("text after the end", "{} x", "config.json:1:4: unexpected \"x\" after the end of the document"),
        Row(
            "bad escape", "{\"host\": \"a\\qb\"}",
            "config.json:1:12: unknown escape \\q; a backslash itself is written \\\\"),
        Row(
            "lone surrogate", "{\"host\": \"\\ud800\"}",
            "config.json:1:11: \\u takes four hexadecimal digits that name a character"),
        Row(
            "tab in a string", "{\"host\": \"a\tb\"}",
            "config.json:1:12: control character in a string; write it as \\u0009"),
        Row("leading zero", "{\"port\": 080}", "config.json:1:10: not a JSON number; text takes double quotes"),
        Row(
            "columns count characters", "{\"host\": \"häß\", \"port\": x}",
            "config.json:1:25: not a JSON value; text takes double quotes"),
    ]

    static let values = [
        Row("unknown key", "{\"prot\": 1}", "config.json:1:2: unknown key \"prot\" — did you mean \"port\"?"),
        Row("unknown key without a neighbour", "{\"zzzzzz\": 1}", "config.json:1:2: unknown key \"zzzzzz\""),
        Row(
            "app key at the top", "{\"clientEvents\": true}",
            "config.json:1:2: unknown key \"clientEvents\"; it belongs into an element of \"apps\""),
        Row(
            "unknown app key",
            "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"clientEvent\": true}]}",
            "config.json:1:50: unknown key \"clientEvent\" in apps[0] — did you mean \"clientEvents\"?"),
        Row(
            "limit outside limits", "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"channels\": 1}]}",
            "config.json:1:50: unknown key \"channels\" in apps[0]; it belongs into \"limits\""),
        Row(
            "unknown limit",
            "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"limits\": {\"chanels\": 1}}]}",
            "config.json:1:61: unknown key \"chanels\" in apps[0].limits — did you mean \"channels\"?"),
        Row(
            "wrong type", "{\"port\": \"80\"}",
            "config.json:1:10: port: must be a whole number from 0 to 65535, not a string"),
        Row(
            "out of range", "{\"port\": 70000}",
            "config.json:1:10: port: must be a whole number from 0 to 65535, not 70000"),
        Row("fraction", "{\"port\": 1.5}", "config.json:1:10: port: must be a whole number from 0 to 65535, not 1.5"),
        Row(
            "larger than an integer", "{\"port\": 99999999999999999999}",
            "config.json:1:10: port: must be a whole number from 0 to 65535, not 99999999999999999999"),
        Row(
            "not a boolean", "{\"production\": 1}", "config.json:1:16: production: must be true or false, not a number"),
        Row(
            "not a word", "{\"logLevel\": \"debgu\"}",
            "config.json:1:14: logLevel: must be one of error, warning, info, debug, not \"debgu\" — did you mean \"debug\"?"
        ),
        Row(
            "limit below -1", "{\"connections\": -2}",
            "config.json:1:17: connections: must be -1 (unlimited) or a whole number from 1 to 10000000, not -2"),
        Row(
            "list with a number", "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"aliases\": [1]}]}",
            "config.json:1:62: apps[0].aliases: must be a list of texts, not one with a number in it"),
        Row(
            "quota code", "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"quotaCode\": 4001}]}",
            "config.json:1:63: apps[0].quotaCode: must be 4004 or 4100, not 4001"),
        Row(
            "several at once", "{\n  \"port\": -1,\n  \"lops\": 2,\n  \"production\": \"x\"\n}",
            "config.json:2:11: port: must be a whole number from 0 to 65535, not -1",
            "config.json:3:3: unknown key \"lops\" — did you mean \"loops\"?",
            "config.json:4:17: production: must be true or false, not a string"),
        Row(
            "missing variables", "{\"host\": \"${A}-${B}\", \"port\": \"${C:-1}\"}",
            "config.json:1:10: variable A is not set; ${A:-default} would allow that",
            "config.json:1:10: variable B is not set; ${B:-default} would allow that",
        ),
        Row(
            "open interpolation", "{\"readyFile\": \"${A\"}",
            "config.json:1:15: malformed ${…}; write ${NAME}, ${NAME:-default}, or $${ for a literal ${"),
        Row(
            "total smaller than one", "{\"backlogBytes\": 1073741824,\n \"backlogTotalBytes\": 1048576}",
            "config.json:2:23: backlogTotalBytes: must not be smaller than backlogBytes"),
        Row(
            "path prefix", "{\"pathPrefix\": \"/a?b\"}",
            "config.json:1:16: pathPrefix: must be a plain path such as /ws, not \"/a?b\""),
        Row(
            "host", "{\"host\": \"a b\"}",
            "config.json:1:10: host: must be a name, an address or unix:/PATH, not \"a b\""),
    ]

    static let apps = [
        Row(
            "empty app", "{\"apps\": [{}]}", "config.json:1:11: apps[0]: has no id",
            "config.json:1:11: apps[0]: has no key"),
        Row(
            "no secret", "{\"apps\": [{\"id\": \"a\", \"key\": \"k\"}]}",
            "config.json:1:11: apps[0]: key \"k\" has no secret"),
        Row(
            "secret alone", "{\"apps\": [{\"id\": \"a\", \"secret\": \"hush\"}]}",
            "config.json:1:11: apps[0]: has no key"),
        Row(
            "id with a slash", "{\"apps\": [{\"id\": \"a/b\", \"key\": \"k\", \"secret\": \"s\"}]}",
            "config.json:1:18: apps[0].id: must be 1 to 200 of A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) * + , ; = @ :, not \"a/b\"; a slash would end it in the path of a URL"
        ),
        Row(
            "key with a colon", "{\"apps\": [{\"id\": \"a\", \"key\": \"k:l\", \"secret\": \"s\"}]}",
            "config.json:1:30: apps[0].key: must be 1 to 200 of A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) * + , ; = @, not \"k:l\"; a colon would end it in auth"
        ),
        Row(
            "same id",
            "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"},\n{\"id\": \"a\", \"key\": \"l\", \"secret\": \"s\"}]}",
            "config.json:2:8: apps[1].id: id \"a\" is already taken by apps[0] (config.json:1:18)"),
        Row(
            "alias of another",
            "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"},\n{\"id\": \"b\", \"aliases\": [\"a\"], \"key\": \"l\", \"secret\": \"s\"}]}",
            "config.json:2:24: apps[1].aliases: id \"a\" is already taken by apps[0] (config.json:1:18)"),
        Row(
            "same key",
            "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"},\n{\"id\": \"b\", \"keys\": [{\"key\": \"k\", \"secret\": \"s\"}]}]}",
            "config.json:2:22: apps[1].keys[0].key: key \"k\" is already taken by apps[0] (config.json:1:30)"),
        Row(
            "bad keys", "{\"apps\": [{\"id\": \"a\", \"keys\": [1, {\"key\": 2}, {\"kee\": \"x\"}]}]}",
            "config.json:1:32: apps[0].keys[0]: must be an object, not a number",
            "config.json:1:43: apps[0].keys[1].key: must be text, not a number",
            "config.json:1:48: unknown key \"kee\" in apps[0].keys[2] — did you mean \"key\"?",
            "config.json:1:35: apps[0].keys[0]: has no key", "config.json:1:35: apps[0].keys[0]: has no secret",
            "config.json:1:47: apps[0].keys[1]: has no key", "config.json:1:47: apps[0].keys[1]: has no secret"),
    ]

    @Test("names the place and the way out", arguments: syntax + values + apps) func says(_ row: Row) {
        #expect(
            load(["--host", "127.0.0.1"].filter { _ in !row.file.contains("\"host\"") }, file: row.file).lines
                .filter { !$0.contains("well-known") } == row.expected)
    }

    @Test func theLastLineCounts() {
        guard case .failure(let failure) = load(env: ["STARLING_PROT": "1"], file: "{\"port\": -1, \"a\": 1}") else {
            Issue.record("loaded"); return
        }
        #expect(failure.exitCode == 78)
        #expect(
            failure.text == """
                config.json:1:10: port: must be a whole number from 0 to 65535, not -1
                config.json:1:14: unknown key "a"
                env STARLING_PROT: warning: unknown variable; ignored — did you mean STARLING_PORT?
                2 errors, 1 warning; nothing was started

                """)
    }

    @Test(arguments: [0, 1]) func theNumberOfAppsIsBounded(above: Int) {
        var loader = Loader(flags: FlagParser.parse([]), environment: [:])
        for number in 0..<AppDirectory.appsMax + above {
            var draft = AppDraft(key: "\(number)", secret: "s", origin: .file(path: "f", line: number + 1, column: 1))
            draft.app.id = "\(number)"
            loader.drafts.append(draft)
        }
        loader.check()
        #expect(
            loader.problems.all.map(\.description)
                == (above == 0 ? [] : ["f:65536:1: apps: 65536 apps, but a broker has at most 65535"]))
    }

    @Test func depthIsBounded() {
        let lines = load(file: String(repeating: "[", count: 100_000)).lines
        #expect(lines.first == "config.json:1:33: nested deeper than 32 levels")
    }

    @Test func invalidUTF8HasAPlace() {
        let result = LoadedSettings.load(arguments: ["-c", "f"], environment: [:]) { _ in
            .success([0x7B, 0x0A, 0x20, 0xFF])
        }
        #expect(result.lines == ["f:2:2: byte is not valid UTF-8"])
    }

    @Test func secretsAreNeverShown() {
        let secret = "hush-hush"
        let texts = [
            load(file: "{\"apps\": [{\"id\": 1, \"key\": 2, \"secret\": \"\(secret)\", \"keys\": \"\(secret)\"}]}")
                .lines,
            load(file: "{\"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \(secret)}]}").lines,
            load(env: ["STARLING_APP_KEYS": secret, "PUSHER_URL": secret, "SOKETI_DEFAULT_APP_WEBHOOKS": secret]).lines,
            load(["--app-keys", secret]).lines,
            [
                output(["config", "show", "--app-key=l", "--app-secret", secret, "--app-keys", "k:\(secret)"])?
                    .standardOutput
                    ?? secret
            ],
            [output(["config", "show", "--json", "--app-key=k", "--app-secret", secret])?.standardOutput ?? secret],
            load(["--app-key=k", "--app-secret", "\(secret) "]).lines,
            load(env: ["REVERB_APP_ID": "1", "REVERB_APP_KEY": "k", "REVERB_APP_SECRET": "\"\(secret)\""]).lines,
        ]
        #expect(texts.allSatisfy { !$0.isEmpty })
        #expect(!texts.joined().contains { $0.contains(secret) })
    }
}
