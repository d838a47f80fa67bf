import BrokerCore
import Testing

@testable import Configuration

@Suite("Layers and their order") struct LayerTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String
        var arguments: [String] = [], env: [String: String] = [:], file: String?
        let port: Int, origin: String
    }

    static let precedence = [
        Row(testDescription: "nothing", port: 6001, origin: "default"),
        Row(testDescription: "PORT", env: ["PORT": "5"], port: 5, origin: "env PORT"),
        Row(
            testDescription: "file over PORT", env: ["PORT": "5"], file: "{\n\"port\": 4}", port: 4,
            origin: "file config.json:2:9"),
        Row(
            testDescription: "foreign over file", env: ["SOKETI_PORT": "3"], file: "{\"port\": 4}", port: 3,
            origin: "env SOKETI_PORT"),
        Row(
            testDescription: "native over foreign", env: ["SOKETI_PORT": "3", "STARLING_PORT": "2"], port: 2,
            origin: "env STARLING_PORT"),
        Row(
            testDescription: "flag over native", arguments: ["--port", "1"], env: ["STARLING_PORT": "2"], port: 1,
            origin: "flag --port"),
        Row(testDescription: "the later flag", arguments: ["--port=1", "-p", "7"], port: 7, origin: "flag -p"),
        Row(testDescription: "empty is unset", env: ["STARLING_PORT": "", "PORT": "5"], port: 5, origin: "env PORT"),
        Row(
            testDescription: "interpolated number", env: ["X": "9"], file: "{\"port\": \"${X}\"}", port: 9,
            origin: "file config.json:1:10"),
        Row(
            testDescription: "only Reverb", env: ["REVERB_APP_MAX_CONNECTIONS": "9"], port: 8080,
            origin: "default for REVERB_* variables"),
        Row(
            testDescription: "Reverb and soketi", env: ["REVERB_HOST": "a", "SOKETI_DEBUG": "0"], port: 6001,
            origin: "default"),
        Row(
            testDescription: "file over Reverb's port", env: ["REVERB_HOST": "a"], file: "{\"port\": 4}", port: 4,
            origin: "file config.json:1:10"),
        Row(
            testDescription: "a Kubernetes link", env: ["STARLING_PORT": "tcp://10.0.0.1:6001"], port: 6001,
            origin: "default"),
    ]

    @Test("the stronger layer wins and is remembered", arguments: precedence) func strongerWins(_ row: Row) throws {
        let configuration = try load(row.arguments, env: row.env, file: row.file).get()
        #expect(configuration.settings.port == row.port)
        #expect((configuration.origins["port"] ?? .builtIn).description == row.origin)
    }

    @Test(arguments: ["1", "true", "YES", "on", "0", "false", "No", "off", "2", "y", "enabled"]) func booleans(
        _ text: String
    ) {
        let expected: Bool? =
            ["1", "true", "YES", "on"].contains(text) ? true : ["0", "false", "No", "off"].contains(text) ? false : nil
        let result = load(env: ["STARLING_METRICS_ENABLED": text])
        #expect((try? result.get())?.settings.metrics.isEnabled == expected)
        if expected == nil {
            #expect(
                result.lines.first
                    == "env STARLING_METRICS_ENABLED=\(text): must be 1, 0, true, false, yes, no, on or off")
        }
    }

    @Test func nothingGivesTheBuiltInApp() throws {
        let settings = try load().get().settings
        #expect(settings.isDefaultApp && settings.usesWellKnownCredentials)
        #expect(settings.apps.map(\.id) == ["app-id"] && settings.apps.first?.aliases == ["1"])
        #expect(settings.apps.first?.keys == [.init(key: "app-key", secret: "app-secret")])
        #expect(settings.apps.first?.clientEventsEnabled == true)
    }

    @Test func appFlagsChangeTheBuiltInApp() throws {
        let settings = try load(["--no-client-events", "--app-id=7", "--app-key", "k", "--app-secret", "s"]).get()
            .settings
        let app = try #require(settings.apps.first)
        #expect(!settings.isDefaultApp && !settings.usesWellKnownCredentials && settings.apps.count == 1)
        #expect(app.id == "7" && app.aliases.isEmpty && !app.clientEventsEnabled)
    }

    static let twoApps = """
        { "apps": [{"id": "a", "key": "k", "secret": "s"}, {"id": "b", "keys": [{"key": "l", "secret": "t"}]}] }
        """

    @Test func appFlagsChangeTheOnlyAppOfTheFile() throws {
        let file =
            "{ \"apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\", \"limits\": {\"connections\": 5, \"channels\": -1}}] }"
        let app = try #require(
            load(["--app-connections", "-1", "--client-events"], file: file).get().settings.apps.first)
        #expect(app.id == "a" && app.limits.connectionsMax == nil && app.clientEventsEnabled)
    }

    @Test func appFlagsAreRefusedWhenThereAreSeveralApps() {
        let result = load(["--client-events"], file: Self.twoApps)
        #expect(
            result.lines == [
                "flag --client-events: speaks of the only app, but there are 2 (\"a\", \"b\"); set it in the file"
            ])
    }

    @Test func aWholeNativeAppJoinsSeveral() throws {
        let env = ["STARLING_APP_ID": "c", "STARLING_APP_KEY": "m", "STARLING_APP_SECRET": "u"]
        #expect(try load(env: env, file: Self.twoApps).get().settings.apps.map(\.id) == ["a", "b", "c"])
    }

    @Test func aSecretMayStandInAFile() throws {
        let env = ["STARLING_APP_KEY": "k", "STARLING_APP_SECRET_FILE": "/run/secret"]
        let settings = try load(env: env, others: ["/run/secret": "hush\n"]).get().settings
        #expect(settings.apps.first?.keys == [.init(key: "k", secret: "hush")])
    }

    @Test(arguments: [["--production"], []]) func productionRefusesTheWellKnownCredentials(_ arguments: [String]) {
        let result = load(arguments, env: arguments.isEmpty ? ["STARLING_ENV": "production"] : [:])
        guard case .failure(let failure) = result else { Issue.record("loaded"); return }
        #expect(failure.problems.first?.text.hasPrefix("the built-in app uses the well-known credentials") == true)
        #expect((try? load(["--production", "--app-key", "k", "--app-secret", "s"]).get()) != nil)
    }

    @Test func allOfTheCanonicalFileIsRead() throws {
        let file = """
            // A comment.
            { "$schema": "x", "host": "::1", "port": 1, "loops": 2, "pathPrefix": "ws/", "production": true, "logLevel": "debug", "logFormat": "json", "refusalLinesPerSecond": 3,
              "takeover": true, "takeoverSocket": "/run/t.sock",
              "coreFiles": true, "readyFile": "/r", "shutdownGraceSeconds": 3, "drainDelaySeconds": 4, "pongTimeoutSeconds": 31, "backlogBytes": 262145, "backlogTotalBytes": 268435457, "inputTotalBytes": 25165825,
              "messageBytes": 65537, "requestBodyBytes": 1048577, "requestHeadBytes": 8193, "keepAliveSeconds": 76, "connections": 7, "connectionsPerAddress": 8, "connectionsPerAddressPerSecond": 9, "proxyProtocol": true,
              "apiReserve": 65, "trustProxy": true, "memoryThresholdPercent": 84, "memory": { "limit": "70%" }, "publicHost": "h", "publicPort": 443,
              "publicScheme": "https", "tls": { "certificate": "x", "key": "x", "keyPassphraseFile": "p", "port": 6443,
                "only": true, "certificates": [ { "certificate": "x", "key": "x" } ] },
              "stateDirectory": "/var/lib/starling/", "webhooks": { "returnMilliseconds": 0, "retrySeconds": 9, "sync": "each", "spoolBytes": 4194304, "queueBytes": 1048576 },
              "metrics": { "enabled": false, "host": "::1", "port": 9, "token": "t", "prefix": "p_", "apps": 5 }, /* apps */
              "apps": [ { "id": "i", "aliases": ["2", "3"], "key": "k", "secret": "s", "keys": [{"key": "k2", "secret": "s2"}],
                "enabled": true, "requireTLS": true, "strictProtocol": true, "allowedOrigins": ["*"], "clientEvents": true,
                "subscriptionCount": true, "watchlist": false, "authorizedConnections": true, "authorizationTimeoutSeconds": 31,
                "subscriptionErrors": "hosted", "quotaCode": 4100, "activityTimeoutSeconds": 121,
                "webhooks": [ { "url": "https://u.example/w?t=1", "events": ["cache_miss", "user_online"], "channelPrefix": "private-",
                  "channelSuffix": "-eu", "headers": { "Authorization": "Bearer x", "X-A": "1" }, "batchMilliseconds": 5,
                  "batchEvents": 6, "timeoutSeconds": 7, "allowPrivate": true, "clientCertificate": "x", "clientKey": "x",
                  "authority": "x" }, { "url": "http://v.example:8080" } ],
                "limits": { "connections": 1, "channels": 2, "channelsPerConnection": 3, "channelNameBytes": 4,
                  "eventNameCharacters": 5, "eventDataBytes": 6, "eventChannels": 7, "batchEvents": 8, "presenceMembers": 9,
                  "presenceMemberBytes": 2049, "userIDCharacters": 11, "clientEventBytes": 12, "clientEventsPerSecond": 13,
                  "backendEventsPerSecond": 14, "readRequestsPerSecond": 15, "messagesPerDay": 16, "watchlist": 17,
                  "cacheSeconds": 18, "cacheChannels": 65 } } ] }
            """
        let named = ["x": pem, "p": "hush", "/var/lib/other": ""]
        let configuration = try load(file: file, others: named).get()
        #expect(configuration.warnings.isEmpty)
        let settings = configuration.settings
        // Every row of the table was given, and by the file.
        #expect(Option.server.filter { $0.field.read(settings) == $0.field.read(ServerSettings()) }.map(\.name) == [])
        #expect(
            Option.server.allSatisfy {
                configuration.origins[$0.name]?.description.hasPrefix("file config.json:") == true
            })
        #expect(
            Option.app.allSatisfy {
                configuration.appOrigins[0][$0.name]?.description.hasPrefix("file config.json:") == true
            })
        #expect(settings.pathPrefix == "/ws" && settings.stateDirectory == "/var/lib/starling")
        let app = try #require(settings.apps.first)
        #expect(
            app.keys.map(\.key) == ["k", "k2"] && app.limits.messagesPerDayMax == 16 && app.limits.cacheSeconds == 18)
        // What is shown with its secrets is a file that gives the same settings.
        let again = NativeFile.document(configuration, showsSecrets: true).printed()
        #expect(try load(file: again, others: named).get().settings == settings)
    }
}

