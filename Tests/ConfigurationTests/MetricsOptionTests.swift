import BrokerCore
import Testing

@testable import Configuration

@Suite("Options of the metrics") struct MetricsOptionTests {
    @Test func whenNothingIsSaidTheyAreOnAndNotAskedFor() throws {
        let loaded = try load().get()
        #expect(loaded.settings.metrics == MetricsSettings() && loaded.settings.metrics.isEnabled)
        #expect(!loaded.areMetricsWanted, "another broker may have the port")
    }

    @Test(
        "whoever says where they are asks for them",
        arguments: [
            (["--metrics-port", "9601"], [:]), (["--metrics-host=::1"], [:]), (["--metrics-enabled"], [:]),
            ([], ["STARLING_METRICS_PORT": "1"]), ([], ["SOKETI_METRICS_ENABLED": "1"]),
            ([], ["SOKETI_METRICS_SERVER_PORT": "1"]),
        ] as [([String], [String: String])]) func wanted(_ arguments: [String], _ variables: [String: String]) throws
    {
        #expect(try load(arguments, env: variables).get().areMetricsWanted)
    }

    @Test func whoeverSwitchesThemOffDoesNot() throws {
        #expect(try !load(["--no-metrics-enabled", "--metrics-port=1"]).get().areMetricsWanted)
    }

    @Test func theFileHasThemInASection() throws {
        let metrics = try load(
            file: #"{"metrics": {"host": "::1", "port": 0, "token": "t", "prefix": "", "apps": 7, "enabled": true}}"#
        ).get().settings.metrics
        var wanted = MetricsSettings()
        (wanted.host, wanted.port, wanted.token, wanted.prefix, wanted.appsMax) = ("::1", 0, "t", "", 7)
        #expect(metrics == wanted)
    }

    @Test(
        "what is wrong is said",
        arguments: [
            (
                ["--metrics-prefix=9x"],
                "flag --metrics-prefix: metrics.prefix: must be at most 64 of A-Z a-z 0-9 _, and not begin with a digit, not \"9x\""
            ),
            (
                ["--metrics-prefix=a-b"],
                "flag --metrics-prefix: metrics.prefix: must be at most 64 of A-Z a-z 0-9 _, and not begin with a digit, not \"a-b\""
            ),
            (["--metrics-token=a b"], "flag --metrics-token: metrics.token: must be visible ASCII without blanks"),
            (["--metrics-host=a/b"], "flag --metrics-host: metrics.host: must be a name or an address, not \"a/b\""),
            (
                ["--metrics-port=6001"],
                "flag --metrics-port: metrics.port: 6001 is the port of the broker; the metrics have one of their own"
            ),
            (["--metrics-apps=10001"], "flag --metrics-apps=10001: must be a whole number from 0 to 10000, not 10001"),
        ]) func faults(_ arguments: [String], _ text: String)
    {
        #expect(load(arguments).lines == [text])
    }

    @Test func theTokenIsNeverShown() throws {
        let variables = ["STARLING_METRICS_TOKEN_FILE": "token"]
        let named = ["token": "hush-hush\n"]
        #expect(try load(env: variables, others: named).get().settings.metrics.token == "hush-hush")
        for command in [["config", "show"], ["config", "show", "--json"], ["config", "show", "--origins"]] {
            let said = try #require(output(command, env: variables, named))
            #expect(said.exitCode == 0 && !said.standardOutput.contains("hush"), "\(command)")
            #expect(said.standardOutput.contains("********"))
        }
        #expect(try load(env: variables, others: named).get().settings.secrets.contains("hush-hush"))
    }

    @Test func aTokenGivenTwiceIsAProblem() {
        let said = load(
            env: ["STARLING_METRICS_TOKEN": "a", "STARLING_METRICS_TOKEN_FILE": "token"], others: ["token": "b"])
        #expect(said.lines == ["env STARLING_METRICS_TOKEN_FILE: STARLING_METRICS_TOKEN is set too; give one of them"])
    }

    @Test(
        "a section that both have is ours unless it says more",
        arguments: [
            (#"{"metrics": {"port": 9}}"#, true), (#"{"metrics": {"enabled": false, "host": "::1"}}"#, true),
            (#"{"metrics": {"driver": "prometheus", "port": 9}}"#, false), (#"{"metrics.port": 9}"#, false),
            (#"{"metrics": {"port": 9}, "debug": true}"#, false),
        ]) func ambiguous(_ file: String, _ isOurs: Bool) throws
    {
        let (node, _) = FileReader.read(SourceText(path: "f", bytes: Array(file.utf8)))
        #expect(SoketiFile.isSoketi(try #require(node)) == !isOurs)
    }
}
