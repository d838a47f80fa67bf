import BrokerCore
import Testing
import Wire

@testable import Configuration

@Suite("Whom trustProxy believes") struct TrustProxyTests {
    static let values: [(json: String, shown: String)] = [
        ("true", "true"), ("false", "false"), ("[]", "false"),
        ("[\"10.0.0.0/8\", \"Loopback\"]", "[\"10.0.0.0/8\",\"loopback\"]"),
        ("[\"::1\", \"::1\", \"private\"]", "[\"::1\",\"private\"]"),
    ]

    @Test(arguments: values) func aFileHasAnswersOrAList(_ json: String, _ shown: String) throws {
        let loaded = try load(file: "{\"trustProxy\": \(json)}").get()
        #expect(loaded.settings.trustsProxy == (shown != "false"))
        let list = try #require(output(["config", "show", "f"], ["f": "{\"trustProxy\": \(json)}"])?.standardOutput)
        #expect(list.filter { $0 != " " }.contains("trustProxy=\(shown)\n"), "\(list)")
        let again = NativeFile.document(loaded).printed()
        #expect(try load(file: again).get().settings.trustedProxies == loaded.settings.trustedProxies)
    }

    static let texts: [(arguments: [String], env: [String: String], expected: [String]?)] = [
        (["--trust-proxy"], [:], nil), (["--trust-proxy=true"], [:], nil), ([], ["STARLING_TRUST_PROXY": "1"], nil),
        (["--no-trust-proxy"], ["STARLING_TRUST_PROXY": "1"], []), (["--trust-proxy=off"], [:], []),
        (["--trust-proxy=10.0.0.0/8, loopback"], [:], ["10.0.0.0/8", "loopback"]),
        ([], ["STARLING_TRUST_PROXY": "2001:db8::/32"], ["2001:db8::/32"]),
    ]

    @Test(arguments: texts) func flagsAndVariablesToo(
        _ arguments: [String], _ env: [String: String], _ expected: [String]?
    ) throws {
        let list = try load(arguments, env: env).get().settings.trustedProxies
        #expect(list == (try expected.map { try NetworkList($0) } ?? .everyone))
    }

    static let faults: [(json: String, line: String)] = [
        (
            "[\"::1\", \"10.0.0.1/8\"]",
            "config.json:1:24: trustProxy: \"10.0.0.1/8\" has bits set behind its prefix; write 10.0.0.0/8, or the address alone"
        ),
        (
            "[\"loopbak\"]",
            "config.json:1:17: trustProxy: \"loopbak\" is no address, no network such as 10.0.0.0/8, and none of loopback, private, linklocal — did you mean \"loopback\"?"
        ),
        ("[1]", "config.json:1:17: trustProxy: must be true, false or a list of networks, not one with a number in it"),
        ("1", "config.json:1:16: trustProxy: must be true, false or a list of networks, not a number"),
        ("\"loopback\"", "config.json:1:16: trustProxy: must be true, false or a list of networks, not a string"),
    ]

    @Test(arguments: faults) func aFaultStandsAtItsElement(_ json: String, _ line: String) {
        #expect(load(file: "{\"trustProxy\": \(json)}").lines == [line])
    }

    @Test func aReloadTakesAnotherList() throws {
        let (first, second) = (try load().get().settings, try load(["--trust-proxy=private"]).get().settings)
        let (merged, waiting) = first.reloading(second)
        #expect(merged.trustedProxies == second.trustedProxies && waiting.isEmpty)
    }
}
