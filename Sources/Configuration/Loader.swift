import Arguments
import BrokerCore

/// Puts the layers on one another, lowest first: built-in, `PORT`, file, foreign names, `STARLING_*`, flags.
///
/// Large, because a problem of any layer is told with the origins of all: apps, checks and limits of one loading are in a file each.
struct Loader {
    let flags: FlagParser.Result
    var variables: Variables
    var settings = ServerSettings()
    var origins: [String: Origin] = [:]
    var drafts: [AppDraft] = []
    var isDefaultApp = false
    var file: String?
    var problems: ProblemList
    /// Limits of a soketi file for all apps.
    var everyAppOfFile: [SoketiFile.EveryApp] = []
    /// Names of the other servers whose settings were found.
    var foreignInUse: Set<String> = []
    /// An app was named, but not whole: the built-in one must not take its place.
    var isIncomplete = false
    /// Where the file has an empty list of apps.
    var emptyApps: Origin?
    /// Variables that nobody reads, but that look like ones which say who an app is.
    var misnamed: [(origin: Origin, meant: String)] = []
    /// The files that options name are looked into.
    var readsFiles = true
    /// What first named the app of `STARLING_APP_*` variables and flags.
    var namedOrigin: Origin?
    var batching = SoketiBatching()

    static let serverByName = Dictionary(uniqueKeysWithValues: Option.server.map { ($0.name, $0) })
    static let appByName = Dictionary(uniqueKeysWithValues: Option.app.map { ($0.name, $0) })

    init(flags: FlagParser.Result, environment: [String: String]) {
        self.flags = flags
        variables = Variables(environment: environment)
        problems = flags.problems
    }

    mutating func run(_ readFile: LoadedSettings.ReadFile) {
        for positional in flags.positionals {
            problems.error("", "unexpected argument \(positional.quoted)", isUsage: true)
        }
        readEnvironmentFile(readFile)
        dropServiceLinks()
        readSecretFiles(readFile)
        platformPort()
        readFileSettings(readFile)
        warnUnknownNames()
        readForeign()
        readNative()
        readFlags()
        finishApps()
        followForeignLimits()
        finishWebhooks()
        check()
        checkTLS(readFile)
        checkFiles(ofEndpoints: readFile)
        checkStateDirectory(readFile)
    }

    /// - Parameter source: loads them again.
    func result(_ source: SettingsSource) -> Result<LoadedSettings, ConfigurationFailure> {
        guard !problems.hasErrors else {
            return .failure(ConfigurationFailure(problems: problems.all, exitCode: problems.exitCode))
        }
        var settings = settings
        settings.apps = drafts.map(\.settings)
        settings.isDefaultApp = isDefaultApp
        return .success(
            LoadedSettings(
                settings: settings, warnings: problems.warnings, origins: origins, appOrigins: drafts.map(\.origins),
                file: file, source: source))
    }

    // MARK: Files

    private func metaValue(_ name: String) -> (value: String, origin: Origin)? {
        if let given = flags.value(name), !given.value.isEmpty { return (given.value, .flag(given.spelled)) }
        guard let name = MetaOption.all.first(where: { $0.name == name })?.variable, let variable = variables[name]
        else { return nil }
        return (variable.value, variable.origin)
    }

    private mutating func read(_ path: String, _ origin: Origin, _ readFile: LoadedSettings.ReadFile) -> SourceText? {
        do throws(LoadedSettings.FileError) {
            return SourceText(path: path == "-" ? "standard input" : path, bytes: try readFile(path).get())
        } catch {
            // A wrong path is a wrong configuration, not a wrong command line.
            problems.error(origin.place(value: path), "cannot be read: \(error.text)")
            return nil
        }
    }

    /// The configuration file; of a directory every `*.json`, in the order of their names. Hidden ones are an editor's or a volume's.
    private mutating func configurationFiles(
        _ path: String, _ origin: Origin, _ readFile: LoadedSettings.ReadFile
    ) -> [SourceText] {
        guard case .failure(let error) = readFile(path), let entries = error.entries else {
            return read(path, origin, readFile).map { [$0] } ?? []
        }
        let names = entries.filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.sorted()
        if names.isEmpty { problems.error(origin.place(value: path), "the directory holds no *.json file") }
        let directory = path.hasSuffix("/") ? path : path + "/"
        return names.compactMap { read(directory + $0, origin, readFile) }
    }

    private mutating func readEnvironmentFile(_ readFile: LoadedSettings.ReadFile) {
        guard let (path, origin) = metaValue("env-file"), let source = read(path, origin, readFile) else { return }
        let environment = variables
        let parsed = EnvironmentFile(source, reads: Self.readNames.contains) { environment.lookUp($0) }
        problems.append(parsed.problems.all)
        variables.add(parsed, path: path)
    }

