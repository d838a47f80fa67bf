import Testing

@testable import Configuration

@Suite("starling tls dev, as far as it is words") struct DevelopmentTLSTests {
    private func asked(_ arguments: [String], env: [String: String] = ["HOME": "/home/u"]) -> DevelopmentTLS? {
        if case .developmentTLS(let request) = run(["tls", "dev"] + arguments, env: env) { request } else { nil }
    }

    @Test func namesAreHostsAndAddresses() throws {
        let request = try #require(
            asked(["App.Test.", "*.app.test", "app.test", "10.1.2.3", "[fd00::1]", "fd00::1", "a_b"]))
        #expect(request.hosts == ["app.test", "*.app.test", "a_b"])
        #expect(request.addresses == [[10, 1, 2, 3], [0xFD] + [UInt8](repeating: 0, count: 14) + [1]])
    }

    static let directories: [(arguments: [String], env: [String: String], expected: String)] = [
        ([], ["HOME": "/home/u"], "/home/u/.local/share/starling/tls"), ([], [:], "starling-tls"),
        ([], ["HOME": "/home/u", "XDG_DATA_HOME": "/data"], "/data/starling/tls"),
        ([], ["HOME": "/home/u", "XDG_DATA_HOME": "data"], "/home/u/.local/share/starling/tls"),
        (["--directory", "here/"], ["HOME": "/home/u"], "here"), (["--directory=/"], [:], "/"),
    ]

    @Test(arguments: directories) func theDirectoryIsTheUsers(
        _ arguments: [String], _ env: [String: String], _ expected: String
    ) {
        #expect(asked(arguments, env: env)?.directory == expected)
    }

    static let faults: [(arguments: [String], text: String)] = [
        (["https://app.test"], "\"https://app.test\" is a URL; give its host alone"),
        (["app.test:443"], "\"app.test:443\" has a port, and a certificate is for all; give the host alone"),
        (["bücher.test"], "\"bücher.test\" is not ASCII; give the form that begins with xn--"),
        (["*.test"], "\"*.test\" stands for too much: clients take *.NAME.NAME, and no wildcard above it"),
        (["a..b"], "\"a..b\" is neither a host name nor an address"),
        (["1.2.3.400"], "\"1.2.3.400\" is neither a host name nor an address"),
        (["a,b"], "\"a,b\" is neither a host name nor an address"),
        ([""], "\"\" is neither a host name nor an address"),
        (["a.*.test"], "\"a.*.test\" is neither a host name nor an address"),
        ((0...100).map { "n\($0).test" }, "more than 100 names"),
        (["--directory="], "flag --directory: must not be empty"),
    ]

    @Test(arguments: faults) func whatIsNoNameIsRefused(_ arguments: [String], _ text: String) throws {
        let refused = try #require(output(["tls", "dev"] + arguments))
        #expect(refused.exitCode == 2 && refused.standardError.hasPrefix(text + "\n"), "\(refused.standardError)")
    }

    @Test func theCommandHasItsHelp() {
        for arguments in [["tls", "--help"], ["tls", "dev", "-h"], ["help", "tls"]] {
            #expect(output(arguments)?.standardOutput == HelpText.tls)
        }
        #expect(
            output(["tls"])?.exitCode == 2
                && output(["tls", "dve"])?.standardError.contains("did you mean dev?") == true)
        #expect(HelpText.tree.contains("tls dev"))
    }

    @Test func pathsArePrintedAsAShellTakesThem() {
        let made = DevelopmentTLS.Outcome(
            authority: "/it's here/ca.pem", certificate: "/d/c.pem", key: "/d/k.pem", isAuthorityNew: true,
            isCertificateNew: false, names: ["localhost", "0:0:0:0:0:0:0:1"], endsSeconds: 1_830_204_694)
        let text = DevelopmentTLS.report(made).standardOutput
        #expect(text.contains("NODE_EXTRA_CA_CERTS='/it'\\''s here/ca.pem'\n"))
        #expect(text.contains("starling serve --tls-certificate /d/c.pem --tls-key /d/k.pem\n"))
        #expect(text.contains("(kept, until 2027-12-30)") && text.contains("localhost, ::1\n"))
    }
}
