/// What the command line takes besides the options of the table: where to find the rest.
struct MetaOption: Sendable {
    let name: String
    var shortFlag: Character?
    var variable: String?
    var argument: String?
    let help: String

    static let all = [
        MetaOption(
            name: "config", shortFlag: "c", variable: "STARLING_CONFIG", argument: "FILE",
            help: "Configuration file (JSON with comments), or a directory whose *.json files together are one"),
        MetaOption(
            name: "env-file", variable: "STARLING_ENV_FILE", argument: "FILE",
            help: "File of variables, e.g. the .env of a Laravel app; the real environment wins"),
        MetaOption(name: "verbose", shortFlag: "v", help: "Short for --log-level debug"),
        MetaOption(name: "quiet", shortFlag: "q", help: "Short for --log-level warning"),
        MetaOption(name: "help", shortFlag: "h", help: "Print help"),
        MetaOption(name: "version", shortFlag: "V", help: "Print the version"),
    ]
}
