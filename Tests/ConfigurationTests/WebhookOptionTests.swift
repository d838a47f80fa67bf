import BrokerCore
import PusherProtocol
import TestSupport
import Testing
import Wire

@testable import Configuration

@Suite("Webhooks of an app") struct WebhookOptionTests {
    /// A file with one app that has these endpoints, on its second line.
    static func file(_ webhooks: String, _ others: String = "") -> String {
        "{ \"apps\": [ { \"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"webhooks\":\n\(webhooks) } ]\(others) }"
    }

    static func endpoints(_ webhooks: String) throws -> [WebhookEndpoint] {
        try #require(load(file: file(webhooks)).get().settings.apps.first).webhooks
    }

    @Test func whoIsTakenOutOfSeveralOfOneURLLeavesTheOthersTheirQueues() throws {
        func ids(_ prefixes: [String]) throws -> [WebhookEndpointID] {
            let list = prefixes.map { "{\"url\": \"https://a.example/\", \"channelPrefix\": \"\($0)\"}" }
            return try Self.endpoints("[\(list.joined(separator: ","))]").map(\.id)
        }
        let all = try ids(["a", "b", "c", "b"])
        #expect(Set(all).count == 4)
        #expect(try ids(["b", "c", "b"]) == Array(all[1...]) && ids(["c", "b"]) == [all[2], all[1]])
    }

    @Test func anEndpointNeedsAURLOnly() throws {
        let endpoint = try #require(Self.endpoints("[{\"url\": \"https://a.example/w\"}]").first)
        #expect(endpoint.url.text == "https://a.example/w" && endpoint.kinds == .pusher && endpoint.headers.isEmpty)
        #expect(endpoint.batchMilliseconds == 0 && endpoint.batchEventsMax == 10 && endpoint.timeoutSeconds == 4)
        #expect(!endpoint.allowsPrivate && endpoint.channelPrefix.isEmpty && endpoint.authority.isEmpty)
        #expect(endpoint.id == WebhookEndpointID(app: "a", url: endpoint.url, ordinal: 0))
    }

