import Arguments

extension ServerSettings {
    /// Of the path of the state directory: the control socket in it has a longer one, and the kernel takes 107 (unix(7)).
    public static let stateDirectoryBytesMax = 80
}

extension Loader {
    /// What shows without making it: whoever serves makes it, and finds out whether it can be written.
    mutating func checkStateDirectory(_ readFile: LoadedSettings.ReadFile) {
        while settings.stateDirectory.utf8.count > 1, settings.stateDirectory.hasSuffix("/") {
            settings.stateDirectory.removeLast()
        }
        let (path, origin) = (settings.stateDirectory, origins["state-directory"] ?? .builtIn)
        guard !path.isEmpty else { return }
        func refuse(_ text: String) { problems.error(origin, "stateDirectory: \(text)") }
        guard path.utf8.count <= ServerSettings.stateDirectoryBytesMax,
            path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), path != "-"
        else {
            return refuse(
                "must be the path of a directory, at most \(ServerSettings.stateDirectoryBytesMax) bytes, not \(path.quoted)"
            )
        }
        guard readsFiles else { return }
        switch Self.kind(of: path, readFile) {
        case .directory: break
        case .other(nil): refuse("\(path.quoted) is a file, and must be a directory")
        case .other(let fault?): refuse("\(path.quoted) cannot be used: \(fault)")
        case .missing:
            let parent = Self.parent(of: path)
            guard case .directory = Self.kind(of: parent, readFile) else {
                return refuse("\(path.quoted) cannot be made, because there is no directory \(parent.quoted)")
            }
        }
    }

    private enum PathKind {
        case directory, missing
        /// A file, or what the machine says of it.
        case other(String?)
    }

    private static func kind(of path: String, _ readFile: LoadedSettings.ReadFile) -> PathKind {
        switch readFile(path) {
        case .success: .other(nil)
        case .failure(let error) where error.entries != nil: .directory
        case .failure(let error) where error.text == "No such file or directory": .missing
        case .failure(let error): .other(error.text)
        }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
