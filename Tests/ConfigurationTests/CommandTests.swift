import BrokerCore
import Telemetry
import Testing

@testable import Configuration

@Suite("The command line") struct CommandTests {
    struct Row: CustomTestStringConvertible {
        let arguments: [String], exitCode: Int32, error: String
        var testDescription: String { arguments.joined(separator: " ") }
        init(_ arguments: String..., exit: Int32, _ error: String) {
            (self.arguments, exitCode, self.error) = (arguments, exit, error)
        }
    }
    static let mistakes = [
        Row("--prot", "1", exit: 2, "unknown option --prot — did you mean --port?"),
        Row("--no-client-event", exit: 2, "unknown option --no-client-event — did you mean --no-client-events?"),
        Row("--zzzzzzzz", exit: 2, "unknown option --zzzzzzzz"),
        Row("-x", exit: 2, "unknown option -x"),
        Row("--port", exit: 2, "flag --port: needs a value"),
        Row("--host", "--port", exit: 2, "flag --host: needs a value"),
        Row("--port=", "extra", exit: 2, "unexpected argument \"extra\""),
        Row("--port=80x", exit: 2, "flag --port=80x: must be a whole number from 0 to 65535"),
        Row("--no-production=1", exit: 2, "flag --no-production: takes no value"),
        Row("--production=maybe", exit: 2, "flag --production=maybe: must be 1, 0, true, false, yes, no, on or off"),
        Row("--verbose=1", exit: 2, "flag --verbose: takes no value"),
        Row("srve", exit: 2, "unknown command \"srve\" — did you mean serve?"),
        Row("config", exit: 2, "config needs a command: check, show, docs or import"),
        Row("config", "chekc", exit: 2, "unknown command config \"chekc\" — did you mean check?"),
        Row("config", "docs", "x", exit: 2, "unexpected argument \"x\""),
        Row("config", "import", exit: 2, "config import needs --from soketi|reverb|env and, for soketi, a FILE"),
        Row("config", "import", "--from", "soketi", exit: 2, "config import --from soketi needs a FILE, - or env"),
        Row("config", "check", "bad.json", exit: 78, "bad.json:1:2: unknown key \"prot\" — did you mean \"port\"?"),
        Row("config", "check", "-c", "no.json", exit: 78, "flag -c=no.json: cannot be read: No such file or directory"),
        Row("serve", "--config=bad.json", exit: 78, "bad.json:1:2: unknown key \"prot\" — did you mean \"port\"?"),
        Row("version", "--jsn", exit: 2, "unknown option --jsn — did you mean --json?"),
        Row("import", "--from", "soketi", exit: 2, "unknown command \"import\"; did you mean config import?"),
        Row("help", "bogus", exit: 2, "unknown command \"bogus\""),
        Row("help", "srve", exit: 2, "unknown command \"srve\" — did you mean serve?"),
        Row("help", "check", exit: 2, "unknown command \"check\"; did you mean config check?"),
        Row(
            "config", "import", "--from", "reverb", "config/reverb.php", exit: 2,
            "\"config/reverb.php\" is PHP, which only PHP can read: give the application's .env file instead"),
        Row(
            "health", "ftp://x", exit: 2,
            "\"ftp://x\" is neither HOST:PORT nor a URL such as http://127.0.0.1:6001/ready"),
        Row("health", "h:0", exit: 2, "\"h:0\" is neither HOST:PORT nor a URL such as http://127.0.0.1:6001/ready"),
        Row(
            "health", "http://h", "--tls", exit: 2, "\"http://h\" is plain HTTP; TLS is https://"),
        Row(
            "health", "https://h:0", "--tls-insecure", exit: 2,
            "\"https://h:0\" is neither HOST:PORT nor a URL such as http://127.0.0.1:6001/ready"),
        Row("health", "--timeout=0", exit: 2, "flag --timeout=0: must be a whole number from 1 to 300 (seconds)"),
        Row("health", "--port=0", exit: 2, "the port is not known in advance; give a URL"),
    ]

