import BrokerCore
import Testing

@testable import Configuration

@Suite("Variables of several servers side by side") struct FamilyTests {
    static let pusher = ["PUSHER_APP_ID": "1", "PUSHER_APP_KEY": "k", "PUSHER_APP_SECRET": "p"]
    static let reverb = ["REVERB_APP_ID": "1", "REVERB_APP_KEY": "k", "REVERB_APP_SECRET": "r"]
    static let soketi = ["SOKETI_DEFAULT_APP_ID": "1", "SOKETI_DEFAULT_APP_KEY": "k", "SOKETI_DEFAULT_APP_SECRET": "s"]
    static let url = ["PUSHER_URL": "http://k:u@h/apps/1"]

    @Test(
        "one app with two secrets is an error that names both",
        arguments: [
            ([pusher, reverb], "env PUSHER_APP_SECRET", "env REVERB_APP_SECRET"),
            ([reverb, soketi], "env REVERB_APP_SECRET", "env SOKETI_DEFAULT_APP_SECRET"),
            ([url, soketi], "env PUSHER_URL", "env SOKETI_DEFAULT_APP_SECRET"),
            ([url, pusher], "env PUSHER_URL", "env PUSHER_APP_SECRET"),
        ]) func twoSecrets(_ families: [[String: String]], _ second: String, _ first: String)
    {
        let result = load(["--host=::1"], env: families.reduce([:]) { $0.merging($1) { $1 } })
        let text = "is another secret of app \"1\" than \(first); both name key \"k\", so give it one secret"
        #expect(result.lines == ["\(second): \(text)"])
    }

    @Test func theSameSecretIsOneApp() throws {
        let env = Self.pusher.merging(Self.reverb) { $1 }.merging(["PUSHER_APP_SECRET": "r"]) { $1 }
        #expect(try load(["--host=::1"], env: env).get().settings.apps.map(\.id) == ["1"])
    }

