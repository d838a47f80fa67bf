// A configuration file, a file of variables and the command line: whatever they say, there is an answer, and what is
// printed from a good configuration reads as the same settings.
#if canImport(Configuration)
    import Configuration
#endif

/// The first byte chooses the door, the rest goes through it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let door = bytes.first else { return 0 }
    let input = Array(bytes.dropFirst())
    let text = String(decoding: input, as: UTF8.self)
    switch door % 4 {
    case 0: file(input)
    case 1: answer(load(["--env-file", "x"], input))
    case 2: answer(LoadedSettings.load(arguments: words(text), environment: ["A": "1"]) { _ in .success(input) })
    default:
        _ = CommandLineRequest.parse(
            arguments: words(text), environment: [:], build: BuildInformation(version: "1")
        ) { _ in .success(input) }
    }
    return 0
}

private func words(_ text: String) -> [String] { text.split(separator: "\n", maxSplits: 20).map(String.init) }

private func load(_ arguments: [String], _ input: [UInt8]) -> Result<LoadedSettings, ConfigurationFailure> {
    LoadedSettings.load(arguments: arguments, environment: ["A": "1", "B": "true"]) { _ in .success(input) }
}

private func answer(_ result: Result<LoadedSettings, ConfigurationFailure>) {
    switch result {
    case .success(let configuration): precondition(!configuration.settings.apps.isEmpty, "there is no app")
    case .failure(let failure): precondition(failure.problems.contains { $0.severity == .error }, "no problem failed")
    }
}

private func file(_ input: [UInt8]) {
    let result = load(["-c", "x"], input)
    answer(result)
    guard case .success(let configuration) = result else { return }
    let printed = Array(NativeFile.document(configuration, showsSecrets: true).printed().utf8)
    // A `${` that was escaped would be expanded the second time.
    guard !input.contains(UInt8(ascii: "$")) else { return }
    guard case .success(let again) = load(["-c", "x"], printed) else { preconditionFailure("what was printed fails") }
    var settings = again.settings
    settings.isDefaultApp = configuration.settings.isDefaultApp
    precondition(settings == configuration.settings, "what was printed says something else")
}
