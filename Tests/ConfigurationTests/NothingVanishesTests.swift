import BrokerCore
import TestSupport
import Testing

@testable import Configuration

@Suite("Nothing that an operator wrote vanishes") struct NothingVanishesTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String, file: String
        /// Begins the only problem, after its place.
        let says: String
        init(_ name: String, _ file: String, _ says: String) {
            (testDescription, self.file, self.says) = (name, file, says)
        }
    }

    static let app = "{\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"}"
    static func misplaced(_ path: String) -> String {
        "unknown soketi option \"\(path)\", and apps stand in it; soketi has them in appManager.array.apps"
    }

    static let misplacedApps = [
        Row(
            "one level too high", "{\"port\": 6001, \"appManager\": {\"driver\": \"array\", \"apps\": [\(app)]}}",
            misplaced("appManager.apps")),
        Row(
            "of another name", "{\"debug\": true, \"appManager\": {\"array\": {\"app\": [\(app)]}}}",
            misplaced("appManager.array.app")),
        Row(
            "in snake case", "{\"debug\": true, \"app_manager\": {\"array\": {\"apps\": [\(app)]}}}",
            misplaced("app_manager")),
        Row(
            "one app, not a list", "{\"appManager\": {\"array\": {\"apps\": \(app)}}}",
            "appManager.array.apps: must be an array, not an object"),
        Row(
            "by index", "{\"debug\": true, \"appManager.array.apps.0.key\": \"k\"}",
            misplaced("appManager.array.apps.0.key")),
        Row(
            "in a section of another thing", "{\"database\": {\"things\": {\"x\": [\(app)]}}}",
            misplaced("database.things")),
        Row(
            "a key and its secret without an id",
            "{\"database\": {\"things\": {\"x\": [{\"key\": \"k\", \"secret\": \"s\"}]}}}", misplaced("database.things")
        ),
        Row(
            "a list instead of the section", "{\"appManager\": {\"array\": [\(app)]}}",
            "appManager.array: must be an object, not an array"),
        Row(
            "a mistyped section", "{\"appManger\": {\"array\": {\"apps\": [\(app)]}}}",
            "unknown key \"appManger\" — did you mean \"appManager\"?"),
        Row(
            "no app at all", "{\"appManager\": {\"array\": {\"apps\": []}}}",
            "apps: names no app; leave it out to have the built-in one"),
        Row("no app at all, natively", "{\"apps\": []}", "apps: names no app; leave it out to have the built-in one"),
        Row("one app, natively", "{\"app\": \(app)}", "unknown key \"app\" — did you mean \"apps\"?"),
    ]

    /// Each with soketi's `debug`, which makes it a file of soketi.
    static let looseCredentials = [
        "\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"",
        "\"app_id\": \"a\", \"app_key\": \"k\", \"app_secret\": \"s\"",
        "\"appId\": \"a\", \"appKey\": \"k\", \"appSecret\": \"s\"",
        "\"DEFAULT_APP_ID\": \"a\", \"DEFAULT_APP_KEY\": \"k\"",
        "\"SOKETI_DEFAULT_APP_SECRET\": \"s\"",
        "\"appManager\": {\"driver\": \"array\", \"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"}",
        "\"appManager\": {\"array\": {\"id\": \"a\", \"key\": \"k\", \"secret\": \"s\"}}",
        "\"appManager.array.key\": \"k\", \"appManager.array.secret\": \"s\"",
        "\"tenant\": {\"key\": \"k\"}",
        "\"tenants\": [{\"secret\": \"s\"}]",
    ]

    @Test(
        "an app whose members stand loose in a soketi file never ends in the built-in one", arguments: looseCredentials)
    func looseMembers(_ members: String) throws {
        let file = "{\"debug\": true, \(members)}"
        let result = load(["--host=::1"], file: file)
        guard case .failure(let failure) = result else { Issue.record("started"); return }
        #expect(failure.exitCode == 78)
        let errors = result.lines.filter { !$0.contains("warning") }
        #expect(
            errors.count == 1
                && errors[0].hasSuffix(
                    ": seems to name an app, but nobody reads it — did you mean appManager.array.apps? "
                        + "The built-in app does not take its place"),
            "\(errors)")
        let imported = try #require(output(["config", "import", "--from=soketi", "f"], ["f": file]))
        #expect(imported.exitCode == 78 && imported.standardOutput.isEmpty)
        // Beside an app that is read, they are told and nothing more.
        let named = file.dropLast() + ", \"appManager.array.apps\": [\(Self.app)]}"
        #expect(!load(["--host=::1"], file: String(named)).lines.contains { !$0.contains("warning") })
    }

    @Test("keys of other things than apps do not name one") func otherKeys() throws {
        for members in ["\"ssl\": {\"key\": \"k\"}", "\"database\": {\"redis\": {\"secret\": \"s\"}}", "\"id\": \"x\""]
        {
            #expect(try load(["--host=::1"], file: "{\"debug\": true, \(members)}").get().settings.isDefaultApp)
        }
    }

    static let soketiNamesInOurFile = [
        ("\"ssl\": {}", "unknown key \"ssl\"; only soketi has it, and a file with \"apps\" is not soketi's"),
        ("\"debug\": true", "unknown key \"debug\"; only soketi has it, and a file with \"apps\" is not soketi's"),
        (
            "\"appManager.driver\": \"array\"",
            "unknown key \"appManager.driver\"; only soketi has it, and a file with \"apps\" is not soketi's"
        ),
        (
            "\"cors\": {\"origin\": [\"*\"]}",
            "unknown key \"cors\"; the HTTP API allows every origin by CORS; which pages may connect is \"allowedOrigins\" of each app (--allowed-origins)"
        ),
        (
            "\"cors.origin\": [\"*\"]",
            "unknown key \"cors.origin\"; the HTTP API allows every origin by CORS; which pages may connect is \"allowedOrigins\" of each app (--allowed-origins)"
        ),
        ("\"apps2\": []", "unknown key \"apps2\" — did you mean \"apps\"?"),
    ]

    @Test("soketi's names in a file of ours are told as what they are", arguments: soketiNamesInOurFile)
    func soketiNames(_ member: String, _ says: String) {
        let lines = load(["--host=::1"], file: "{\"apps\": [\(Self.app)], \(member)}").lines
        #expect(lines.count == 1 && lines[0].hasSuffix(": " + says), "\(lines)")
    }

    @Test("soketi's members of an app lead to ours") func soketiMembers() {
        for (theirs, ours) in [
            ("enableClientMessages", "clientEvents"), ("enable_client_messages", "clientEvents"),
            ("max_connections", "limits.connections"),
        ] {
            let app = Self.app.dropLast() + ", \"\(theirs)\": true}"
            let lines = load(["--host=::1"], file: "{\"apps\": [\(app)]}").lines
            #expect(
                lines.count == 1
                    && lines[0].hasSuffix(": unknown key \"\(theirs)\" in apps[0]; here it is \"\(ours)\""), "\(lines)")
        }
    }

    @Test("a file that names an app never starts the built-in one", arguments: misplacedApps) func neverTheBuiltInOne(
        _ row: Row
    ) throws {
        let lines = load(["--host=::1"], file: row.file).lines
        #expect(lines.count == 1 && lines[0].hasSuffix(": " + row.says), "\(lines)")
        let imported = try #require(output(["config", "import", "--from=soketi", "f"], ["f": row.file]))
        #expect(imported.exitCode == 78 && imported.standardOutput.isEmpty)
    }

    static let halves: [([String: String], String)] = [
        (
            ["STARLING_APP_KEY": "k"],
            "env STARLING_APP_KEY: names an app, but STARLING_APP_SECRET is missing; an app needs a key and its secret"
        ),
        (
            ["STARLING_APP_SECRET": "s"],
            "env STARLING_APP_SECRET: names an app, but STARLING_APP_KEY is missing; an app needs a key and its secret"
        ),
        (
            ["STARLING_APP_ID": "i"],
            "env STARLING_APP_ID: names an app, but STARLING_APP_KEY and STARLING_APP_SECRET are missing; an app needs a key and its secret"
        ),
        (
            ["STARLING_APP_ID": "i", "STARLING_APP_KEY": "k"],
            "env STARLING_APP_ID: names an app, but STARLING_APP_SECRET is missing; an app needs a key and its secret"
        ),
        (
            ["STARLING_APP_KEY": "k", "SOKETI_DEFAULT_APP_MAX_CONNS": "5"],
            "env STARLING_APP_KEY: names an app, but STARLING_APP_SECRET is missing; an app needs a key and its secret"
        ),
        (
            ["SOKETI_DEFAULT_APP_KEY": "k"],
            "env SOKETI_DEFAULT_APP_KEY: is set but SOKETI_DEFAULT_APP_SECRET is not; an app needs its id, key and secret"
        ),
        (
            ["SOKETI_DEFAULT_APP_ID": "i", "SOKETI_EVENT_MAX_BATCH_SIZE": "5"],
            "env SOKETI_DEFAULT_APP_ID: is set but SOKETI_DEFAULT_APP_KEY is not; an app needs its id, key and secret"
        ),
        (
            ["REVERB_APP_KEY": "k", "REVERB_APP_SECRET": "s"],
            "env REVERB_APP_KEY: is set but REVERB_APP_ID is not; an app needs its id, key and secret"
        ),
        (
            ["SOCKUDO_DEFAULT_APP_ID": "i"],
            "env SOCKUDO_DEFAULT_APP_ID: is set but SOCKUDO_DEFAULT_APP_KEY is not; an app needs its id, key and secret"
        ),
        (
            ["SOKETI_DEFALT_APP_KEY": "k"],
            "env SOKETI_DEFALT_APP_KEY: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["STARLING_APP_KEE": "k", "SOKETI_DEBUG": "1", "SOKETI_EVENT_MAX_BATCH_SIZE": "5"],
            "env STARLING_APP_KEE: seems to name an app, but nobody reads it — did you mean STARLING_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["SOKETI_APP_KEY": "k"],
            "env SOKETI_APP_KEY: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["SOKETI_APP_ID": "i", "SOKETI_APP_SECRET": "s"],
            "env SOKETI_APP_ID: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_ID? The built-in app does not take its place"
        ),
        (
            ["REVERB_SECRET": "s"],
            "env REVERB_SECRET: seems to name an app, but nobody reads it — did you mean REVERB_APP_SECRET? The built-in app does not take its place"
        ),
        (
            ["STARLING_KEY": "k"],
            "env STARLING_KEY: seems to name an app, but nobody reads it — did you mean STARLING_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["SOCKUDO_APP_KEY": "k"],
            "env SOCKUDO_APP_KEY: seems to name an app, but nobody reads it — did you mean SOCKUDO_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["SOKETI_APP_MANAGER_ARRAY_APPS": "[]"],
            "env SOKETI_APP_MANAGER_ARRAY_APPS: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
        (
            ["DEFAULT_APP_KEY": "k"],
            "env DEFAULT_APP_KEY: seems to name an app, but nobody reads it — did you mean SOKETI_DEFAULT_APP_KEY? The built-in app does not take its place"
        ),
    ]

    @Test("half an app is an error", arguments: halves) func halfAnApp(_ env: [String: String], _ expected: String) {
        let result = load(["--host=::1"], env: env)
        guard case .failure(let failure) = result else { Issue.record("started"); return }
        #expect(failure.exitCode == 78)
        #expect(result.lines.filter { !$0.contains("warning") } == [expected])
        // The built-in app has not taken its place: nothing is said about that one's credentials.
        let strict = load(["--host=::1", "--production"], env: env)
        #expect(strict.lines.filter { !$0.contains("warning") } == [expected])
    }

    @Test func aKeyWithItsSecretIsEnough() throws {
        for env in [["STARLING_APP_KEY": "k", "STARLING_APP_SECRET": "s"], ["STARLING_APP_KEYS": "k:s"]] {
            let settings = try load(["--production"], env: env).get().settings
            #expect(
                settings.apps.map(\.id) == ["app-id"] && settings.apps.first?.keys == [.init(key: "k", secret: "s")])
            #expect(!settings.isDefaultApp && !settings.usesWellKnownCredentials)
        }
        #expect(
            load(["--app-id", "7"]).lines.first
                == "flag --app-id: names an app, but STARLING_APP_KEY and STARLING_APP_SECRET are missing; an app needs a key and its secret"
        )
        // Another app's name may be mistyped beside one that is whole.
        #expect((try? load(env: ["DEFAULT_APP_KEY": "x", "STARLING_APP_KEYS": "k:s"]).get()) != nil)
    }
}
