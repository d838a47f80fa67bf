import Arguments
import BrokerCore
import Wire

/// The commands, as functions from arguments to what is printed.
struct Commands {
    let environment: [String: String]
    let build: BuildInformation
    let readFile: LoadedSettings.ReadFile

    // MARK: serve

    func serve(_ arguments: [String], isBare: Bool) -> CommandLineRequest {
        let flags = FlagParser.parse(arguments)
        switch flags.given.first(where: { $0.name == "help" || $0.name == "version" })?.name {
        case "help"?: return .text(.success(isBare ? HelpText.tree : HelpText.serve))
        case "version"?: return .text(version([]))
        default: break
        }
        switch LoadedSettings.load(flags: flags, environment: environment, readFile: readFile) {
        case .success(let configuration): return .serve(configuration)
        case .failure(let failure): return .text(.failure(failure))
        }
    }

    // MARK: config

    func config(_ arguments: [String]) -> CommandOutput {
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case "check"?: return check(rest)
        case "show"?: return show(rest)
        case "docs"?: return docs(rest)
        case "import"?: return importFile(rest)
        case "--help"?, "-h"?: return .success(HelpText.config)
        case let name?:
            let hint = NearestName.hint(name, in: Self.configCommands, quote: "")
            return .usage("unknown command config \(name.quoted)\(hint)")
        case nil: return .usage("config needs a command: check, show, docs or import")
        }
    }

    static let configCommands = ["check", "show", "docs", "import"]

    /// The flags of `serve`, where one bare argument is the file.
    private func flags(_ arguments: [String], extra: [String: Bool] = [:]) -> FlagParser.Result {
        var flags = FlagParser.parse(arguments, extra: extra)
        if flags.positionals.count == 1 {
            flags.given.append(.init(name: "config", spelled: "argument", value: flags.positionals.removeFirst()))
        }
        return flags
    }

    private func check(_ arguments: [String]) -> CommandOutput {
        let flags = flags(arguments)
        if flags.value("help") != nil { return .success(HelpText.config) }
        return output(flags, environment) { configuration in
            let settings = configuration.settings
            let apps =
                settings.isDefaultApp
                ? "the built-in app" : "\(settings.apps.count) app\(settings.apps.count == 1 ? "" : "s")"
            return "ok: \(configuration.file ?? "no file"), \(apps), port \(settings.port)\n"
        }
    }

    /// What a command says about the configuration that the flags lead to, or why there is none.
    private func output(
        _ flags: FlagParser.Result, _ environment: [String: String], onFailure: String = "nothing was started",
        says: (LoadedSettings) -> String
    ) -> CommandOutput {
        switch LoadedSettings.load(flags: flags, environment: environment, readFile: readFile) {
        case .failure(let failure): .failure(failure, ending: onFailure)
        case .success(let configuration): .success(says(configuration), warnings: configuration.warningText)
        }
    }

    private func show(_ arguments: [String]) -> CommandOutput {
        let flags = flags(arguments, extra: ["origins": false, "json": false])
        if flags.value("help") != nil { return .success(HelpText.config) }
        let showsOrigins = flags.value("origins") != nil
        return output(flags, environment) { configuration in
            flags.value("json") != nil
                ? NativeFile.document(configuration, showsOrigins: showsOrigins).printed() + "\n"
                : NativeFile.list(configuration, showsOrigins: showsOrigins)
        }
    }

    private func docs(_ arguments: [String]) -> CommandOutput {
        let flags = FlagParser.parse(arguments, onlyExtra: true)
        if flags.value("help") != nil { return .success(HelpText.config) }
        return usageProblem(flags, positionalsMax: 0) ?? .success(ReferencePage.text)
    }

    /// `--from soketi FILE|env`, `--from reverb|env [.ENV-FILE|env]`; what `serve` refuses is refused here too. The result is a native file
    /// on standard output, with its secrets.
    private func importFile(_ arguments: [String]) -> CommandOutput {
        let flags = FlagParser.parse(arguments, extra: ["from": true, "env-file": true], onlyExtra: true)
        if flags.value("help") != nil { return .success(HelpText.config) }
        if let problem = usageProblem(flags, positionalsMax: 1) { return problem }
        let sources = ["soketi", "reverb", "env"]
        guard let from = flags.value("from")?.value, sources.contains(from) else {
            return .usage("config import needs --from \(sources.joined(separator: "|")) and, for soketi, a FILE")
        }
        guard let source = flags.positionals.first ?? (from == "soketi" ? nil : "env") else {
            return .usage("config import --from soketi needs a FILE, - or env")
        }
        guard from == "soketi" || !source.hasSuffix(".php") else {
            return .usage("\(source.quoted) is PHP, which only PHP can read: give the application's .env file instead")
        }
        var given = FlagParser.Result()
        given.given = flags.given.filter { $0.name == "env-file" }
        var environment = environment
        if source != "env" {
            // soketi has a file of its own; Reverb's settings stand in a .env file.
            let name = from == "soketi" ? "config" : "env-file"
            given.given.append(.init(name: name, spelled: "argument", value: source))
            // The file alone decides; only `${NAME}` in it may look at the environment.
            for name in environment.keys where Self.isConfiguration(name) { environment[name] = nil }
        }
        return output(given, environment, onFailure: "nothing was written") { configuration in
            var text = "// Made by: starling config import --from \(from) \(source.shortened)\n"
            for warning in configuration.warnings { text += "// \(warning.place): \(warning.text)\n" }
            if configuration.settings.apps.contains(where: { $0.webhooks.contains(where: \.allowsPrivate) }) {
                text +=
                    "// \"allowPrivate\" stands where the host seems to be of a network of your own; soketi called every address\n"
            }
            return text + NativeFile.document(configuration, onlyGiven: true, showsSecrets: true).printed() + "\n"
        }
    }

    private static func isConfiguration(_ name: String) -> Bool {
        ["PORT", "STATE_DIRECTORY"].contains(name)
            || (["STARLING_"] + ForeignFamily.all.map(\.prefix)).contains(where: name.hasPrefix)
    }

    func usageProblem(_ flags: FlagParser.Result, positionalsMax: Int) -> CommandOutput? {
        if let problem = flags.problems.all.first { return .usage(problem.description) }
        guard flags.positionals.count > positionalsMax else { return nil }
        return .usage("unexpected argument \(flags.positionals[positionalsMax].quoted)")
    }

    // MARK: version, reload, health

    func version(_ arguments: [String]) -> CommandOutput {
        let flags = FlagParser.parse(arguments, extra: ["json": false], onlyExtra: true)
        if flags.value("help") != nil { return .success(HelpText.tree) }
        if let problem = usageProblem(flags, positionalsMax: 0) { return problem }
        guard flags.value("json") != nil else {
            return .success(build.text + "\n")
        }
        let members = [("name", "starling"), ("version", build.version), ("commit", build.commit)]
        let body = members.map { JSONText.quoted($0.0) + ":" + JSONText.quoted($0.1) }.joined(separator: ",")
        return .success("{\(body)}\n")
    }

    func reload(_ arguments: [String]) -> CommandLineRequest {
        let flags = FlagParser.parse(arguments, extra: ["pid": true, "timeout": true], onlyExtra: true)
        if flags.value("help") != nil { return .text(.success(HelpText.reload)) }
        if let problem = usageProblem(flags, positionalsMax: 0) { return .text(problem) }
        let timeout = number("timeout", flags, 1...300, unit: " (seconds)", standard: 30)
        let pid = number("pid", flags, 1...Int(Int32.max), standard: 0)
        guard let timeoutSeconds = timeout.number else { return timeout.fault }
        guard let process = pid.number else { return pid.fault }
        return .reload(ReloadTarget(pid: process > 0 ? Int32(process) : nil, timeoutSeconds: timeoutSeconds))
    }

    /// A number that a command takes, or what is wrong with it.
    func number(
        _ name: String, _ flags: FlagParser.Result, _ range: ClosedRange<Int>, unit: String = "", standard: Int
    ) -> (number: Int?, fault: CommandLineRequest) {
        let text = "must be a whole number from \(range.lowerBound) to \(range.upperBound)\(unit)"
        guard let given = flags.value(name)?.value else { return (standard, .text(.usage(text))) }
        let number = Int(given).flatMap { range.contains($0) ? $0 : nil }
        return (number, .text(.usage("flag --\(name)=\(given.shortened): \(text)")))
    }

    /// Without a URL, the broker that this configuration would start, on this machine.
    func health(_ arguments: [String]) -> CommandLineRequest {
        let own = ["timeout": true, "tls": false, "tls-ca": true, "tls-insecure": false]
        var flags = FlagParser.parse(arguments, extra: own)
        if flags.value("help") != nil { return .text(.success(HelpText.health)) }
        let timeout = number("timeout", flags, 1...300, unit: " (seconds)", standard: 5)
        guard let timeoutSeconds = timeout.number else { return timeout.fault }
        if let url = flags.positionals.first {
            if let problem = usageProblem(flags, positionalsMax: 1) { return .text(problem) }
            let trust = trust(flags)
            guard let target = HealthTarget.parse(url, timeoutSeconds: timeoutSeconds, trust: trust) else {
                let why =
                    url.hasPrefix("http://") && trust != nil
                    ? "\(url.quoted) is plain HTTP; TLS is https://"
                    : "\(url.quoted) is neither HOST:PORT nor a URL such as http://127.0.0.1:6001/ready"
                return .text(.usage(why))
            }
            return .health(target)
        }
        let trust = trust(flags)
        flags.given.removeAll { own[$0.name] != nil }
        // Who asks may be another user than the one that may read keys.
        switch LoadedSettings.load(
            flags: flags, environment: environment, readsNamedFiles: false, readFile: readFile)
        {
        case .failure(let failure): return .text(.failure(failure))
        case .success(let configuration):
            let settings = configuration.settings
            let first = settings.hosts.first { !$0.hasPrefix(ListenAddress.unixMark) } ?? settings.hosts[0]
            let isUnix = first.hasPrefix(ListenAddress.unixMark)
            // Asked by plain HTTP if there is some; whether TLS is up too is asked for with its flags.
            let isSecured = trust != nil || settings.tls.isOn && settings.tls.isOnly
            let usual = UInt16(exactly: settings.port)
            guard let port = isSecured ? settings.tls.port ?? usual : usual, port > 0 || isUnix else {
                return .text(.usage("the port is not known in advance; give a URL"))
            }
            let host =
                [ServerSettings.automaticHost: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"][first] ?? first
            // Operational endpoints are answered without the prefix (Pusher protocol §6.10).
            // Who asks an address of this machine comes from that address.
            let isPrefaced =
                settings.wantsProxyHeader && settings.trustedProxies.believes(peer: IPAddress(host))
            // This machine is asked under an address that no certificate has to have.
            return .health(
                HealthTarget(
                    trust: isSecured ? trust ?? .anybody : nil, host: host, port: port, path: "/ready",
                    timeoutSeconds: timeoutSeconds, beginsWithProxyHeader: isPrefaced))
        }
    }

    /// What the flags of `health` say of TLS.
    private func trust(_ flags: FlagParser.Result) -> HealthTarget.Trust? {
        if flags.value("tls-insecure") != nil { return .anybody }
        if let file = flags.value("tls-ca")?.value { return .authority(file) }
        return flags.value("tls") == nil ? nil : .system
    }
}
