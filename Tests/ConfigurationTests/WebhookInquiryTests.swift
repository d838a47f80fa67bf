import TestSupport
import Testing
import Wire

@testable import Configuration

@Suite("What starling webhooks asks of a running broker") struct WebhookInquiryTests {
    static let url = WebURL(isSecure: true, host: "example.com", port: 443, target: "/hooks")

    static let questions: [Row<([String], WebhookInquiry.Question)>] = [
        Row("all endpoints", (["list"], .list(app: nil))),
        Row("those of an app", (["list", "--app", "shop"], .list(app: "shop"))),
        Row("an ID", (["show", "00ab000000000012"], .show(id: "00ab000000000012"))),
        Row("attempts", (["attempts"], .attempts(app: nil))),
        Row("attempts of an app", (["attempts", "--app=shop"], .attempts(app: "shop"))),
        Row("retry one", (["retry", "x"], .retry(id: "x"))),
        Row("retry all", (["retry", "--all"], .retry(id: nil))),
        Row("purge one", (["purge", "x"], .purge(id: "x"))),
        Row("purge all", (["purge", "--all"], .purge(id: nil))),
        Row("test", (["test", "HTTPS://example.com/hooks"], .test(url, app: nil, allowsPrivate: false))),
        Row(
            "test of an app",
            (
                ["test", "https://example.com/hooks", "--app", "shop", "--allow-private"],
                .test(url, app: "shop", allowsPrivate: true)
            )),
    ]

    @Test("Questions", arguments: questions)
    func question(_ row: Row<([String], WebhookInquiry.Question)>) {
        let inquiry = inquiry(["webhooks"] + row.value.0 + ["--state-directory", "/state"])
        #expect(inquiry?.question == row.value.1)
        #expect(inquiry?.stateDirectory == "/state" && inquiry?.printsJSON == false)
        let isTest = row.value.0.first == "test"
        #expect(inquiry?.timeoutSeconds == (isTest ? 70 : 10), "a test may last as long as an attempt")
    }

    @Test("How it is asked and printed")
    func options() {
        let given = inquiry(["webhooks", "list", "--json", "--timeout", "3", "--state-directory=/state"])
        #expect(
            given
                == WebhookInquiry(
                    question: .list(app: nil), stateDirectory: "/state", printsJSON: true, timeoutSeconds: 3))
    }

    @Test("The state directory is found as serve would find it; what is said needs no configuration")
    func places() {
        let file = ["c.json": "{\"stateDirectory\": \"/of-file\"}", "bad.json": "{"]
        #expect(inquiry(["webhooks", "list", "-c", "c.json"], file)?.stateDirectory == "/of-file")
        #expect(inquiry(["webhooks", "list"], file, env: ["STARLING_CONFIG": "c.json"])?.stateDirectory == "/of-file")
        #expect(inquiry(["webhooks", "list"], env: ["STARLING_STATE_DIRECTORY": "/said"])?.stateDirectory == "/said")
        #expect(inquiry(["webhooks", "list"], env: ["STATE_DIRECTORY": "/systemd"])?.stateDirectory == "/systemd")
        let said = inquiry(["webhooks", "list", "-c", "bad.json", "--state-directory", "/said"], file)
        #expect(said?.stateDirectory == "/said")
        #expect(output(["webhooks", "list", "-c", "bad.json"], file)?.exitCode == 78)
    }

    static let faults: [Row<([String], String)>] = [
        Row(
            "nothing known",
            (["list"], "webhooks list asks a running broker in its state directory, and none is known: ")),
        Row("no ID", (["show"], "webhooks show needs an ID; webhooks list has those of the endpoints")),
        Row("two IDs", (["show", "x", "y"], "unexpected argument \"y\"")),
        Row("an ID of a list", (["list", "x"], "unexpected argument \"x\"")),
        Row("retry what", (["retry"], "webhooks retry needs an ID, or --all")),
        Row("purge what", (["purge"], "webhooks purge needs an ID, or --all")),
        Row("both", (["purge", "x", "--all"], "webhooks purge takes an ID or --all, not \"x\" and --all")),
        Row("all of a list", (["list", "--all"], "webhooks list takes no --all")),
        Row("an app of a retry", (["retry", "--all", "--app", "x"], "webhooks retry takes no --app")),
        Row("an address of a list", (["list", "--allow-private"], "webhooks list takes no --allow-private")),
        Row("no URL", (["test"], "webhooks test needs a URL")),
        Row("another scheme", (["test", "ftp://x"], "the URL must begin with https:// or http://")),
        Row(
            "no patience",
            (["list", "--timeout=0"], "flag --timeout=0: must be a whole number from 1 to 300 (seconds)")),
        Row("a slip", (["lst"], "unknown command webhooks \"lst\" — did you mean list?")),
        Row("an unknown option", (["list", "--jsn"], "unknown option --jsn — did you mean --json?")),
        Row("no command", ([], "webhooks needs a command: list, show, attempts, retry, purge, test, verify")),
    ]

    @Test("Mistakes leave with 2", arguments: faults)
    func fault(_ row: Row<([String], String)>) throws {
        let result = try #require(output(["webhooks"] + row.value.0))
        #expect(result.exitCode == 2 && result.standardOutput.isEmpty)
        #expect(result.standardError.hasPrefix(row.value.1), "\(result.standardError)")
    }

    @Test("Help")
    func help() {
        for arguments in [["webhooks", "--help"], ["webhooks", "list", "--help"], ["help", "webhooks"]] {
            #expect(output(arguments)?.standardOutput == HelpText.webhooks)
        }
        for name in Commands.webhookCommands { #expect(HelpText.webhooks.contains("  \(name)  ")) }
    }

    private func inquiry(
        _ arguments: [String], _ files: [String: String] = [:], env: [String: String] = [:]
    ) -> WebhookInquiry? {
        if case .webhooks(let inquiry) = run(arguments, env: env, files) { inquiry } else { nil }
    }
}
