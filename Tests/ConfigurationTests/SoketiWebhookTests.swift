import BrokerCore
import PusherProtocol
import Testing
import Wire

@testable import Configuration

@Suite("soketi's webhooks") struct SoketiWebhookTests {
    static func file(_ webhooks: String, _ others: String = "") -> String {
        "{ \"appManager.array.apps\": [ { \"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"webhooks\":\n\(webhooks) } ]\(others) }"
    }

    static let whole = """
        [{"url": "https://a.example/w", "headers": {"X-A": 1, "X-B": "b"}, "event_types": ["channel_occupied", "member_added"],
          "filter": {"channel_name_starts_with": "private-", "channel_name_ends_with": "-eu"}}]
        """

    private static func endpoint(_ result: Result<LoadedSettings, ConfigurationFailure>) throws -> WebhookEndpoint {
        #expect(result.lines.isEmpty)
        return try #require(result.get().settings.apps.first?.webhooks.first)
    }

    @Test(arguments: ["file", "variable", "text", "env"]) func everyMemberIsTaken(_ door: String) throws {
        let oneLine = Self.whole.split(separator: "\n").joined()
        let quoted = JSONText.quoted(oneLine)
        let endpoint =
            switch door {
            case "file": try Self.endpoint(load(file: Self.file(Self.whole)))
            case "variable": try Self.endpoint(load(env: ["SOKETI_DEFAULT_APP_WEBHOOKS": Self.whole]))
            case "text": try Self.endpoint(load(file: Self.file(quoted)))
            default:
                try Self.endpoint(
                    load(["--env-file=e"], others: ["e": "SOKETI_DEFAULT_APP_WEBHOOKS='\(oneLine)'"]))
            }
        #expect(endpoint.url.text == "https://a.example/w")
        #expect(endpoint.kinds == [WebhookKinds(.channelOccupied), WebhookKinds(.memberAdded)])
        #expect(endpoint.headers == [.init(name: "X-A", value: "1"), .init(name: "X-B", value: "b")])
        #expect(endpoint.channelPrefix == Array("private-".utf8) && endpoint.channelSuffix == Array("-eu".utf8))
        #expect(endpoint.batchMilliseconds == 0 && (door == "variable" || door == "env" || !endpoint.allowsPrivate))
    }

    static let hosts: [(url: String, isAllowed: Bool)] = [
        ("http://laravel/w", true), ("http://localhost:8000", true), ("http://127.0.0.1", true),
        ("http://[fd00::1]/", true),
        ("http://api.default.svc.cluster.local", true), ("http://api.default.svc", true),
        ("http://host.docker.internal", true),
        ("http://box.lan", true), ("http://box.home.arpa", true), ("http://app.test", true),
        ("http://169.254.1.1", true),
        ("https://a.example", false), ("https://8.8.8.8", false), ("https://local.example", false),
        ("https://a.locals.example", false),
    ]

    @Test(arguments: hosts) func aHostOfOnesOwnNetworkMayBeCalled(_ url: String, _ isAllowed: Bool) throws {
        let endpoint = try Self.endpoint(load(file: Self.file("[{\"url\": \"\(url)\"}]")))
        #expect(endpoint.allowsPrivate == isAllowed)
    }

    static let warnings: [(webhooks: String, says: [String], count: Int)] = [
        (
            "[{\"url\": \"https://a.example\", \"headers\": {\"Content-Type\": \"x\", \"Y\": \"z\"}}]",
            [
                "config.json:2:44: warning: appManager.array.apps[0].webhooks[0].headers: \"Content-Type\" is written by the broker itself; not taken over"
            ], 1
        ),
        (
            "[{\"lambda_function\": \"f\", \"lambda\": {\"async\": true}, \"event_types\": [\"client_event\"]}]",
            [
                "config.json:2:3: warning: appManager.array.apps[0].webhooks[0].lambda_function: AWS Lambda is called by the URL of a function only; not taken over",
                "config.json:2:27: warning: appManager.array.apps[0].webhooks[0].lambda: AWS Lambda is called by the URL of a function only; not taken over",
            ], 0
        ),
        (
            "[{\"url\": \"https://a.example\", \"event_types\": [\"client_event\", \"client_evnt\"]}]",
            [
                "config.json:2:64: warning: appManager.array.apps[0].webhooks[0].event_types: \"client_evnt\" is no event of webhooks; not taken over — did you mean \"client_event\"?"
            ], 1
        ),
        (
            "[{\"url\": \"https://a.example\", \"event_types\": []}]",
            [
                "config.json:2:46: warning: appManager.array.apps[0].webhooks[0].event_types: names no event, so nothing is sent there; not taken over"
            ], 0
        ),
        (
            "[{\"url\": \"https://a.example\", \"filter\": {\"channel_pattern\": \"x\"}, \"colour\": 1}]",
            [
                "config.json:2:42: warning: unknown soketi option \"appManager.array.apps[0].webhooks[0].filter.channel_pattern\"; not taken over",
                "config.json:2:67: warning: unknown soketi option \"appManager.array.apps[0].webhooks[0].colour\"; not taken over",
            ], 1
        ),
        ("[]", [], 0), ("null", [], 0), ("\"\"", [], 0), ("\"[]\"", [], 0),
    ]