    @Test("mistakes leave with their code", arguments: mistakes) func mistake(_ row: Row) throws {
        let result = try #require(output(row.arguments, ["bad.json": "{\"prot\": 1}"]))
        #expect(result.exitCode == row.exitCode && result.standardOutput.isEmpty)
        #expect(result.standardError.split(separator: "\n").first.map(String.init) == row.error)
    }

    static let serving: [[String]] = [
        ["--port", "1"], ["serve", "-p", "1"], ["start", "-p1"], ["start", "--config=c.json"], ["-qvc", "c.json"],
        ["-p=1"],
    ]
    @Test(arguments: serving) func thisServes(_ arguments: [String]) throws {
        guard case .serve(let configuration) = run(arguments, ["c.json": "{\"port\": 1}"]) else {
            Issue.record("no serve"); return
        }
        #expect(configuration.settings.port == 1)
        #expect(configuration.settings.logLevel == (arguments == ["-qvc", "c.json"] ? .debug : .info))
    }

    @Test func bareMeansServe() {
        guard case .serve(let configuration) = run([]) else { Issue.record("no serve"); return }
        #expect(configuration.settings.isDefaultApp)
    }

    @Test func noRowIsMissingAnywhere() throws {
        let help = try #require(output(["serve", "--help"])?.standardOutput)
        let page = try #require(output(["config", "docs"])?.standardOutput)
        let list = try #require(output(["config", "show", "--origins"])?.standardOutput)
        let document = try #require(output(["config", "show", "--json"])?.standardOutput)
        func check(
            _ key: String, _ flag: String, _ variable: String, _ isBoolean: Bool, _ prefix: String, _ name: String
        ) {
            #expect(help.contains(isBoolean ? " --[no-]\(name)" : " \(flag) "), "\(name) in help")
            #expect(
                page.contains("| `\(prefix.isEmpty ? "" : "apps[].")\(key)` | `\(flag)` | `\(variable)` |"),
                "\(name) in the page")
            #expect(list.contains("\(prefix)\(key) = "), "\(name) in show")
            #expect(
                document.contains("\"\(key.split(separator: ".").last ?? "")\":"),
                "\(name) in JSON")
        }
        for row in Option.server { check(row.key, row.flag, row.variable, row.field.isBoolean, "", row.name) }
        for row in Option.app { check(row.key, row.flag, row.variable, row.field.isBoolean, "apps[0].", row.name) }
        for (name, _) in ForeignFamily.all.flatMap(\.variables) { #expect(page.contains("| `\(name)` |"), "\(name)") }
        for name in ["STARLING_APP_SECRET_FILE", "STARLING_APP_KEYS_FILE"] {
            #expect(help.contains(name) && page.contains("| `\(name)` |") && HelpText.config.contains(name))
        }
        #expect(page.contains("| soketi | `--event-data-bytes` | 102400 |") && page.contains("`${A:?text}`"))
        let names = Option.server.map(\.name) + Option.app.map(\.name) + MetaOption.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(
            Set(Option.server.map(\.key) + Option.app.map { "apps." + $0.key }).count == Option.server.count
                + Option.app.count)
        #expect((help + page).split(separator: "\n").allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { $0 >= 0x20 } })
    }

    @Test(arguments: [true, false]) func everyRowIsAFlagAndAVariable(_ isFlag: Bool) throws {
        func sample(_ field: Field<some Sendable>) -> String {
            switch field {
            case .text, .secret: "x"
            case .boolean, .networks: "on"
            case .memory: "70%"
            case .integer(_, let range): String(range.lowerBound + 1)
            case .numbers(_, let numbers): String(numbers[1])
            case .limit(_, let range): String(range.lowerBound + 1)
            case .list, .texts: "a,b"
            case .objects(let list):
                switch list.textForm {
                case "URL": "http://x.example/a, https://[2001:4860::1]:8443?b"
                case "KEY:SECRET": "k2:s2,k3:s3"
                default: "x:x"
                }
            case .url: "http://x.example/"
            case .headers: ""
            case .words(_, let words, _): words[1]
            }
        }
        func check(_ flag: String, _ variable: String, _ name: String, _ sample: String) {
            let text = ["takeover-socket": "/x", "state-directory": "/var/lib/starling"][name] ?? sample
            // Sizes that contradict one another are another test's matter.
            // Half an app is another one: the other parts of the identity are given as variables.
            let whole =
                ["app-id", "app-key", "app-secret"].contains(name)
                ? ["STARLING_APP_KEY": "k", "STARLING_APP_SECRET": "s"]
                : name == "proxy-protocol"
                    ? ["STARLING_TRUST_PROXY": "1"]
                    : name.hasPrefix("tls-") ? ["STARLING_TLS_CERTIFICATE": "x", "STARLING_TLS_KEY": "x"] : [:]
            let result =
                isFlag
                ? load(["\(flag)=\(text)"], env: whole, others: ["x": pem, "/var/lib/x": ""])
                : load(env: whole.merging([variable: text]) { $1 }, others: ["x": pem, "/var/lib/x": ""])
            let origins = (try? result.get()).map { $0.origins.merging($0.appOrigins[0]) { $1 } }
            let expected: Origin = isFlag ? .flag(flag) : .environment(variable)
            if name == "production" || name == "backlog-total-bytes" { return }
            #expect(origins?[name] == expected, "\(name): \(result.lines)")
        }
        for row in Option.server { check(row.flag, row.variable, row.name, sample(row.field)) }
        for row in Option.app { check(row.flag, row.variable, row.name, sample(row.field)) }
    }

    @Test func helpListsTheTree() throws {
        for arguments in [["--help"], ["-h"], ["help"]] {
            let text = try #require(output(arguments)).standardOutput
            for command in [
                "serve | start", "config check", "config show", "config docs", "config import", "health", "version",
            ] {
                #expect(text.contains(command))
            }
        }
        #expect(output(["config", "--help"])?.standardOutput == HelpText.config)
        #expect(output(["health", "--help"])?.standardOutput == HelpText.health)
    }

    @Test func helpOfTheLoadGeneratorIsItsOwn() {
        guard case .bench(let arguments) = run(["help", "bench"]) else { Issue.record("not passed on"); return }
        #expect(arguments == ["--help"])
    }

    @Test func ofHelpAndVersionTheFirstIsAnswered() {
        #expect(output(["--version", "--help"]) == output(["version"]))
        #expect(output(["--help", "--version"])?.standardOutput == HelpText.tree)
        #expect(output(["serve", "--help", "-V"])?.standardOutput == HelpText.serve)
    }

    @Test func versionIsPrinted() {
        for arguments in [["version"], ["-V"], ["--version"]] {
            #expect(output(arguments)?.standardOutput == "starling 1.2.3 (abc)\n")
        }
        #expect(
            output(["version", "--json"])?.standardOutput
                == "{\"name\":\"starling\",\"version\":\"1.2.3\",\"commit\":\"abc\"}\n")
    }

    @Test func checkSaysThatItIsFine() throws {
        let result = try #require(output(["config", "check", "--host=::1"]))
        #expect(result == .success("ok: no file, the built-in app, port 6001\n"))
        let warned = try #require(output(["config", "check"], env: ["STARLING_PROT": "1", "STARLING_HOST": "::1"]))
        #expect(warned.exitCode == 0)
        #expect(
            warned.standardError
                == "env STARLING_PROT: warning: unknown variable; ignored — did you mean STARLING_PORT?\n")
    }

    @Test func showTellsOrigins() throws {
        let text = try #require(
            output(
                ["config", "show", "c.json", "--origins", "--loops=2"], env: ["SOKETI_DEBUG": "1"],
                ["c.json": "{\n  \"port\": 5}"]))
        let lines = text.standardOutput.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        for line in [
            "port = 5 # file c.json:2:11", "loops = 2 # flag --loops", "logLevel = \"debug\" # env SOKETI_DEBUG",
            "host = \"auto\" # default", "apps[0].secret = \"********\" # default",
        ] {
            #expect(lines.contains(line))
        }
    }

    @Test(arguments: [
        (["health"], HealthTarget(host: "127.0.0.1", port: 6001, path: "/ready", timeoutSeconds: 5)),
        (
            ["health", "--port", "7", "--host", "::", "--timeout=9"],
            HealthTarget(host: "::1", port: 7, path: "/ready", timeoutSeconds: 9)
        ),
        (["health", "http://h"], HealthTarget(host: "h", port: 80, path: "/ready", timeoutSeconds: 5)),
        (["health", "h:7"], HealthTarget(host: "h", port: 7, path: "/ready", timeoutSeconds: 5)),
        (["health", "[::1]:7/up"], HealthTarget(host: "::1", port: 7, path: "/up", timeoutSeconds: 5)),
        (["health", "localhost"], HealthTarget(host: "localhost", port: 6001, path: "/ready", timeoutSeconds: 5)),
        (["health", "http://[::1]:8/up"], HealthTarget(host: "::1", port: 8, path: "/up", timeoutSeconds: 5)),
        (["health", "https://h"], .init(trust: .system, host: "h", port: 443, path: "/ready", timeoutSeconds: 5)),
        (
            ["health", "--tls-ca", "ca.pem", "https://[::1]:8/up"],
            .init(trust: .authority("ca.pem"), host: "::1", port: 8, path: "/up", timeoutSeconds: 5)
        ),
        (["health", "--tls", "h:7"], .init(trust: .system, host: "h", port: 7, path: "/ready", timeoutSeconds: 5)),
        (
            ["health", "h", "--tls", "--tls-insecure"],
            .init(trust: .anybody, host: "h", port: 6001, path: "/ready", timeoutSeconds: 5)
        ),
        // The broker of this configuration: plain where there is plain HTTP; its certificate is for other names.
        (["health"] + certificate, .init(host: "127.0.0.1", port: 6001, path: "/ready", timeoutSeconds: 5)),
        (
            ["health", "--tls-only"] + certificate,
            .init(trust: .anybody, host: "127.0.0.1", port: 6001, path: "/ready", timeoutSeconds: 5)
        ),
        (
            ["health", "--tls-port=7", "--tls"] + certificate,
            .init(trust: .system, host: "127.0.0.1", port: 7, path: "/ready", timeoutSeconds: 5)
        ),
        (
            ["health", "--tls-port=7"] + certificate,
            .init(host: "127.0.0.1", port: 6001, path: "/ready", timeoutSeconds: 5)
        ),
    ]) func healthHasATarget(_ arguments: [String], _ expected: HealthTarget) {
        guard case .health(let target) = run(arguments) else { Issue.record("no health"); return }
        #expect(target == expected)
    }

    private static let certificate = ["--tls-certificate=c.pem", "--tls-key=k.pem"]
}