@Suite("Files of variables") struct EnvironmentFileTests {
    @Test func everyFormIsRead() throws {
        let text = """
            # comment
            A=1
            export B = two words # comment
            C='single ${A} #'
            D="double ${A} \\"q\\" \\${A} #" # comment
            E=${A}-${MISSING}-${NONE:-d}
            F="two
            lines"
            G=
            H=a#b
            A2=${OUTSIDE}
            A=3

            """
        let file = EnvironmentFile(SourceText(path: ".env", bytes: Array(text.utf8))) { $0 == "OUTSIDE" ? "out" : nil }
        #expect(file.problems.all.isEmpty)
        let values = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, $0.value) })
        #expect(
            values == [
                "A": "3", "B": "two words", "C": "single ${A} #", "D": "double 1 \"q\" ${A} #", "E": "1--d",
                "F": "two\nlines",
                "G": "", "H": "a#b", "A2": "out",
            ])
    }

    @Test(arguments: [
        ("A=1\nnonsense\n", ".env:2:1: warning: expected NAME=value; the line is ignored"),
        ("a b\n\n[c]\n1=2\n", ".env:1:1: warning: expected NAME=value; the line is ignored, like 2 more"),
        ("REVERB_APP_ID: 1\n", ".env:1:1: REVERB_APP_ID is not set like this: expected NAME=value"),
        (
            "A=1\n\"PORT\"=1\n",
            ".env:2:1: PORT is not set like this: a name takes letters, digits and _, and does not begin with a digit"
        ),
        (
            "1A=1",
            ".env:1:1: warning: a name takes letters, digits and _, and does not begin with a digit; the line is ignored"
        ),
        ("A=${B:?say which}", ".env:1:3: variable B is not set: say which"),
        ("A=\"x\n", ".env:1:3: quote is not closed"),
        ("A='x' y", ".env:1:6: unexpected text after the closing quote"),
        ("A=${x", ".env:1:3: malformed ${…}; write ${NAME} or ${NAME:-default}"),
    ]) func mistakesHaveAPlace(_ text: String, _ expected: String) {
        let read: Set<String> = ["A", "PORT", "REVERB_APP_ID"]
        let file = EnvironmentFile(
            SourceText(path: ".env", bytes: Array(text.utf8)), reads: read.contains, lookUp: { _ in nil })
        #expect(file.problems.all.map(\.description) == [expected])
    }

    @Test func aLaravelFileIsTheWholeSetUp() throws {
        let text = """
            APP_NAME="My App"
            BROADCAST_CONNECTION=reverb
            REVERB_APP_ID=256980
            REVERB_APP_KEY=f4l2tmwqf6eg0f6jz0mw
            REVERB_APP_SECRET=zioqeto9xrytlnlg7sj6
            REVERB_HOST="localhost"
            REVERB_PORT=8080
            REVERB_SCHEME=http
            VITE_REVERB_APP_KEY="${REVERB_APP_KEY}"
            """
        let configuration = try load(["--env-file", ".env", "--host=::1"], others: [".env": text]).get()
        #expect(configuration.warnings.isEmpty)
        let settings = configuration.settings
        #expect(settings.port == 8080 && settings.publicAddress.host == "localhost" && settings.hosts == ["::1"])
        #expect(settings.apps.map(\.id) == ["256980"] && settings.apps.first?.clientEventsEnabled == true)
        #expect(configuration.appOrigins[0]["app-id"]?.description == "env REVERB_APP_ID (.env:3)")
        let other = try load(["--env-file=.env"], env: ["REVERB_APP_ID": "5"], others: [".env": text]).get()
        #expect(other.settings.apps.map(\.id) == ["5"])
    }

    @Test func aMissingFileIsAnError() {
        #expect(
            load(["--env-file", "no"]).lines.first == "flag --env-file=no: cannot be read: No such file or directory")
        #expect(load(["-c", "no"]).lines.first == "flag -c=no: cannot be read: No such file or directory")
    }
}