    @Test(arguments: warnings) func whatIsLeftOutIsTold(_ webhooks: String, _ says: [String], _ count: Int) throws {
        let result = load(file: Self.file(webhooks))
        #expect(result.lines == says)
        #expect(try result.get().settings.apps.first?.webhooks.count == count)
    }

    @Test func whatIsWrongHasItsPlace() {
        #expect(
            load(file: Self.file("[{\"url\": \"ftp://a\"}]")).lines == [
                "config.json:2:10: apps[0].webhooks[0].url: must begin with https:// or http://"
            ])
        #expect(
            load(file: Self.file("[{\"url\": \"https://a.example\", \"filter\": 1}]")).lines == [
                "config.json:2:41: appManager.array.apps[0].webhooks[0].filter: must be an object, not a number"
            ])
        #expect(
            load(file: Self.file("{}")).lines == [
                "config.json:2:1: apps[0].webhooks: must be an array of objects, not an object"
            ])
        #expect(
            load(env: ["SOKETI_DEFAULT_APP_WEBHOOKS": "[{\"url\": \"http://a\"}"]).lines.first?.hasPrefix(
                "env SOKETI_DEFAULT_APP_WEBHOOKS:1:") == true)
        #expect(
            load(env: ["SOKETI_DEFAULT_APP_WEBHOOKS": "[{\"url\": \"http://u:hush@a\"}]"]).lines.first?.hasPrefix(
                "env SOKETI_DEFAULT_APP_WEBHOOKS:1:10: webhooks[0].url: has a user name or password in it") == true)
    }

    @Test func batchingHoldsForWhoDoesNotSayIt() throws {
        func batch(_ env: [String: String], _ file: String) throws -> [[Int]] {
            try #require(load(env: env, file: file).get().settings.apps.first).webhooks.map {
                [$0.batchMilliseconds, $0.batchEventsMax]
            }
        }
        let one = "[{\"url\": \"https://a.example\"}]"
        let on = ", \"webhooks.batching.enabled\": true"
        #expect(try batch([:], Self.file(one)) == [[0, 10]])
        #expect(try batch([:], Self.file(one, on)) == [[50, 1_000]])
        #expect(
            try batch([:], Self.file(one, on + ", \"webhooks\": {\"batching\": {\"duration\": 75}}")) == [[75, 1_000]])
        #expect(
            try batch(["SOKETI_WEBHOOKS_BATCHING": "false"], Self.file(one, on)) == [[0, 10]], "a variable is stronger")
        let variables = ["SOKETI_WEBHOOKS_BATCHING": "1", "SOKETI_WEBHOOKS_BATCHING_DURATION": "20"]
        #expect(try batch(variables, Self.file(one)) == [[20, 1_000]])
        #expect(try batch(["SOKETI_WEBHOOKS_BATCHING_DURATION": "20"], Self.file(one)) == [[0, 10]])
        let ours = WebhookOptionTests.file("[{\"url\": \"https://a.example\", \"batchMilliseconds\": 5}]")
        #expect(try batch(variables, ours) == [[5, 10]])
    }

    @Test func importPrintsThemInOurForm() throws {
        let result = try #require(
            output(
                ["config", "import", "--from", "soketi", "s.json"],
                ["s.json": Self.file("[{\"url\": \"http://web:80/w?t=x\"}]")]))
        #expect(result.standardOutput.contains("// \"allowPrivate\" stands where"))
        #expect(result.standardOutput.contains("\"url\": \"http://web/w?t=x\",\n          \"allowPrivate\": true"))
        let again = try load(file: result.standardOutput).get()
        #expect(again.settings.apps.first?.webhooks.map(\.url.text) == ["http://web/w?t=x"])
        let open = output(
            ["config", "import", "--from", "soketi", "s.json"],
            ["s.json": Self.file("[{\"url\": \"http://a.example\"}]")])
        #expect(open?.standardOutput.contains("allowPrivate") == false)
    }
}