    private mutating func readFileSettings(_ readFile: LoadedSettings.ReadFile) {
        guard let (path, origin) = metaValue("config") else { return }
        for source in configurationFiles(path, origin, readFile) {
            file = path
            take(source)
        }
    }

    private mutating func take(_ source: SourceText) {
        let (node, readProblems) = FileReader.read(source)
        problems.append(readProblems.all)
        guard var node else { return }
        let variables = variables
        node.interpolate(source, &problems) { variables.lookUp($0) }
        var family: String?
        if SoketiFile.isSoketi(node) {
            let translated = SoketiFile(node, source)
            problems.append(translated.problems.all)
            (node, family) = (translated.native, ForeignFamily.soketi.name)
            everyAppOfFile += translated.everyApp
            batching.take(translated.batching)
            misnamed += translated.misnamed.map { ($0, SoketiNames.apps) }
            foreignInUse.insert(ForeignFamily.soketi.name)
        }
        let read = FileSettings(node, source, base: settings)
        problems.append(read.problems.all)
        checkOnceOnly(read.origins)
        settings = read.settings
        origins.merge(read.origins) { $1 }
        drafts += read.drafts.map { draft in
            var draft = draft
            draft.fileFamily = family
            return draft
        }
        emptyApps = emptyApps ?? read.emptyApps
    }

    /// An option that two files of a directory give is an error, as it is within one file: which of them was meant nobody can know.
    private mutating func checkOnceOnly(_ given: [String: Origin]) {
        for option in Option.server {
            guard let second = given[option.name], let first = origins[option.name], case .file = first else {
                continue
            }
            problems.error(second, "\(option.key): is given in two files; the first is at \(first.place())")
        }
    }

    /// `STARLING_APP_SECRET_FILE` names a file that holds the secret (Docker and Kubernetes secrets).
    private mutating func readSecretFiles(_ readFile: LoadedSettings.ReadFile) {
        for option in Option.app where option.field.isSecret {
            readSecretFile(option.fileVariable, for: option.variable, readFile)
        }
        for option in Option.server where option.field.isSecret {
            readSecretFile(option.fileVariable, for: option.variable, readFile)
        }
    }

    private mutating func readSecretFile(_ name: String, for target: String, _ readFile: LoadedSettings.ReadFile) {
        guard let variable = variables[name], let source = read(variable.value, variable.origin, readFile) else {
            return
        }
        guard variables[target] == nil else {
            return problems.error(variable.origin.place(), "\(target) is set too; give one of them")
        }
        guard firstInvalidUTF8(in: source.bytes) == nil else {
            return problems.error(variable.origin.place(), "the file is not valid UTF-8")
        }
        variables.set(target, String(decoding: source.bytes, as: UTF8.self).trimmed, variable.origin)
    }

    // MARK: Variables

    /// A Kubernetes Service called `starling` or `soketi` puts `STARLING_PORT=tcp://10.0.0.1:6001` into every pod.
    private mutating func dropServiceLinks() {
        for prefix in ["STARLING_", "SOKETI_", "REVERB_", "PUSHER_", "SOCKUDO_"] {
            for name in variables.names(withPrefix: prefix) {
                let rest = name.dropFirst(prefix.count)
                if rest.hasPrefix("SERVICE_HOST") || rest.hasPrefix("SERVICE_PORT") || rest.hasPrefix("PORT_") {
                    variables.remove(name)
                } else if rest == "PORT", let variable = variables[name], variable.value.hasPrefix("tcp://") {
                    problems.warning(
                        variable.origin.place(value: variable.value),
                        "a Kubernetes service link, not a port; ignored (enableServiceLinks: false avoids it)")
                    variables.remove(name)
                }
            }
        }
    }

    /// What a platform says about the port and the state; anything the operator wrote is stronger.
    private mutating func platformPort() {
        let hasReverb = !variables.names(withPrefix: "REVERB_").isEmpty
        // `PUSHER_PORT` and the like stand in every Laravel application; an app of that family has a server of its own.
        let hasOthers =
            ["STARLING_APP_", "SOKETI_", "SOCKUDO_"].contains { !variables.names(withPrefix: $0).isEmpty }
            || variables.names(withPrefix: "PUSHER_").contains(where: Self.identityNames.contains)
        if hasReverb, !hasOthers {
            settings.port = 8080
            origins["port"] = .inferred("REVERB_* variables")
        }
        if let port = variables["PORT"] { setServer("port", port.value, port.origin) }
        // systemd's StateDirectory=; of several the first is the service's own (systemd.exec(5)).
        if let state = variables["STATE_DIRECTORY"], let first = state.value.split(separator: ":").first {
            setServer("state-directory", String(first), state.origin)
        }
    }

