import Arguments

/// The settings of a broker, with the way they were found.
public struct LoadedSettings: Sendable {
    /// Reads one file whole; `-` is standard input. The only way in which this module touches the outside.
    public typealias ReadFile = (String) -> Result<[UInt8], FileError>

    public struct FileError: Error, Equatable, Sendable {
        /// `No such file or directory`.
        public var text: String
        /// It is a directory: the names in it.
        public var entries: [String]?

        public init(text: String, entries: [String]? = nil) {
            (self.text, self.entries) = (text, entries)
        }
    }

    public internal(set) var settings: ServerSettings
    /// Suspicious, but legal.
    public internal(set) var warnings: [Problem]
    /// Where each server option came from, by option name (`port`); what is missing is built in.
    public internal(set) var origins: [String: Origin]
    /// The same for each app of `settings.apps`, by option name (`client-events`).
    public internal(set) var appOrigins: [[String: Origin]]
    /// The configuration file or directory that was read.
    public internal(set) var file: String?
    /// Loads them again.
    public internal(set) var source: SettingsSource

    /// Collects the settings from everywhere: flags > `STARLING_*` > foreign names > file > built-in.
    /// - Parameters:
    ///   - arguments: The flags of `serve`, without the program's name and the command.
    ///   - environment: The process's variables; empty ones count as unset.
    ///   - readFile: Called for `--config` and `--env-file` only, on the calling thread.
    /// - Returns: Checked settings, or all problems at once.
    public static func load(
        arguments: [String], environment: [String: String], readFile: ReadFile
    ) -> Result<LoadedSettings, ConfigurationFailure> {
        let parsed = FlagParser.parse(arguments)
        return load(flags: parsed, environment: environment, readFile: readFile)
    }

    static func load(
        flags: FlagParser.Result, environment: [String: String], readsNamedFiles: Bool = true, readFile: ReadFile
    ) -> Result<LoadedSettings, ConfigurationFailure> {
        var loader = Loader(flags: flags, environment: environment)
        loader.readsFiles = readsNamedFiles
        loader.run(readFile)
        return loader.result(SettingsSource(flags: flags, environment: environment))
    }

    /// One line each, for standard error; empty when there are none.
    public var warningText: String { warnings.map { "\($0)\n" }.joined() }
}

/// Where the settings of a process came from, so that a running server can load them again.
public struct SettingsSource: Sendable {
    let flags: FlagParser.Result
    /// A process keeps the variables that it was started with.
    let environment: [String: String]

    /// Reads all files anew, those of variables and secrets too; flags and variables are those of the start.
    public func load(readFile: LoadedSettings.ReadFile) -> Result<LoadedSettings, ConfigurationFailure> {
        LoadedSettings.load(flags: flags, environment: environment) { path in
            guard path != "-" else {
                return .failure(.init(text: "standard input can be read once only; a file can be loaded again"))
            }
            return readFile(path)
        }
    }
}