    @Test func everyMemberIsTaken() throws {
        let text = """
            [{"url": "http://10.0.0.1:8080/w?t=1", "events": ["cache_miss", "slow_consumer", "cache_miss"], "channelPrefix": "private-",
              "channelSuffix": "-eu", "headers": {"X-B": "2", "Authorization": "Bearer x", "User-Agent": "me"},
              "batchMilliseconds": 60000, "batchEvents": 1000, "timeoutSeconds": 60, "allowPrivate": true}]
            """
        let endpoint = try #require(Self.endpoints(text).first)
        #expect(endpoint.url.text == "http://10.0.0.1:8080/w?t=1" && endpoint.allowsPrivate)
        #expect(endpoint.kinds == [WebhookKinds(.cacheMiss), WebhookKinds(.slowConsumer)])
        #expect(endpoint.channelPrefix == Array("private-".utf8) && endpoint.channelSuffix == Array("-eu".utf8))
        #expect(endpoint.headers.map(\.name) == ["X-B", "Authorization", "User-Agent"], "in their order")
        #expect(endpoint.headers.map(\.value) == ["2", "Bearer x", "me"])
        #expect(
            endpoint.batchMilliseconds == 60_000 && endpoint.batchEventsMax == 1_000 && endpoint.timeoutSeconds == 60)
    }

    @Test func theSameURLTwiceIsTwoEndpointsWithNamesThatLast() throws {
        let (a, b) = ("{\"url\": \"http://a.example/\"}", "{\"url\": \"http://b.example/\"}")
        let all = try Self.endpoints("[\(a), \(b), \(a)]")
        #expect(Set(all.map(\.id)).count == 3)
        // Another one before them and other settings change no name.
        let changed = try Self.endpoints("[\(b), {\"url\": \"http://A.example\", \"timeoutSeconds\": 9}, \(a)]")
        #expect(changed.map(\.id) == [all[1].id, all[0].id, all[2].id])
    }

    // MARK: Text

    @Test func flagsAndVariablesHaveURLsOrTheArrayOfTheFile() throws {
        let env = ["STARLING_APP_KEY": "k", "STARLING_APP_SECRET": "s"]
        func urls(_ arguments: [String], _ more: [String: String] = [:]) throws -> [String] {
            try #require(load(arguments, env: env.merging(more) { $1 }).get().settings.apps.first).webhooks.map(
                \.url.text)
        }
        let both = ["http://a.example/", "https://b.example/x?y"]
        #expect(try urls(["--webhooks", "http://a.example", "--webhooks=https://b.example/x?y"]) == both)
        #expect(try urls([], ["STARLING_WEBHOOKS": "http://a.example , https://b.example/x?y"]) == both)
        #expect(
            try urls(
                [], ["STARLING_WEBHOOKS": " [{\"url\": \"http://a.example\"}, {\"url\": \"https://b.example/x?y\"}]"])
                == both)
        #expect(
            load(env: env.merging(["STARLING_WEBHOOKS": "http://a.example,ftp://hush"]) { $1 }).lines == [
                "env STARLING_WEBHOOKS: must begin with https:// or http://"
            ])
        #expect(
            load(["--webhooks=[{\"url\": \"http://a.example\", \"event\": 1}]"], env: env).lines == [
                "flag --webhooks:1:30: unknown key \"event\" in webhooks[0] — did you mean \"events\"?"
            ])
        #expect(
            load(env: env.merging(["STARLING_WEBHOOKS": "[{\"url\": \"http://10.1.1.1\"}]"]) { $1 }).lines.first?
                .hasPrefix(
                    "env STARLING_WEBHOOKS:1:10: the STARLING_APP_* app.webhooks[0].url: 10.1.1.1 is not public (private)"
                ) == true)
    }

    @Test func aFileMayHoldThem() throws {
        let loaded = load(
            env: ["STARLING_APP_KEY": "k", "STARLING_APP_SECRET": "s", "STARLING_WEBHOOKS_FILE": "w"],
            others: ["w": "[{\"url\": \"https://a.example/?token=x\"}]\n"])
        #expect(try loaded.get().settings.apps.first?.webhooks.map(\.url.target) == ["/?token=x"])
    }

    @Test func theBuiltInAppMayCallPrivateAddresses() throws {
        let app = try #require(load(["--webhooks=http://127.0.0.1:8000/w"]).get().settings.apps.first)
        #expect(app.id == "app-id" && app.webhooks.map(\.allowsPrivate) == [true])
        let said = ["--webhooks=[{\"url\": \"http://localhost\", \"allowPrivate\": false}]"]
        #expect(load(said).lines.first?.contains("localhost is not public (loopback)") == true)
        #expect(load(["--webhooks=http://127.0.0.1", "--app-key=k", "--app-secret=s"]).lines.count == 1)
    }

    // MARK: Problems

    static let url = "{\"url\": \"https://a.example\", "
    static let written = "is written by the broker itself; leave it out"
    static let problems: [(webhooks: String, says: [String])] = [
        ("{}", ["config.json:2:1: apps[0].webhooks: must be an array of objects, not an object"]),
        ("[1]", ["config.json:2:2: apps[0].webhooks[0]: must be an object, not a number"]),
        ("[{}]", ["config.json:2:2: apps[0].webhooks[0]: has no url"]),
        ("[{\"url\": 1}]", ["config.json:2:10: apps[0].webhooks[0].url: must be an http or https URL, not a number"]),
        (
            "[{\"url\": \"http://a.example/#x\"}]",
            [
                "config.json:2:10: apps[0].webhooks[0].url: has a fragment, what begins with #, which is never sent; leave it out, "
                    + "or write # as %23"
            ]
        ),
        (
            "[{\"url\": \"http://169.254.169.254/latest\"}]",
            [
                "config.json:2:10: apps[0].webhooks[0].url: 169.254.169.254 is not public (link-local); webhooks go there only when "
                    + "the endpoint says \"allowPrivate\": true"
            ]
        ),
        (
            "[{\"uri\": \"x\"}]",
            [
                "config.json:2:3: unknown key \"uri\" in apps[0].webhooks[0] — did you mean \"url\"?",
                "config.json:2:2: apps[0].webhooks[0]: has no url",
            ]
        ),
        (
            "[\(url)\"event_types\": []}]",
            ["config.json:2:31: unknown key \"event_types\" in apps[0].webhooks[0]; here it is \"events\""]
        ),
        (
            "[\(url)\"filter\": {}}]",
            [
                "config.json:2:31: unknown key \"filter\" in apps[0].webhooks[0]; here it is \"channelPrefix\" and \"channelSuffix\""
            ]
        ),
        (
            "[\(url)\"lambda_function\": \"x\"}]",
            [
                "config.json:2:31: unknown key \"lambda_function\" in apps[0].webhooks[0]; AWS Lambda is called by the URL of a "
                    + "function only, as any other"
            ]
        ),
        (
            "[\(url)\"events\": [\"channel_occupied\", \"member_add\"]}]",
            [
                "config.json:2:62: apps[0].webhooks[0].events: \"member_add\" is no event of webhooks — did you mean \"member_added\"?"
            ]
        ),
        (
            "[\(url)\"events\": [\"x\"]}]",
            [
                "config.json:2:42: apps[0].webhooks[0].events: \"x\" is no event of webhooks; those are channel_occupied, "
                    + "channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count, user_online, "
                    + "user_offline, connection_refused, slow_consumer"
            ]
        ),
        ("[\(url)\"events\": []}]", ["config.json:2:41: apps[0].webhooks[0].events: must not be empty"]),
        (
            "[\(url)\"batchMilliseconds\": 60001}]",
            [
                "config.json:2:52: apps[0].webhooks[0].batchMilliseconds: must be a whole number from 0 to 60000, not 60001"
            ]
        ),
        (
            "[\(url)\"batchEvents\": 0}]",
            ["config.json:2:46: apps[0].webhooks[0].batchEvents: must be a whole number from 1 to 1000, not 0"]
        ),
        (
            "[\(url)\"timeoutSeconds\": 61}]",
            ["config.json:2:49: apps[0].webhooks[0].timeoutSeconds: must be a whole number from 1 to 60, not 61"]
        ),
        (
            "[\(url)\"allowPrivate\": \"yes\"}]",
            ["config.json:2:47: apps[0].webhooks[0].allowPrivate: must be true or false, not a string"]
        ),
        (
            "[\(url)\"channelPrefix\": \"private-*\"}]",
            [
                "config.json:2:48: apps[0].webhooks[0].channelPrefix: no channel's name begins so; they have A-Z a-z 0-9 _ - = @ , . ; "
                    + "and a text, no pattern"
            ]
        ),
        (
            "[\(url)\"channelSuffix\": \"é\"}]",
            [
                "config.json:2:48: apps[0].webhooks[0].channelSuffix: no channel's name ends so; they have A-Z a-z 0-9 _ - = @ , . ; "
                    + "and a text, no pattern"
            ]
        ),
        (
            "[\(url)\"headers\": [\"A: b\"]}]",
            [
                "config.json:2:42: apps[0].webhooks[0].headers: must be an object of header names and values, not an array"
            ]
        ),
        (
            "[\(url)\"headers\": {\"X\": 1}}]",
            [
                "config.json:2:48: apps[0].webhooks[0].headers: the value of \"X\" must be text, not a number"
            ]
        ),
        (
            "[\(url)\"headers\": {\"X\": \"1\", \"x\": \"2\"}}]",
            [
                "config.json:2:53: apps[0].webhooks[0].headers: \"x\" is given twice; names of headers differ by more than case"
            ]
        ),
        (
            "[\(url)\"clientCertificate\": \"c.pem\"}]",
            [
                "config.json:2:52: apps[0].webhooks[0].clientKey is missing; a certificate and its key are given together"
            ]
        ),
        (
            "[\(url)\"authority\": \"gone.pem\"}]",
            [
                "config.json:2:44: apps[0].webhooks[0].authority: \"gone.pem\" cannot be read: No such file or directory"
            ]
        ),
        (
            "[\(url)\"clientCertificate\": \"k.pem\", \"clientKey\": \"c.pem\"}]",
            [
                "config.json:2:52: apps[0].webhooks[0].clientCertificate: \"k.pem\" holds no certificate in PEM; it holds a key, so the two may be "
                    + "swapped",
                "config.json:2:74: apps[0].webhooks[0].clientKey: \"c.pem\" holds no private key in PEM; it holds a certificate, so the two "
                    + "may be swapped",
            ]
        ),
        (
            "[\(url)\"clientCertificate\": \"c.pem\", \"clientKey\": \"old.pem\"}]",
            [
                "config.json:2:74: apps[0].webhooks[0].clientKey: the key in \"old.pem\" is encrypted; openssl pkey writes one that is not"
            ]
        ),
    ]

    static let named = [
        "c.pem": certificatePEM, "k.pem": keyPEM, "old.pem": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n",
    ]

    @Test(arguments: problems) func aProblemHasItsPlace(_ webhooks: String, _ says: [String]) {
        #expect(load(file: Self.file(webhooks), others: Self.named).lines == says)
    }

    @Test(arguments: [
        "Host", "content-length", "CONTENT-TYPE", "Transfer-Encoding", "Connection", "Expect", "Upgrade",
        "X-Pusher-Key",
        "x-pusher-signature", "X-Starling-Event-Id", "TE", "Trailer", "Keep-Alive", "Content-Encoding",
    ]) func whatWeWriteIsNobodyElses(_ name: String) {
        #expect(
            load(file: Self.file("[\(Self.url)\"headers\": {\"\(name)\": \"x\"}}]")).lines == [
                "config.json:2:43: apps[0].webhooks[0].headers: \"\(name)\" \(Self.written)"
            ])
    }

    @Test(arguments: ["", "A B", "A:", "é", "A\\r\\nB", "(x)", String(repeating: "n", count: 129)])
    func aNameOfAHeaderIsAToken(_ name: String) {
        let lines = load(file: Self.file("[\(Self.url)\"headers\": {\"\(name)\": \"x\"}}]")).lines
        #expect(lines.count == 1 && lines[0].contains("is no name of a header"))
    }

    @Test(arguments: ["a\\r\\nb", "a\\n", "\\u0000", "a\\u007f", "a\\u001b[0m"]) func aValueOfAHeaderIsALine(
        _ value: String
    ) {
        let file = Self.file("[\(Self.url)\"headers\": {\"X\": \"hush\(value)\"}}]")
        let lines = load(file: file).lines
        #expect(lines.count == 1 && lines[0].contains("has a line end or another control character"))
        #expect(!lines[0].contains("hush") && lines[0].contains("one at its end") == (value == "a\\n"))
    }

    @Test func thereIsABound() throws {
        func list(_ count: Int) -> String {
            "[" + (0..<count).map { "{\"url\": \"https://a.example/\($0)\"}" }.joined(separator: ",") + "]"
        }
        #expect(try Self.endpoints(list(16)).count == 16)
        #expect(
            load(file: Self.file(list(17))).lines == [
                "config.json:2:1: apps[0].webhooks: 17 endpoints, but an app has at most 16"
            ])
        func headers(_ count: Int) -> String {
            "[\(Self.url)\"headers\": {" + (0..<count).map { "\"X-\($0)\": \"\"" }.joined(separator: ",") + "}}]"
        }
        #expect(try Self.endpoints(headers(32)).first?.headers.count == 32)
        #expect(
            load(file: Self.file(headers(33))).lines == [
                "config.json:2:42: apps[0].webhooks[0].headers: has 33 headers, and may have 32"
            ])
    }

    @Test func whatTLSNeedsHasNoEffectWithoutIt() {
        let text = "[{\"url\": \"http://a.example\", \"authority\": \"c.pem\"}]"
        #expect(
            load(file: Self.file(text), others: Self.named).lines == [
                "config.json:2:43: warning: apps[0].webhooks[0].authority: has no effect, because the URL is http and not https"
            ])
    }

    // MARK: Secrets and printing

    static let secret = """
        [{"url": "https://a.example/w?token=hush-query&x=hush%2Bother", "headers": {"Authorization": "Bearer hush-header", "X": "${HUSH}"}}]
        """

    @Test func valuesOfHeadersAndTheQueryAreNotShown() throws {
        let env = ["HUSH": "hush-variable"]
        let loaded = try load(env: env, file: Self.file(Self.secret)).get()
        #expect(loaded.settings.apps.first?.webhooks.first?.headers.last?.value == "hush-variable")
        for flags in [[], ["--json"], ["--json", "--origins"], ["--origins"]] {
            let shown = try #require(
                output(["config", "show", "c.json"] + flags, env: env, ["c.json": Self.file(Self.secret)])?
                    .standardOutput)
            #expect(
                !shown.contains("hush") && shown.contains("https://a.example/w?…") && shown.contains("Authorization"))
        }
        let secrets = Set(loaded.settings.secrets)
        for word in ["Bearer hush-header", "hush-header", "hush-variable", "hush-query", "hush%2Bother"] {
            #expect(secrets.contains(word))
        }
        let open = Self.file(
            "[{\"url\": \"https://a.example/w\", \"headers\": {\"User-Agent\": \"nobody\", \"Accept\": \"x/y\"}}]")
        #expect(try Set(load(file: open).get().settings.secrets).isDisjoint(with: ["nobody", "x/y"]))
    }

    @Test func whatIsPrintedWithSecretsIsTheSame() throws {
        let loaded = try load(env: ["HUSH": "x"], file: Self.file(Self.secret)).get()
        let printed = NativeFile.document(loaded, showsSecrets: true).printed()
        #expect(try load(file: printed).get().settings == loaded.settings)
    }

    @Test func aReloadTakesThem() throws {
        let before = try load(file: Self.file("[]")).get().settings
        let after = try load(file: Self.file("[{\"url\": \"https://a.example\"}]")).get().settings
        let (merged, waiting) = before.reloading(after)
        #expect(merged.apps.first?.webhooks.count == 1 && waiting.isEmpty)
    }
}