    private mutating func readNative() {
        if let variable = variables["STARLING_ENV"], variable.value.lowercased() == "production" {
            setServer("production", "true", variable.origin)
        }
        for option in Option.server {
            if let variable = variables[option.variable] { setServer(option.name, variable.value, variable.origin) }
        }
    }

    private static let nativeNames =
        Option.server.map(\.variable) + Option.app.map(\.variable) + MetaOption.all.compactMap(\.variable)
        + secretFiles.map(\.file) + ["STARLING_ENV"]

    /// The variables that name a file, and those of the secrets in them.
    static let secretFiles: [(file: String, variable: String)] =
        Option.app.filter(\.field.isSecret).map { ($0.fileVariable, $0.variable) }
        + Option.server.filter(\.field.isSecret).map { ($0.fileVariable, $0.variable) }

    /// Every variable that somebody asks for.
    private static let readNames = Set(
        nativeNames + ["PORT", "STATE_DIRECTORY"] + ForeignFamily.all.flatMap { $0.variables.map(\.name) })

    /// A variable of a known family that nobody reads is told with the name that was meant.
    private mutating func warnUnknownNames() {
        warnUnknown("STARLING_", Self.nativeNames)
        for family in ForeignFamily.all { warnUnknown(family.prefix, family.variables.map(\.name)) }
        // Old documents of soketi leave its prefix out.
        for name in ["DEFAULT_APP_ID", "DEFAULT_APP_KEY", "DEFAULT_APP_SECRET"] {
            if let variable = variables[name] { misnamed.append((variable.origin, "SOKETI_" + name)) }
        }
    }

    private mutating func warnUnknown(_ prefix: String, _ known: [String]) {
        for name in variables.names(withPrefix: prefix) where !known.contains(name) {
            guard let variable = variables[name] else { continue }
            let meant = Self.identity(meantBy: name, prefix, known) ?? NearestName.of(name, in: known)
            if let meant, Self.identityNames.contains(meant) { misnamed.append((variable.origin, meant)) }
            let hint = meant.map { " — did you mean \($0)?" } ?? ""
            problems.warning(variable.origin.place(), "unknown variable; ignored\(hint)")
        }
    }

    /// The variable that was meant by one that says who an app is in words of its own, however far apart the two are spelled:
    /// `SOKETI_APP_KEY`, `REVERB_SECRET`; or that lists apps: `SOKETI_APP_MANAGER_ARRAY_APPS`.
    private static func identity(meantBy name: String, _ prefix: String, _ known: [String]) -> String? {
        let words = name.dropFirst(prefix.count).split(separator: "_").map(String.init)
        let last = words.last ?? ""
        let isApp = words.dropLast().allSatisfy { $0 == "APP" || $0 == "DEFAULT" }
        let names = ["KEY", "SECRET"].contains(last) && isApp || last == "ID" && words.contains("APP") && isApp
        guard names || last == "APPS" else { return nil }
        let ending = "_" + (names ? last : "KEY")
        return known.first { $0.hasSuffix(ending) && identityNames.contains($0) }
    }

    /// The variables that say who an app is.
    private static let identityNames: Set<String> = {
        let foreign = ForeignFamily.all.flatMap(\.variables).filter { variable in
            switch variable.effect {
            case .app(let options, _): options.contains(where: identity.contains)
            case .wholeApp: true
            default: false
            }
        }
        return Set(foreign.map(\.name) + (identity + ["app-keys"]).map { "STARLING_" + $0.screaming })
    }()

    // MARK: Flags

    private mutating func readFlags() {
        for given in flags.given where !given.value.isEmpty {
            switch given.name {
            case "verbose": setServer("log-level", "debug", .flag(given.spelled))
            case "quiet": setServer("log-level", "warning", .flag(given.spelled))
            default:
                guard let option = Self.serverByName[given.name], let value = flags.text(of: option.field, given)
                else { continue }
                setServer(given.name, value, .flag(given.spelled))
            }
        }
    }

    mutating func setServer(_ name: String, _ text: String, _ origin: Origin, _ shown: String? = nil) {
        guard let option = Self.serverByName[name] else { preconditionFailure("no server option is called \(name)") }
        switch option.field.parse(text) {
        case .success(let value):
            option.field.write(value, to: &settings)
            origins[name] = origin
        case .failure(let error): problems.error(origin, value: shown ?? text, error.text)
        }
    }
}
