import BrokerCore
import Testing

@testable import Configuration

/// Files that exist only here, and the directories they are in.
func files(_ files: [String: String]) -> LoadedSettings.ReadFile {
    { path in
        if let text = files[path] { return .success(Array(text.utf8)) }
        let inside = files.keys.filter { $0.hasPrefix(path + "/") }.map { String($0.dropFirst(path.count + 1)) }
        guard inside.isEmpty else { return .failure(.init(text: "Is a directory", entries: inside)) }
        return .failure(.init(text: "No such file or directory"))
    }
}

/// Begins as the files of TLS do; nothing here decodes them.
let (certificatePEM, keyPEM) = (
    "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"
)
let pem = certificatePEM + keyPEM

func load(
    _ arguments: [String] = [], env: [String: String] = [:], file: String? = nil, others: [String: String] = [:]
) -> Result<LoadedSettings, ConfigurationFailure> {
    var all = others
    all["config.json"] = file
    let path = file == nil ? [] : ["-c", "config.json"]
    return LoadedSettings.load(arguments: path + arguments, environment: env, readFile: files(all))
}

func run(_ arguments: [String], env: [String: String] = [:], _ named: [String: String] = [:]) -> CommandLineRequest {
    CommandLineRequest.parse(
        arguments: arguments, environment: env, build: BuildInformation(version: "1.2.3", commit: "abc"),
        readFile: files(named))
}

func output(_ arguments: [String], env: [String: String] = [:], _ named: [String: String] = [:]) -> CommandOutput? {
    if case .text(let output) = run(arguments, env: env, named) { output } else { nil }
}

extension Result where Success == LoadedSettings, Failure == ConfigurationFailure {
    /// All problems, or the warnings of a success.
    var lines: [String] {
        switch self {
        case .success(let configuration): configuration.warnings.map(\.description)
        case .failure(let failure): failure.problems.map(\.description)
        }
    }
}