@Suite("What holds for all webhooks") struct WebhookSettingsTests {
    @Test func theStandardsAreThoseOfPusher() throws {
        let settings = try load().get().settings
        #expect(settings.webhooks == WebhookSettings() && settings.stateDirectory.isEmpty)
        #expect(settings.webhooks.returnMilliseconds == 3_000 && settings.webhooks.retrySeconds == 300)
    }

    @Test func someWaitForARestart() throws {
        let here = ["/s/x": ""]
        let before = try load().get().settings
        let flags = [
            "--webhooks-return-milliseconds=0", "--webhooks-retry-seconds=7", "--webhooks-sync=each",
            "--webhooks-spool-bytes=4194304", "--webhooks-queue-bytes=1048576", "--state-directory=/s",
        ]
        let after = try load(flags, others: here).get().settings
        let (merged, waiting) = before.reloading(after)
        #expect(waiting == ["state-directory", "webhooks-sync", "webhooks-spool-bytes"])
        #expect(merged.webhooks.returnMilliseconds == 0 && merged.webhooks.retrySeconds == 7)
        #expect(merged.webhooks.queueBytesMax == 1_048_576 && merged.webhooks.sync == .batch)
    }

    @Test func aSectionOfOursIsNotTakenForSoketis() {
        #expect(
            load(file: "{\"webhooks\": {\"retrySecond\": 5}}").lines == [
                "config.json:1:15: unknown key \"retrySecond\" in webhooks — did you mean \"retrySeconds\"?"
            ])
        #expect(
            load(file: "{\"metrics\": {\"prot\": 9601}}").lines == [
                "config.json:1:14: unknown key \"prot\" in metrics — did you mean \"port\"?"
            ])
    }
}
