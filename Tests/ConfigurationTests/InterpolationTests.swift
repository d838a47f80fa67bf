import BrokerCore
import Testing

@testable import Configuration

@Suite("${…} in all its forms") struct InterpolationTests {
    /// A is set, E is set to nothing, U is not set.
    static func lookUp(_ name: String) -> String? { ["A": "1", "E": "", "B": "${A}"][name] }

    @Test(arguments: [
        ("${A}", "1"), ("${A:-d}", "1"), ("${A-d}", "1"), ("${A:?e}", "1"), ("${A?e}", "1"), ("${A:+x}", "x"),
        ("${A+x}", "x"),
        ("${E:-d}", "d"), ("${E-d}", ""), ("${E?e}", ""), ("${E:+x}", ""), ("${E+x}", "x"),
        ("${U:-d}", "d"), ("${U-d}", "d"), ("${U:+x}", ""), ("${U+x}", ""),
        ("${U:-}", ""), ("${U:-${A}${A}}", "11"), ("${U:-${U-${A:+y}}}", "y"), ("a${U:-$b}$c$", "a$b$c$"),
        ("$${A}", "${A}"), ("${U:-$${A}}", "${A}"), ("${U:-$${}", "${"), ("${B}", "${A}"), ("${U:-a:-b}", "a:-b"),
        ("${A:+é}", "é"),
    ]) func isExpanded(_ text: String, _ expected: String) {
        let result = Interpolation.expand(text, lookUp: Self.lookUp)
        #expect(result.text == expected && result.missing.isEmpty && !result.isMalformed)
    }

    @Test(
        arguments: [
            ("${U}", nil), ("${E}", nil), ("${U:?why}", "why"), ("${U?}", ""), ("${E:?}", ""),
        ] as [(String, String?)]) func isMissing(_ text: String, _ message: String?)
    {
        let result = Interpolation.expand(text, lookUp: Self.lookUp)
        #expect(result.missing.map(\.message) == [message] && result.text.isEmpty && !result.isMalformed)
    }

    @Test(arguments: [
        "${", "${A", "${}", "${A:}", "${A:x}", "${A b}", "${1}", "${U:-${A}", "${:-x}",
        String(repeating: "${U:-", count: 9) + String(repeating: "}", count: 9),
    ]) func isMalformed(_ text: String) {
        #expect(Interpolation.expand(text, lookUp: Self.lookUp).isMalformed)
    }

    @Test func aConfigurationTakesThemAll() throws {
        let file = """
            { "host": "${U:-::1}", "port": "${PORT_OF?which port?}", "pathPrefix": "${U+/never}",
              "apps": [{ "id": "${ID:?}", "key": "${KEY-none}", "secret": "${SECRET:?hush}" }] }
            """
        let env = ["PORT_OF": "7", "ID": "i", "SECRET": "s"]
        let settings = try load(env: env, file: file).get().settings
        #expect(settings.hosts == ["::1"] && settings.port == 7 && settings.pathPrefix == "")
        #expect(settings.apps.first?.keys == [.init(key: "none", secret: "s")])
        #expect(
            load(env: ["ID": "i", "SECRET": "s"], file: file).lines == [
                "config.json:1:32: variable PORT_OF is not set: which port?",
                "config.json:1:32: port: must be a whole number from 0 to 65535",
            ])
    }
}

@Suite("A .env of somebody else's application") struct StrangeEnvironmentFileTests {
    static let app = "REVERB_APP_ID=1\nREVERB_APP_KEY=k\nREVERB_APP_SECRET=s\nREVERB_PORT=8080\n"

    /// Lines that no reader of ours needs, before and after those that one needs.
    static let lines = [
        "MAIL=${X:?needed}", "MAIL=${X?needed}", "MAIL=${X", "MAIL=${X|y}", "MAIL=\"open", "MAIL='open", "MAIL=\"a\" b",
        "my-name=1", "my.name=1", "1=2", "=x", "just words", "[section]", "NAME: value", "MAIL=\"${A:?b}\"",
        "MAIL='it's'",
        "-----BEGIN KEY-----", "\u{1}\u{2}", "REVERB_UNHEARD_OF=${X:?y}", "export", "set -a",
    ]

    @Test("never stops the start", arguments: lines) func neverStopsTheStart(_ line: String) throws {
        for text in ["\(line)\n\(Self.app)", "\(Self.app)\(line)\n", "\(Self.app)\(line)"] {
            let result = load(["--env-file", ".env"], others: [".env": text])
            let configuration = try result.get()
            #expect(configuration.settings.apps.map(\.id) == ["1"], "\(text)")
            #expect(configuration.settings.port == 8080)
        }
    }

    @Test func bytesThatAreNoUTF8AreNobodysBusiness() throws {
        let bytes = Array("# M".utf8) + [0xFC] + Array("ller\nMAIL=M".utf8) + [0xFC, 0x0A] + Array(Self.app.utf8)
        let read: LoadedSettings.ReadFile = { _ in .success(bytes) }
        let configuration = try LoadedSettings.load(arguments: ["--env-file=e"], environment: [:], readFile: read).get()
        #expect(configuration.settings.apps.map(\.id) == ["1"])
        let bad = LoadedSettings.load(arguments: ["--env-file=e"], environment: [:]) { _ in
            .success(Array("REVERB_HOST=M".utf8) + [0xFC])
        }
        #expect(bad.lines.first == "e:1:14: byte is not valid UTF-8")
    }

    @Test(arguments: [
        ("REVERB_HOST=${X:?needed}", "e:1:13: variable X is not set: needed"),
        ("REVERB_HOST=${X", "e:1:13: malformed ${…}; write ${NAME} or ${NAME:-default}"),
        ("REVERB_HOST=\"x", "e:1:13: quote is not closed"),
        ("PORT='x' y", "e:1:9: unexpected text after the closing quote"),
        ("STARLING_APP_SECRET_FILE=\"x", "e:1:26: quote is not closed"),
    ]) func whatIsReadIsChecked(_ text: String, _ expected: String) {
        #expect(load(["--env-file", "e"], others: ["e": text]).lines.first == expected)
    }

    @Test func aSecretFileWithWindowsLineEndsIsRead() throws {
        let text = Self.app.replacing("\n", with: "\r\n")
        let app = try #require(load(["--env-file", "e"], others: ["e": text]).get().settings.apps.first)
        #expect(app.id == "1" && app.keys == [.init(key: "k", secret: "s")])
    }
}
