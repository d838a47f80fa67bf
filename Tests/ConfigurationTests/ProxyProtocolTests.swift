import Testing

@testable import Configuration

@Suite("Who must send a PROXY header") struct ProxyProtocolTests {
    @Test(arguments: ["{\"proxyProtocol\": true}", "{\"proxyProtocol\": true, \"trustProxy\": []}"])
    func whereNobodyIsTrustedThereIsNobody(_ file: String) {
        #expect(
            load(file: file).lines == [
                "config.json:1:19: proxyProtocol: needs trustProxy, the networks whose PROXY headers are believed, such as 10.0.0.0/8"
            ])
    }

    @Test(arguments: [
        (["--proxy-protocol", "--trust-proxy=loopback"], "127.0.0.1", true),
        (["--proxy-protocol", "--trust-proxy=loopback", "--host", "::"], "::1", true),
        (["--proxy-protocol", "--trust-proxy"], "127.0.0.1", true),
        (["--proxy-protocol", "--trust-proxy=10.0.0.0/8"], "127.0.0.1", false),
        (["--proxy-protocol", "--trust-proxy=10.0.0.0/8", "--host", "10.1.2.3"], "10.1.2.3", true),
        (["--trust-proxy=loopback"], "127.0.0.1", false),
    ])
    func theHealthCheckSendsOneWhereItMust(_ flags: [String], _ host: String, _ isPrefaced: Bool) {
        guard case .health(let target) = run(["health"] + flags) else { Issue.record("no health"); return }
        #expect(
            target
                == HealthTarget(
                    host: host, port: 6001, path: "/ready", timeoutSeconds: 5, beginsWithProxyHeader: isPrefaced))
    }

    @Test func aReloadWaitsWithItButTakesOtherLimitsOfAddresses() throws {
        let first = try load(["--trust-proxy"]).get().settings
        let second = try load(["--trust-proxy", "--proxy-protocol", "--connections-per-address=3"]).get().settings
        let (merged, waiting) = first.reloading(second)
        #expect(waiting == ["proxy-protocol"] && merged.connectionsPerAddressMax == 3)
        #expect(first.connectionsPerAddressMax == nil && first.connectionsPerAddressPerSecondMax == nil)
    }
}
