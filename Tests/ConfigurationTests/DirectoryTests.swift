import BrokerCore
import Testing

@testable import Configuration

@Suite("A directory of configuration files") struct DirectoryTests {
    private func read(_ files: [String: String]) -> LoadedSettings.ReadFile {
        { path in
            if path == "conf.d" { return .failure(.init(text: "Is a directory", entries: [".", ".."] + files.keys)) }
            guard path.hasPrefix("conf.d/"), let text = files[String(path.dropFirst(7))] else {
                return .failure(.init(text: "No such file or directory"))
            }
            return .success(Array(text.utf8))
        }
    }

    private func load(_ files: [String: String]) -> Result<LoadedSettings, ConfigurationFailure> {
        LoadedSettings.load(arguments: ["--config", "conf.d"], environment: [:], readFile: read(files))
    }

    private func app(_ id: String, _ more: String = "") -> String {
        #"{"apps":[{"id":"\#(id)","key":"\#(id)-key","secret":"s-\#(id)"\#(more)}]}"#
    }

    @Test func appsOfAllFilesComeInTheOrderOfTheirNames() throws {
        let files = [
            "20.json": app("b"), "10.json": app("c"), "30.json": app("a"), "00-server.json": #"{"port":7000}"#,
        ]
        let loaded = try load(files).get()
        #expect(loaded.settings.apps.map(\.id) == ["c", "b", "a"])
        #expect(loaded.settings.port == 7000 && loaded.file == "conf.d" && loaded.warnings.isEmpty)
    }

    @Test func onlyWhatIsCalledJSONIsRead() throws {
        let files = ["a.json": app("a"), "b.json~": "{", "c.txt": "{", ".d.json": "{", "e.jsonc": "{"]
        #expect(try load(files).get().settings.apps.map(\.id) == ["a"])
    }

    @Test func oneAppInTwoFilesIsAnErrorWithBothPlaces() {
        #expect(
            load(["a.json": app("x"), "b.json": app("x")]).lines == [
                #"conf.d/b.json:1:16: apps[0].id: id "x" is already taken by apps[0] (conf.d/a.json:1:16)"#,
                #"conf.d/b.json:1:26: apps[0].key: key "x-key" is already taken by apps[0] (conf.d/a.json:1:26)"#,
            ])
    }

    @Test func anOptionInTwoFilesIsAnErrorWithBothPlaces() {
        let lines = load(["a.json": #"{"port":7000}"#, "b.json": #"{"port":7000}"#, "c.json": app("x")]).lines
        #expect(lines == ["conf.d/b.json:1:9: port: is given in two files; the first is at conf.d/a.json:1:9"])
    }

    @Test func aFaultIsToldWithItsFile() {
        let lines = load(["a.json": app("x"), "b.json": "{\n  \"prot\": 1\n}"]).lines
        #expect(lines.count == 1 && lines[0].hasPrefix("conf.d/b.json:2:3: unknown key \"prot\""))
    }

    @Test func aDirectoryWithoutFilesIsNoReasonForTheBuiltInApp() {
        #expect(load(["a.txt": ""]).lines == ["flag --config=conf.d: the directory holds no *.json file"])
    }

    @Test func aFileThatGoesWhileItIsReadIsAnError() {
        let files: LoadedSettings.ReadFile = { path in
            .failure(
                path == "conf.d" ? .init(text: "Is a directory", entries: ["a.json"]) : .init(text: "No such file"))
        }
        let result = LoadedSettings.load(arguments: ["-c", "conf.d"], environment: [:], readFile: files)
        #expect(result.lines == ["flag -c=conf.d/a.json: cannot be read: No such file"])
    }

    @Test func aSoketiFileMayStandBesideOurs() throws {
        let soketi = #"{"appManager.array.apps":[{"id":"s","key":"s-key","secret":"s-secret"}]}"#
        let loaded = try load(["a.json": app("a"), "b.json": soketi]).get()
        #expect(loaded.settings.apps.map(\.id) == ["a", "s"])
        #expect(loaded.settings.apps[0].limits.eventDataBytesMax == 10_240, "its limits are for its own apps")
        #expect(loaded.settings.apps[1].limits.eventDataBytesMax > 10_240)
    }

    // MARK: Loading again

    @Test func whatWasLoadedCanBeLoadedAgain() throws {
        let env = [
            "STARLING_KEEP_ALIVE_SECONDS": "9", "SOKETI_DEFAULT_APP_ID": "v", "SOKETI_DEFAULT_APP_KEY": "v-key",
            "SOKETI_DEFAULT_APP_SECRET": "v-secret",
        ]
        let first = try LoadedSettings.load(
            arguments: ["-c", "conf.d", "--port", "7001"], environment: env, readFile: read(["a.json": app("a")])
        ).get()
        let again = try first.source.load(readFile: read(["a.json": app("a"), "b.json": app("b")])).get()
        #expect(first.settings.apps.map(\.id) == ["a", "v"] && again.settings.apps.map(\.id) == ["a", "b", "v"])
        #expect(again.settings.port == 7001 && again.settings.keepAliveSeconds == 9)
        #expect(again.source.load(readFile: read(["a.json": "{"])).lines.first?.hasPrefix("conf.d/a.json:1:2") == true)
    }

    @Test func standardInputIsReadOnce() throws {
        let first = try LoadedSettings.load(arguments: ["-c", "-"], environment: [:]) { _ in
            .success(Array(app("a").utf8))
        }.get()
        let lines = first.source.load { _ in .success([]) }.lines
        #expect(
            lines == [
                "flag -c=-: cannot be read: standard input can be read once only; a file can be loaded again"
            ])
    }

    // MARK: The command

    @Test func reloadNamesItsProcess() {
        func target(_ arguments: String...) -> ReloadTarget? {
            if case .reload(let target) = run(["reload"] + arguments) { target } else { nil }
        }
        #expect(target() == ReloadTarget(pid: nil, timeoutSeconds: 30))
        #expect(target("--pid", "12", "--timeout", "3") == ReloadTarget(pid: 12, timeoutSeconds: 3))
        for wrong in [["--pid", "0"], ["--pid", "x"], ["--timeout", "301"], ["now"], ["--port", "1"]] {
            #expect(output(["reload"] + wrong)?.exitCode == 2, "\(wrong)")
        }
        #expect(output(["reload", "--help"])?.standardOutput.hasPrefix("Usage: starling reload") == true)
        #expect(output(["reload", "--pid", "0"])?.standardError.hasPrefix("flag --pid=0: must be") == true)
    }
}
