import Arguments
internal import Wire

/// What the command line asks for. Everything but serving and asking a running broker is already answered here.
public enum CommandLineRequest: Sendable {
    /// Print the warnings to standard error and run.
    case serve(LoadedSettings)
    /// Print and leave.
    case text(CommandOutput)
    /// Ask a running broker; leave with 0 when it answers 200.
    case health(HealthTarget)
    /// Let a running broker load its settings again; leave with 0 when it did.
    case reload(ReloadTarget)
    /// Ask a running broker about its webhooks, over its control socket.
    case webhooks(WebhookInquiry)
    /// See to an authority and a certificate for development.
    case developmentTLS(DevelopmentTLS)
    /// Run the load generator, which reads these arguments itself.
    case bench([String])

    /// - Parameters:
    ///   - arguments: Without the program's name; empty means `serve`.
    ///   - readFile: `-` is standard input.
    public static func parse(
        arguments: [String], environment: [String: String], build: BuildInformation,
        readFile: @escaping LoadedSettings.ReadFile
    ) -> CommandLineRequest {
        let commands = Commands(environment: environment, build: build, readFile: readFile)
        guard let first = arguments.first, !first.hasPrefix("-") else { return commands.serve(arguments, isBare: true) }
        let rest = Array(arguments.dropFirst())
        switch first {
        case "serve", "start": return commands.serve(rest, isBare: false)
        case "config": return .text(commands.config(rest))
        case "version": return .text(commands.version(rest))
        case "health": return commands.health(rest)
        case "reload": return commands.reload(rest)
        case "tls": return commands.tls(rest)
        case "webhooks": return commands.webhooks(rest)
        case "bench": return .bench(rest)
        case "help": return help(rest)
        default: return .text(unknown(first))
        }
    }

    static let commands = [
        "serve", "start", "config", "version", "health", "reload", "tls", "webhooks", "bench", "help",
    ]

    /// `help`, `help COMMAND`; the load generator knows its own.
    private static func help(_ topic: [String]) -> CommandLineRequest {
        switch topic.first {
        case "bench"?: .bench(["--help"])
        case let name? where !commands.contains(name) && !name.hasPrefix("-"): .text(unknown(name))
        default: .text(.success(HelpText.of(topic)))
        }
    }

    private static func unknown(_ name: String) -> CommandOutput {
        if Commands.configCommands.contains(name) {
            return .usage("unknown command \(name.quoted); did you mean config \(name)?")
        }
        return .usage("unknown command \(name.quoted)\(NearestName.hint(name, in: commands, quote: ""))")
    }
}

/// What a command prints, and the process's exit code.
public struct CommandOutput: Sendable, Equatable {
    public var exitCode: Int32
    public var standardOutput: String
    public var standardError: String

    static func success(_ text: String, warnings: String = "") -> CommandOutput {
        CommandOutput(exitCode: ExitCode.success, standardOutput: text, standardError: warnings)
    }

    static func usage(_ text: String) -> CommandOutput {
        CommandOutput(
            exitCode: ExitCode.usage, standardOutput: "",
            standardError: "\(text)\nstarling --help lists commands and options\n")
    }

    static func failure(_ failure: ConfigurationFailure, ending: String = "nothing was started") -> CommandOutput {
        CommandOutput(
            exitCode: failure.exitCode, standardOutput: "", standardError: failure.text(ending: ending))
    }
}

/// Which build this is; the executable knows.
public struct BuildInformation: Sendable {
    public var version: String
    /// Empty when it is not known.
    public var commit: String

    public init(version: String, commit: String = "") {
        self.version = version
        self.commit = commit
    }

    /// `starling 0.1.0 (0123456789)`.
    public var text: String { "starling \(version)\(commit.isEmpty ? "" : " (\(commit))")" }
}

/// Whom `starling reload` asks.
public struct ReloadTarget: Sendable, Equatable {
    /// nil: the only broker that runs on this machine.
    public var pid: Int32?
    /// 1...300.
    public var timeoutSeconds: Int
}

/// Where `starling health` asks.
public struct HealthTarget: Sendable, Equatable {
    /// Which certificate of the server's is believed.
    public enum Trust: Sendable, Equatable {
        /// One of an authority that this machine trusts.
        case system
        /// One of an authority in a file (PEM).
        case authority(String)
        /// Whatever the server shows. Nothing that is said to it is secret.
        case anybody
    }

    /// nil: plain HTTP.
    public var trust: Trust?
    public var host: String
    public var port: UInt16
    /// Begins with a slash.
    public var path: String
    /// 1...300.
    public var timeoutSeconds: Int
    /// The server wants a PROXY header from there.
    public var beginsWithProxyHeader = false

    /// `[http[s]://]HOST[:PORT][/PATH]`; an IPv6 host stands in brackets. Without a path, `/ready`; without a port, the scheme's, and without
    /// that too the broker's usual one.
    /// - Parameter trust: what flags say of TLS; without them https trusts what the machine trusts.
    static func parse(_ url: String, timeoutSeconds: Int, trust: Trust? = nil) -> HealthTarget? {
        let scheme = ["http://", "https://"].first(where: url.hasPrefix)
        guard scheme != nil || !url.holds("://"), trust == nil || scheme != "http://" else { return nil }
        let rest = url.dropFirst(scheme?.count ?? 0)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        var host = authority
        var port = scheme.map { $0 == "https://" ? "443" : "80" } ?? Substring(String(ServerSettings().port))
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[..<end].dropFirst()
            let after = authority[end...].dropFirst()
            guard after.isEmpty || after.hasPrefix(":") else { return nil }
            if !after.isEmpty { port = after.dropFirst() }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[colon...].dropFirst()
        }
        guard !host.isEmpty, let number = UInt16(port), number > 0 else { return nil }
        guard !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else { return nil }
        return HealthTarget(
            trust: trust ?? (scheme == "https://" ? .system : nil), host: String(host), port: number,
            path: path.count > 1 ? String(path) : "/ready",
            timeoutSeconds: timeoutSeconds)
    }
}
