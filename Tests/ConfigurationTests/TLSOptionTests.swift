import BrokerCore
import Testing

@testable import Configuration

@Suite("Options of TLS") struct TLSOptionTests {
    static let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n"
    static let oldEncrypted =
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMA==\n-----END EC PRIVATE KEY-----\n"
    static let named = [
        "c.pem": certificatePEM, "k.pem": keyPEM, "both.pem": pem, "secret-key.pem": encrypted, "old.pem": oldEncrypted,
        "pass": "hush\n", "empty": "\nsecond line\n", "long": String(repeating: "p", count: 1_025), "der": "0\u{1}",
        "huge": String(repeating: "x", count: (1 << 20) + 1), "text": "hello",
    ]

    private func tls(_ arguments: [String] = [], env: [String: String] = [:], file: String? = nil) throws -> TLSSettings
    {
        try load(arguments, env: env, file: file, others: Self.named).get().settings.tls
    }

    @Test func withoutACertificateThereIsNoTLS() throws {
        let settings = try load().get().settings
        #expect(!settings.tls.isOn && settings.tls.certificates.isEmpty && settings.tls.port == nil)
    }

    @Test func theStandardPairComesFirst() throws {
        let file = """
            {"tls": {"certificates": [{"certificate": "both.pem", "key": "old.pem", "keyPassphraseFile": "pass"}],
                     "certificate": "c.pem", "key": "k.pem", "port": 443, "only": true}}
            """
        let tls = try tls(file: file)
        #expect(
            tls.certificates == [
                .init(certificate: "c.pem", key: "k.pem"),
                .init(certificate: "both.pem", key: "old.pem", keyPassphraseFile: "pass"),
            ])
        #expect(tls.port == 443 && tls.isOnly && tls.isOn)
    }

    @Test func aPairOfTheListAloneIsTheStandard() throws {
        let tls = try tls(["--tls-certificates=c.pem:k.pem, both.pem:both.pem"])
        #expect(tls.certificates.map(\.certificate) == ["c.pem", "both.pem"] && tls.isOn)
    }

    @Test func portZeroIsAFreeOneOfItsOwn() throws {
        #expect(try tls(["--tls-certificate=c.pem", "--tls-key=k.pem", "--tls-port=0", "--port=0"]).port == 0)
        #expect(try tls(["--tls-certificate=c.pem", "--tls-key=k.pem", "--tls-port=-1"]).port == nil)
    }

    @Test func theVariablesOfSoketiAreAPair() throws {
        let tls = try tls(env: ["SOKETI_SSL_CERT": "c.pem", "SOKETI_SSL_KEY": "k.pem"])
        #expect(tls.certificates == [.init(certificate: "c.pem", key: "k.pem")])
    }

    @Test("soketi's file is imported with its pair") func soketiFile() throws {
        let file = """
            {"debug": true, "ssl": {"certPath": "c.pem", "keyPath": "k.pem", "passphrase": "hush", "caPath": "ca"}}
            """
        let loaded = try load(file: file, others: Self.named).get()
        #expect(loaded.settings.tls.certificates == [.init(certificate: "c.pem", key: "k.pem")])
        #expect(
            loaded.warnings.map(\.description) == [
                "config.json:1:66: warning: ssl.passphrase: \(Unsupported.passphrase)",
                "config.json:1:88: warning: ssl.caPath: \(Unsupported.clientCertificates)",
            ])
        #expect(loaded.origins["tls-key"] == .file(path: "config.json", line: 1, column: 57))
        let imported = try #require(
            output(["config", "import", "--from=soketi", "f"], Self.named.merging(["f": file]) { $1 }))
        #expect(imported.exitCode == 0 && !imported.standardOutput.contains("hush"))
        #expect(try tls(file: imported.standardOutput) == loaded.settings.tls)
    }

    @Test func nobodyElseReadsTheFiles() {
        // Who asks for health may not be allowed to read keys.
        guard case .health = run(["health"], env: ["STARLING_TLS_CERTIFICATE": "no", "STARLING_TLS_KEY": "no"]) else {
            Issue.record("health needs the key")
            return
        }
    }

    struct Refusal: CustomTestStringConvertible {
        let given: String
        let says: [String]
        init(_ given: String, _ says: String...) { (self.given, self.says) = (given, says) }
        var testDescription: String { given }
    }

    static let needs = "needs a certificate; give tls.certificate and tls.key (--tls-certificate, --tls-key)"
    static let together = "is missing; a certificate and its key are given together"
    static let refusals = [
        Refusal("\"certificate\": \"c.pem\"", "9: tls.key \(together)"),
        Refusal("\"key\": \"k.pem\"", "9: tls.certificate \(together)"),
        Refusal(
            "\"keyPassphraseFile\": \"pass\"", "9: tls.certificate \(together)", "9: tls.key \(together)"),
        Refusal("\"port\": 443", "9: tls.port: \(needs)"), Refusal("\"only\": true", "9: tls.only: \(needs)"),
        Refusal(
            "\"certificate\": \"c.pem\", \"key\": \"k.pem\", \"port\": 6001",
            "9: tls.port: 6001 is the port of plain HTTP; leave tls.port out, and that one serves both"),
        Refusal(
            "\"certificate\": \"none\", \"key\": \"gone\"",
            "9: tls.certificate: \"none\" cannot be read: No such file or directory",
            "9: tls.key: \"gone\" cannot be read: No such file or directory"),
        Refusal(
            "\"certificate\": \"k.pem\", \"key\": \"c.pem\"",
            "9: tls.certificate: \"k.pem\" holds no certificate in PEM; it holds a key, so the two may be swapped",
            "9: tls.key: \"c.pem\" holds no private key in PEM; it holds a certificate, so the two may be swapped"),
        Refusal(
            "\"certificate\": \"text\", \"key\": \"text\"",
            "9: tls.certificate: \"text\" holds no certificate in PEM",
            "9: tls.key: \"text\" holds no private key in PEM"),
        Refusal(
            "\"certificate\": \"der\", \"key\": \"huge\"",
            "9: tls.certificate: \"der\" is in DER, and PEM is needed (openssl converts it)",
            "9: tls.key: \"huge\" is larger than 1048576 bytes"),
        Refusal(
            "\"certificate\": \"c.pem\", \"key\": \"-\"",
            "9: tls.key: must be a file; it is read again when it changes"),
        Refusal(
            "\"certificate\": \"c.pem\", \"key\": \"secret-key.pem\"",
            "9: tls.key: the key in \"secret-key.pem\" is encrypted; write its passphrase into a file and give "
                + "keyPassphraseFile (--tls-key-passphrase-file)"),
        Refusal(
            "\"certificate\": \"c.pem\", \"key\": \"secret-key.pem\", \"keyPassphraseFile\": \"empty\"",
            "9: tls.keyPassphraseFile: the first line of \"empty\" must be the passphrase, 1 to 1024 bytes"),
        Refusal(
            "\"certificate\": \"c.pem\", \"key\": \"secret-key.pem\", \"keyPassphraseFile\": \"long\"",
            "9: tls.keyPassphraseFile: the first line of \"long\" must be the passphrase, 1 to 1024 bytes"),
        Refusal(
            "\"certificates\": [{}]", "9: tls.certificates[0].certificate \(together)",
            "9: tls.certificates[0].key \(together)"),
        Refusal(
            "\"certificates\": [{\"certificate\": \"c.pem\", \"key\": \"k.pem\"}, {\"certificate\": \"c.pem\", \"key\": \"old.pem\"}]",
            "9: tls.certificates[1].key: the key in \"old.pem\" is encrypted; write its passphrase into a file and give "
                + "keyPassphraseFile (--tls-key-passphrase-file)"),
        Refusal(
            "\"certificates\": [{\"certificate\": 1, \"cert\": \"c\"}, 2]",
            "tls.certificates[0].certificate: must be text, not a number",
            "unknown key \"cert\" in tls.certificates[0]", "tls.certificates[1]: must be an object, not a number"),
        Refusal("\"certificates\": {}", "tls.certificates: must be an array of objects, not an object"),
        Refusal("\"prot\": 1", "unknown key \"prot\" in tls — did you mean \"port\"?"),
        Refusal("\"port\": 65536", "tls.port: must be a whole number from -1 to 65535, not 65536"),
    ]

    /// Each problem stands at the option's own value.
    @Test(arguments: refusals) func whatCannotBeIsRefused(_ refusal: Refusal) {
        let lines = load(file: "{\"tls\": {\(refusal.given)}}", others: Self.named).lines
        for text in refusal.says {
            let end = text.hasPrefix("9: ") ? String(text.dropFirst(3)) : text
            #expect(lines.contains { $0.hasPrefix("config.json:1:") && $0.contains(": \(end)") }, "\(end): \(lines)")
        }
        #expect(!lines.isEmpty && !lines.joined().contains("hush") && !lines.joined().contains("MA=="))
    }

    @Test func aProblemStandsWhereItsMemberDoes() {
        let file = """
            {"tls": {"certificate": "c.pem", "key": "k.pem",
              "certificates": [{"certificate": "c.pem",
                                "key": "gone"}]}}
            """
        #expect(
            load(file: file, others: Self.named).lines == [
                "config.json:3:28: tls.certificates[0].key: \"gone\" cannot be read: No such file or directory"
            ])
        // A list that a flag gave stands in the flag, whatever the file had.
        #expect(
            load(["--tls-certificates=c.pem:away"], file: file, others: Self.named).lines == [
                "flag --tls-certificates: tls.certificates[0].key: \"away\" cannot be read: No such file or directory"
            ])
    }

    @Test(arguments: ["a", "a:", ":b", "a:b:c", "a:b,c"]) func aPairAsTextIsTwoPaths(_ text: String) {
        #expect(
            load(["--tls-certificates=\(text)"], others: Self.named).lines.contains {
                $0.hasSuffix("must be certificate:key pairs of paths separated by commas")
            })
    }

    @Test(arguments: [
        ("{\"tls.port\": 1}", "unknown key \"tls.port\"; write \"port\" into the object \"tls\""),
        ("{\"tls\": 1}", "tls: must be an object, not a number"),
        ("{\"tsl\": {}}", "unknown key \"tsl\" — did you mean \"tls\"?"),
    ]) func theSectionIsAnObject(_ file: String, _ says: String) {
        #expect(load(file: file).lines.contains { $0.hasSuffix(": " + says) }, "\(load(file: file).lines)")
    }

    @Test("pairs are taken over by a reload, the port and what is refused are not") func reload() throws {
        let first = try load(["--tls-certificate=c.pem", "--tls-key=k.pem"], others: Self.named).get().settings
        let second = try load(
            [
                "--tls-certificate=both.pem", "--tls-key=both.pem", "--tls-only", "--tls-port=7",
                "--tls-certificates=c.pem:k.pem",
            ],
            others: Self.named
        ).get().settings
        let (merged, waiting) = first.reloading(second)
        #expect(merged.tls.certificates == second.tls.certificates && merged.tls.port == nil && !merged.tls.isOnly)
        #expect(waiting == ["tls-port", "tls-only"])
    }
}
