import Arguments

/// The settings of a broker, with the way they were found.
public struct LoadedSettings: Sendable {
    /// Reads one file whole; `-` is standard input. The only way in which this module touches the outside.
    public typealias ReadFile = (String) -> Result<[UInt8], FileError>

    public struct FileError: Error, Equatable, Sendable {
        /// `No such file or directory`.
        public var text: String

        public init(text: String) {
            self.text = text
        }
    }

    public internal(set) var settings: ServerSettings
    /// Suspicious, but legal.
    public internal(set) var warnings: [Problem]
    /// Where each server option came from, by option name (`port`); what is missing is built in.
    public internal(set) var origins: [String: Origin]
    /// The same for each app of `settings.apps`, by option name (`client-events`).
    public internal(set) var appOrigins: [[String: Origin]]
    /// The configuration file that was read.
    public internal(set) var file: String?

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
        return loader.result
    }

    /// One line each, for standard error; empty when there are none.
    public var warningText: String { warnings.map { "\($0)\n" }.joined() }
}