    @Test func ourOwnVariableWinsOverTheOthers() throws {
        let app = try load(["--app-secret", "n"], env: Self.pusher).get().settings.apps.first
        #expect(app?.keys == [.init(key: "k", secret: "n")])
        let file = "{\"apps\": [{\"id\": \"1\", \"key\": \"k\", \"secret\": \"f\"}]}"
        #expect(
            try load(env: Self.reverb, file: file).get().settings.apps.first?.keys == [.init(key: "k", secret: "r")])
    }

    @Test func twoNamesOfOneOptionAgree() {
        let env = Self.pusher.merging(["PUSHER_KEY": "other", "PUSHER_SECRET": "p"]) { $1 }
        #expect(
            load(["--host=::1"], env: env).lines == [
                "env PUSHER_APP_KEY: says something else than env PUSHER_KEY; give one of them"
            ])
    }

    struct Port: CustomTestStringConvertible {
        let testDescription: String
        var arguments: [String] = []
        let env: [String: String], port: Int
        let says: String?
    }
    static let ports = [
        Port(
            testDescription: "Reverb on one port", env: reverb.merging(["REVERB_PORT": "8080"]) { $1 }, port: 8080,
            says: nil),
        Port(
            testDescription: "behind TLS",
            env: reverb.merging(["REVERB_PORT": "443", "REVERB_SCHEME": "https"]) { $1 }, port: 8080,
            says:
                "env REVERB_PORT=443: warning: clients are told port 443, but the broker listens on 8080 (default for REVERB_* variables); a TLS proxy has to lead from one to the other, or set STARLING_PORT=443"
        ),
        Port(
            testDescription: "with what every Laravel application has",
            env: reverb.merging([
                "REVERB_PORT": "8080", "PUSHER_PORT": "443", "PUSHER_SCHEME": "https", "PUSHER_APP_CLUSTER": "mt1",
            ]) { $1 }, port: 8080, says: nil),
        Port(
            testDescription: "both families", env: ["REVERB_PORT": "8080"].merging(url) { $1 }, port: 6001,
            says:
                "env REVERB_PORT=8080: warning: clients are told port 8080, but the broker listens on 6001 (default); a proxy has to lead from one to the other, or set STARLING_PORT=8080"
        ),
        Port(
            testDescription: "another port to listen on",
            env: reverb.merging(["REVERB_PORT": "8080", "REVERB_SERVER_PORT": "9000"]) { $1 }, port: 9000,
            says:
                "env REVERB_PORT=8080: warning: clients are told port 8080, but the broker listens on 9000 (env REVERB_SERVER_PORT); a proxy has to lead from one to the other, or set STARLING_PORT=8080"
        ),
        Port(
            testDescription: "a platform's port", env: reverb.merging(["REVERB_PORT": "8080", "PORT": "5"]) { $1 },
            port: 5,
            says:
                "env REVERB_PORT=8080: warning: clients are told port 8080, but the broker listens on 5 (env PORT); a proxy has to lead from one to the other, or set STARLING_PORT=8080"
        ),
        Port(
            testDescription: "said by us", arguments: ["--public-port=443"],
            env: reverb.merging(["REVERB_PORT": "8080"]) { $1 }, port: 8080, says: nil),
    ]

    @Test("the port that is printed is the one that is listened on, or a line says why", arguments: ports)
    func portsAgree(_ row: Port) throws {
        let configuration = try load(["--host=::1"] + row.arguments, env: row.env).get()
        #expect(configuration.settings.port == row.port)
        #expect(configuration.warnings.map(\.description) == (row.says.map { [$0] } ?? []))
    }

    // MARK: Well-known credentials

    @Test(
        arguments: [
            (["--app-key=app-key", "--app-secret=own"], nil),
            (["--app-key=own", "--app-secret=app-secret"], "own"),
            (["--app-key=own", "--app-secret=own", "--app-keys=app-key:app-secret"], "app-key"),
            (["--no-app-enabled"], nil), (["--host=127.0.0.5"], nil), (["--host=localhost"], nil),
            // Where `auto` listens is known at the start only; the server warns then.
            ([], nil), (["--host=::"], "app-key"),
        ] as [([String], String?)]) func onlyWhatIsInUseIsWarnedOf(_ arguments: [String], _ expected: String?) throws
    {
        let warnings = try load(arguments).get().warnings.map(\.text).filter { $0.contains("well-known") }
        #expect(warnings.count == (expected == nil ? 0 : 1))
        if let expected {
            #expect(
                warnings[0].contains("key \"\(expected)\" has the well-known secret and :: is not only this machine"))
        }
    }

    @Test(arguments: [["--app-key=app-key", "--app-secret=own"], ["--app-key=own", "--app-secret=app-secret"]])
    func productionRefusesEitherHalf(_ arguments: [String]) {
        #expect(load(["--production"] + arguments).lines.first?.contains("uses the well-known credentials") == true)
    }
}

@Suite("Limits of other servers arrive whole") struct ForeignLimitTests {
    static let reverb = FamilyTests.reverb
    static let soketi = FamilyTests.soketi