@Suite("soketi's file") struct SoketiFileTests {
    static let nested = """
        { "debug": true, "port": 6002, "shutdownGracePeriod": 5000,
          "adapter": { "driver": "local" }, "metrics": { "enabled": true },
          "eventLimits": { "maxPayloadInKb": "20", "maxBatchSize": 5 },
          "appManager": { "driver": "array", "array": { "apps": [
            { "id": 7, "key": "k", "secret": "hush", "enable_client_messages": true, "MaxConnections": -1,
              "maxEventBatchSize": 3, "webhooks": [{ "url": "http://x" }], "colour": 1 },
            { "AppId": "b", "AppKey": "l", "AppSecret": "t", "max_event_payload_in_kb": 5 } ] } } }
        """

    @Test func importPrintsTheNativeFile() throws {
        let result = try #require(
            output(
                ["config", "import", "--from", "soketi", "s.json"], env: ["SOKETI_PORT": "1"], ["s.json": Self.nested]))
        #expect(result.exitCode == 0)
        #expect(
            result.standardOutput == """
                // Made by: starling config import --from soketi s.json
                // s.json:6:68: unknown soketi option "appManager.array.apps[0].colour"; not taken over
                // "allowPrivate" stands where the host seems to be of a network of your own; soketi called every address
                {
                  "port": 6002,
                  "logLevel": "debug",
                  "shutdownGraceSeconds": 5,
                  "messageBytes": 126976,
                  "metrics": {
                    "enabled": true
                  },
                  "apps": [
                    {
                      "id": "7",
                      "key": "k",
                      "secret": "hush",
                      "clientEvents": true,
                      "webhooks": [
                        {
                          "url": "http://x/",
                          "allowPrivate": true
                        }
                      ],
                      "limits": {
                        "connections": -1,
                        "channelsPerConnection": 1000000,
                        "eventDataBytes": 20480,
                        "batchEvents": 3,
                        "presenceMemberBytes": 3072,
                        "userIDCharacters": 1000,
                        "clientEventBytes": 20480,
                        "clientEventsPerSecond": -1,
                        "cacheSeconds": 3600
                      }
                    },
                    {
                      "id": "b",
                      "key": "l",
                      "secret": "t",
                      "limits": {
                        "channelsPerConnection": 1000000,
                        "eventDataBytes": 5120,
                        "batchEvents": 5,
                        "presenceMemberBytes": 3072,
                        "userIDCharacters": 1000,
                        "clientEventBytes": 5120,
                        "clientEventsPerSecond": -1,
                        "cacheSeconds": 3600
                      }
                    }
                  ]
                }

                """)
        // What was printed is accepted, and says the same.
        let again = try load(["-c", "n"], others: ["n": result.standardOutput]).get()
        #expect(try again.settings == load(file: Self.nested).get().settings)
    }

    @Test func dottedKeysServeDirectly() throws {
        let file =
            "{\"appManager.array.apps\": [{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"}], \"presence.maxMembersPerChannel\": 9}"
        let settings = try load(file: file).get().settings
        #expect(settings.apps.map(\.id) == ["a"] && settings.apps.first?.limits.presenceMembersMax == 9)
    }

    @Test(arguments: [
        (
            "\"adapter\": { \"driver\": \"redis\" }",
            "adapter.driver: \"redis\" is not supported here (local); refusing to start single-node by accident"
        ),
        (
            "\"ssl\": { \"certPath\": \"x\", \"keyPath\": \"config.json\"}",
            "tls.certificate: \"x\" cannot be read: No such file or directory"
        ),
        (
            "\"appManager\": { \"driver\": \"mysql\" }",
            "appManager.driver: \"mysql\" is not supported here (array); refusing to start without those apps"
        ),
        ("\"appManager\": [], \"port\": -1", "appManager: must be an object, not an array"),
    ]) func whatServingRefusesIsNotImported(_ members: String, _ expected: String) throws {
        let file = "{\(members)}"
        let lines = load(file: file).lines
        #expect(lines.first?.hasSuffix(": " + expected) == true, "\(lines)")
        let result = try #require(
            output(["config", "import", "--from", "soketi", "config.json"], ["config.json": file]))
        #expect(result.exitCode == 78 && result.standardOutput.isEmpty)
        #expect(result.standardError.hasPrefix(lines[0]) && result.standardError.hasSuffix("; nothing was written\n"))
    }

    @Test func variablesAreImportedToo() throws {
        let env = ["REVERB_APP_ID": "1", "REVERB_APP_KEY": "k", "REVERB_APP_SECRET": "s", "REVERB_SERVER_PORT": "9"]
        let text = try #require(output(["config", "import", "--from", "reverb"], env: env)?.standardOutput)
        #expect(try load(file: text).get().settings == load(env: env).get().settings)
    }

    @Test(arguments: ["reverb", "env"]) func aFileOfVariablesIsImportedAlone(from: String) throws {
        let file = "REVERB_APP_ID=1\nREVERB_APP_KEY=k\nREVERB_APP_SECRET=s\nREVERB_SERVER_PORT=9\n"
        let arguments = ["config", "import", "--from", from, "app.env"]
        let text = try #require(
            output(arguments, env: ["REVERB_SERVER_PORT": "7"], ["app.env": file])?.standardOutput)
        let settings = try load(file: text).get().settings
        #expect(settings.port == 9)
        #expect(settings.apps.map(\.id) == ["1"])
    }
}
