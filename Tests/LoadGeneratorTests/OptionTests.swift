import Reactor
import TLS
import TestSupport
import Testing

@testable import LoadGenerator

@Suite struct OptionTests {
    @Test func `flags change what a scenario begins with`() {
        guard case .run(let options) = OptionParser.parse(["fanout", "--subscribers=5", "--in-flight", "3", "--quiet"])
        else {
            Issue.record("not understood")
            return
        }
        #expect(options.subscribers == 5)
        #expect(options.rate == 0)
        #expect(options.publisherCount == 3)
        #expect(options.isQuiet)
    }

    @Test(arguments: [
        Row("no scenario", []), Row("unknown scenario", ["fan"]), Row("unknown flag", ["fanout", "--fast"]),
        Row("no value", ["fanout", "--rate"]), Row("no number", ["fanout", "--rate", "x"]),
        Row("too small", ["fanout", "--payload", "10"]), Row("bare word", ["fanout", "x"]),
        Row("search without levels", ["search"]), Row("no pace", ["fanout", "--rate", "0"]),
        Row("more channels per client than channels", ["pubsub", "--channels", "2", "--channels-per-client", "3"]),
        Row("a level that cannot be read", ["fanout", "--slo", "p99"]),
        Row("an unknown fault", ["fanout", "--allow", "lost,gone"]), Row("no fault", ["fanout", "--allow", ""]),
        Row("an unknown language", ["fanout", "--language", "latin"]),
        Row("a language and a Pusher scenario", ["presence", "--language", "mqtt"]),
    ])
    func `what makes no sense is refused`(row: Row<[String]>) {
        guard case .wrong(let text) = OptionParser.parse(row.value) else {
            Issue.record("accepted")
            return
        }
        #expect(!text.isEmpty)
    }

    @Test(arguments: [
        Row("below", ("p99<5ms", 4.9, true)), Row("not below", ("p99<5ms", 5, false)),
        Row("microseconds", ("p50<=250us", 0.25, true)), Row("seconds", ("max<1s", 999, true)),
        Row("loss", ("loss=0", 0, true)), Row("some loss", ("lost=0", 1, false)),
        Row("at least", ("deliveries_per_second>=1000", 999, false)),
    ])
    func `service levels`(row: Row<(String, Double, Bool)>) throws {
        let level = try #require(ServiceLevel.parse(row.value.0)?.first)
        #expect(level.isKept(row.value.1) == row.value.2)
        #expect(!level.isKept(nil))
    }

    private func report(_ arguments: [String], _ figures: [String: Int]) throws -> Report {
        guard case .run(let options) = OptionParser.parse(arguments) else {
            throw NotUnderstood()
        }
        var report = Report(options: options, commandLine: [])
        for (name, value) in figures { report.add(name, value) }
        return report
    }

    private struct NotUnderstood: Error {}

    @Test(arguments: [
        Row("nothing wrong", ([], "VALID\n", false)),
        Row("loss", (["lost"], "FAULTY: 3 deliveries lost (--allow lost accepts that)\n", true)),
        Row(
            "disconnects and refusals",
            (
                ["connections_lost", "rejected"],
                "FAULTY: 3 connections lost, 3 calls or events rejected (--allow connections_lost,rejected accepts that)\n",
                true
            )),
    ])
    func `a run with faults says so and fails`(row: Row<([String], String, Bool)>) throws {
        let (faults, verdict, fails) = row.value
        let report = try report(["fanout"], Dictionary(uniqueKeysWithValues: faults.map { ($0, 3) }))
        #expect(report.verdict == verdict)
        #expect(report.hasFailed == fails)
        #expect(report.text.hasSuffix(verdict))
    }

    @Test func `every fault fails a run, and none of them when it is allowed or a service level judges it`() throws {
        for (name, _) in Fault.all {
            #expect(try report(["fanout"], [name: 1]).hasFailed)
            #expect(try !report(["fanout"], [name: 0]).hasFailed)
            #expect(try !report(["fanout", "--allow", name], [name: 1]).hasFailed)
            #expect(try !report(["fanout", "--slo", "\(name)<=1"], [name: 1]).hasFailed)
            #expect(try report(["fanout", "--slo", "\(name)<=1"], [name: 2]).hasFailed)
        }
        #expect(try !report(["fanout", "--allow", "loss"], ["lost": 1]).hasFailed)
    }