    @Test func oneReverbRequestIsOneEvent() throws {
        let configuration = try load(
            ["--host=::1"], env: Self.reverb.merging(["REVERB_MAX_REQUEST_SIZE": "200000"]) { $1 }
        ).get()
        let limits = try #require(configuration.settings.apps.first).limits
        #expect(configuration.settings.requestBodyBytesMax == 200_000 && limits.eventDataBytesMax == 200_000)
        #expect(configuration.settings.backlogBytes(limits, subscriptions: 1) >= 400_000)
        #expect(configuration.warnings.isEmpty)
        #expect(
            configuration.appOrigins[0]["event-data-bytes"]?.description
                == "follows REVERB_MAX_REQUEST_SIZE, which is its only limit there")
    }

    @Test func oneReverbMessageIsOneClientEvent() throws {
        let configuration = try load(
            ["--host=::1"], env: Self.reverb.merging(["REVERB_APP_MAX_MESSAGE_SIZE": "90000"]) { $1 }
        ).get()
        let limits = try #require(configuration.settings.apps.first).limits
        #expect(configuration.settings.messageBytesMax == 90_000)
        #expect(limits.clientEventBytesMax == 90_000 && limits.presenceMemberBytesMax == 90_000)
    }

    @Test func aLimitThatIsLargerThanOursCanBeIsOurLargest() throws {
        let sizes = ["REVERB_MAX_REQUEST_SIZE": "100000000", "REVERB_APP_MAX_MESSAGE_SIZE": "100000000"]
        let configuration = try load(["--host=::1"], env: Self.reverb.merging(sizes) { $1 }).get()
        let limits = try #require(configuration.settings.apps.first).limits
        #expect(configuration.settings.requestBodyBytesMax == 100_000_000 && limits.eventDataBytesMax == 67_108_864)
        #expect(configuration.settings.messageBytesMax == 100_000_000)
        #expect(limits.clientEventBytesMax == 67_108_864 && limits.presenceMemberBytesMax == 1_048_576)
    }

    @Test func whatReverbDoesNotLimitIsNotLimited() throws {
        let configuration = try load(["--host=::1"], env: Self.reverb).get()
        let limits = try #require(configuration.settings.apps.first).limits
        #expect(
            limits.clientEventsPerSecondMax == nil && limits.batchEventsMax == 10_000
                && limits.eventChannelsMax == 10_000)
        #expect(
            limits.presenceMembersMax == 1_000_000 && limits.channelNameBytesMax == 1_000
                && limits.presenceMemberBytesMax == 10_000)
        #expect(configuration.appOrigins[0]["batch-events"]?.description == "default of Reverb: no limit")
        // Nothing of ours stood in the way of these.
        #expect(configuration.settings.requestBodyBytesMax == ServerSettings().requestBodyBytesMax)
        #expect(configuration.settings.messageBytesMax == ServerSettings().messageBytesMax)
        let limited = try load(
            ["--host=::1"], env: Self.reverb.merging(["REVERB_APP_RATE_LIMITING_ENABLED": "true"]) { $1 }
        ).get()
        #expect(limited.settings.apps.first?.limits.clientEventsPerSecondMax == AppLimits().clientEventsPerSecondMax)
    }

    static let soketiWays: [(String, [String: String], String?)] = [
        ("variables", soketi, nil), ("the default app", ["SOKETI_DEBUG": "0"], nil),
        ("a Pusher app", FamilyTests.pusher.merging(["SOKETI_MODE": "full"]) { $1 }, nil),
        ("our app", ["STARLING_APP_KEYS": "k:s", "SOKETI_MODE": "full"], nil),
        (
            "a file", [:],
            "{\"appManager\": {\"array\": {\"apps\": [{\"id\": \"1\", \"key\": \"k\", \"secret\": \"s\"}]}}}"
        ),
        ("a file without apps", [:], "{\"mode\": \"full\"}"),
        ("a file and a variable", soketi, "{\"mode\": \"full\"}"),
    ]

    @Test("what soketi allows when nothing is said is allowed", arguments: soketiWays)
    func soketiDefaults(_ name: String, _ env: [String: String], _ file: String?) throws {
        let configuration = try load(["--host=::1"], env: env, file: file).get()
        let (settings, limits) = (configuration.settings, try #require(configuration.settings.apps.first).limits)
        #expect(limits.eventDataBytesMax == 102_400 && limits.clientEventBytesMax == 102_400)
        #expect(limits.clientEventsPerSecondMax == nil && limits.cacheSeconds == 3_600)
        #expect(limits.presenceMemberBytesMax == 2_048 + 1_024)
        // Every byte of such an event may come as six.
        #expect(settings.messageBytesMax > 6 * 102_400 && settings.requestBodyBytesMax > 10 * 6 * 102_400)
        #expect(settings.backlogBytes(limits, subscriptions: 1) > 2 * 10 * 6 * 102_400)
        #expect(configuration.warnings.isEmpty)
    }

    @Test func aSoketiLimitMovesWhatStandsInItsWay() throws {
        let ways = [
            try load(["--host=::1"], env: Self.soketi.merging(["SOKETI_EVENT_MAX_SIZE_IN_KB": "500"]) { $1 }).get(),
            try load(["--host=::1"], env: Self.soketi, file: "{\"eventLimits\": {\"maxPayloadInKb\": 500}}").get(),
            try load(
                ["--host=::1"],
                file:
                    "{\"appManager.array.apps\": [{\"id\": \"1\", \"key\": \"k\", \"secret\": \"s\", \"maxEventPayloadInKb\": 500}]}"
            ).get(),
        ]
        for configuration in ways {
            let limits = try #require(configuration.settings.apps.first).limits
            #expect(limits.eventDataBytesMax == 512_000 && limits.clientEventBytesMax == 512_000)
            #expect(configuration.settings.messageBytesMax == 6 * 512_000 + 4_096)
            #expect(configuration.settings.requestBodyBytesMax == 10 * (6 * 512_000 + 4_096))
            #expect(configuration.settings.backlogBytes(limits, subscriptions: 1) > 2 * 10 * 6 * 512_000)
            #expect(configuration.origins["message-bytes"]?.description == "has room for one client event or member")
            #expect(configuration.origins["request-body-bytes"]?.description == "has room for one batch of events")
        }
    }

    @Test func whatIsSaidHereStands() throws {
        let arguments = [
            "--host=::1", "--message-bytes=1000", "--request-body-bytes=2000", "--backlog-bytes=5000",
            "--event-data-bytes=600", "--client-event-bytes=700", "--client-events-per-second=3",
        ]
        let settings = try load(arguments, env: Self.soketi).get().settings
        #expect(
            settings.messageBytesMax == 1_000 && settings.requestBodyBytesMax == 2_000
                && settings.backlogBytesMax == 5_000)
        let limits = try #require(settings.apps.first).limits
        #expect(
            limits.eventDataBytesMax == 600 && limits.clientEventBytesMax == 700 && limits.clientEventsPerSecondMax == 3
        )
        let small = try load(["--host=::1"], env: Self.reverb.merging(["REVERB_MAX_REQUEST_SIZE": "5000"]) { $1 }).get()
        #expect(
            small.settings.requestBodyBytesMax == 5_000 && small.settings.apps.first?.limits.eventDataBytesMax == 5_000)
        #expect(small.warnings.isEmpty)
    }

    @Test func theVariableIsStrongerThanTheFileAndTheAppThanBoth() throws {
        let file =
            "{\"eventLimits\": {\"maxBatchSize\": 3, \"maxNameLength\": 33}, \"appManager.array.apps\": [{\"id\": \"1\", \"key\": \"k\", \"secret\": \"s\", \"maxChannelNameLength\": 44}], \"channelLimits\": {\"maxNameLength\": 55}}"
        let limits = try #require(
            load(env: ["SOKETI_EVENT_MAX_BATCH_SIZE": "4", "SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH": "66"], file: file)
                .get().settings.apps.first
        ).limits
        #expect(limits.batchEventsMax == 4 && limits.eventNameCharactersMax == 33 && limits.channelNameBytesMax == 44)
    }

    @Test func anAppOfOurOwnFileKeepsOurLimits() throws {
        let file = "{\"apps\": [{\"id\": \"n\", \"key\": \"n\", \"secret\": \"n\"}]}"
        let apps = try load(env: Self.soketi, file: file).get().settings.apps
        #expect(apps.map(\.limits.eventDataBytesMax) == [AppLimits().eventDataBytesMax, 102_400])
        #expect(try load(env: ["SOKETI_DEBUG": "1"], file: file).get().settings.apps.map(\.limits) == [AppLimits()])
        #expect(try load(["--host=::1"], env: FamilyTests.pusher).get().settings.apps.map(\.limits) == [AppLimits()])
    }

    @Test func everyDefaultIsALegalValue() {
        for family in ForeignFamily.all {
            for limit in family.appDefaults {
                guard let option = Loader.appByName[limit.option] else { Issue.record("\(limit.option)"); continue }
                #expect((try? option.field.parse(limit.value).get()) != nil, "\(family.name) \(limit.option)")
            }
        }
    }
}