    @Test func `no secret is written into a report`() {
        let command = ["starling", "bench", "rest", "--secret", "hush", "--secret=hush", "--key", "k"]
        #expect(
            OptionParser.withoutSecret(command).joined(separator: " ")
                == "starling bench rest --secret … --secret=… --key k")
    }

    @Test(arguments: [
        Row("a name", ("localhost", ["127.0.0.1:7", "[::1]:7"])), Row("IPv4", ("127.0.0.3", ["127.0.0.3:7"])),
        Row("IPv6", ("::1", ["[::1]:7"])),
    ])
    func `a host is a name or an address`(row: Row<(String, [String])>) throws {
        #expect(row.value.1.contains(try HostAddress.find(row.value.0, port: 7).description))
    }

    @Test func `a name that nobody knows is told`() {
        #expect(throws: HostAddress.Unknown.self) { try HostAddress.find("no such name", port: 7) }
    }

    @Test(
        arguments: [
            ([], nil), (["--tls"], .system), (["--tls-ca", "ca.pem"], .authority("ca.pem")),
            (["--tls-insecure"], .anybody),
            (["--tls-insecure", "--tls"], .anybody), (["--tls", "--tls-ca=ca.pem"], .authority("ca.pem")),
        ] as [([String], TLSClientContext.Trust?)])
    func `TLS is asked for with whom to trust`(arguments: [String], expected: TLSClientContext.Trust?) throws {
        guard case .run(let options) = OptionParser.parse(["idle", "--host", "[::1]"] + arguments) else {
            throw NotUnderstood()
        }
        #expect(options.trust == expected && options.bareHost == "::1")
        let plan = Plan.make(
            options, address: try #require(PeerAddress.parse(host: "::1")), tls: try TLSClientContext(.anybody))
        #expect(plan.target.tls?.name == "::1")
    }

    @Test(arguments: [0.0013, 0.105, 0.5, 1, 1.05, 3, 7.35, 10, 99, 1_000, 1_234_567])
    func `an axis has between three and seven marks`(high: Double) {
        #expect((3...7).contains(Panel.ticks(0, high).count), "\(Panel.ticks(0, high))")
    }

    @Test(arguments: ["connect", "idle", "reconnect-storm"])
    func `clients that only connect are spread over channels`(scenario: String) throws {
        func plan(_ more: [String]) throws -> Plan {
            guard case .run(let options) = OptionParser.parse([scenario, "--connections", "5000"] + more) else {
                throw NotUnderstood()
            }
            return Plan.make(options, address: try #require(PeerAddress.parse(host: "127.0.0.1")))
        }
        let usual = try plan([])
        #expect(usual.channels == 1_000)
        #expect((0..<1_000).allSatisfy { usual.subscriptions(of: $0) == 5 })
        #expect(try plan(["--channels", "1"]).subscriptions(of: 0) == 5_000)
    }

    @Test func `every client knows the place of each of its channels`() {
        var plan = Plan(target: Target(address: .init(), host: ""))
        (plan.channels, plan.channelsPerClient, plan.subscribers) = (20, 7, 33)
        var subscriptions = Array(repeating: 0, count: 20)
        for client in 0..<33 {
            for index in 0..<7 {
                let channel = plan.channel(of: client, index)
                subscriptions[channel] += 1
                #expect(plan.index(of: channel, for: client) == index)
            }
        }
        #expect(subscriptions == (0..<20).map { plan.subscriptions(of: $0) })
    }
}

@Suite struct ReportTests {
    private func report() -> Report {
        var report = Report(options: Options(.fanout), commandLine: ["starling", "bench"])
        report.title = "a < b"
        for value in 1...1_000 { report.latency.record(UInt64(value) * 10_000) }
        report.timeline = (1...3).map { .init(second: Double($0), count: 5, p50: 1_000, p99: 2_000, maximum: 3_000) }
        report.steps = [1.0, 2].map {
            .init(rate: $0, deliveriesPerSecond: 10 * $0, p50: 1_000, p99: 2_000, isKept: $0 < 2)
        }
        report.addLatency()
        return report
    }

    @Test func `a plot has the panels of its kind and balanced tags`() {
        var report = report()
        let svg = Plot.document(report)
        #expect(svg.contains("a &lt; b"))
        #expect(svg.components("<polyline") == 1 + 2)
        report.steps = []
        #expect(Plot.document(report).components("<polyline") == 1 + 3)
        #expect(svg.components("darker") == 0)
        #expect(svg.components("<g ") == svg.components("</g>"))
    }

    @Test func `a heat map has a cell for each column and height that something fell into`() {
        var report = report()
        report.steps = []
        for column in 1...3 {
            var histogram = Histogram()
            for _ in 0..<column { histogram.record(2_000_000) }
            if column == 2 { histogram.record(500_000_000) }
            report.heat.add(histogram, second: Double(column) / 5)
        }
        // Two milliseconds in three columns, half a second in one, and the background.
        let svg = Plot.document(report)
        #expect(svg.components("<rect") == 3 + 1 + 1)
        #expect(svg.components("<g ") == 3)
        #expect(svg.components("fill-opacity=\"1.00\"") == 1)
    }

    @Test func `a missed level fails the run`() throws {
        var report = report()
        #expect(!report.hasFailed)
        report.options.serviceLevels = try #require(ServiceLevel.parse("p99<1ms"))
        #expect(report.hasFailed)
        #expect(report.text.contains("MISSED"))
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func components(_ text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
